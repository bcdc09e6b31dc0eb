"""Settings: flag > environment > file > default, and where each value came from.

Each provider declares the settings it reads; this module finds their values. The file is TOML, one table per
provider, looked for at `--config`, `BIFROST_CONFIG` and the user's config folder, never in the working directory
(a cloned repository could redirect keys)::

    provider = "openai"            # the default

    [openai]
    base_url = "https://eu.api.openai.com/v1"
"""

import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from bifrost_cli.errors import ConfigError, UsageError
from bifrost_cli.providers import HOME, PROVIDERS

GENERAL = ("provider",)
TABLES = ("serve",)
"""What has a table beside the providers; each says itself what is in it."""


@dataclass(frozen=True)
class Setting:
    """One thing that a provider reads: its name in the file, the variables that vendors' SDKs read, its default."""

    name: str
    help: str
    env: tuple[str, ...] = ()
    default: str | None = None
    secret: bool = False
    required: bool = False
    choices: tuple[str, ...] = ()


class Value(NamedTuple):
    """A value and the place that gave it: `--flag`, a variable, `file [table] name`, or `default`."""

    text: str
    source: str


class Settings(Mapping[str, str]):
    """The values of one provider, by setting name; unset ones are absent."""

    def __init__(self, values: Mapping[str, Value]) -> None:
        self.values_by_name = dict(values)

    def __getitem__(self, name: str) -> str:
        return self.values_by_name[name].text

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_by_name)

    def __len__(self) -> int:
        return len(self.values_by_name)

    def __repr__(self) -> str:
        return f"Settings({', '.join(self.values_by_name)})"

    def source(self, name: str) -> str | None:
        """Where the value came from, or None where there is none."""
        value = self.values_by_name.get(name)
        return value.source if value else None


@dataclass
class Config:
    """Everything that is configured: the environment, the file's tables, and flags given for this run.

    `place` stands for the providers' addresses where these are others in each run, as those of emulators are. The repr
    shows none of what is configured: keys are among it.
    """

    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False)
    tables: Mapping[str, Any] = field(default_factory=dict, repr=False)
    path: Path | None = None
    flags: Mapping[str, str] = field(default_factory=dict, repr=False)
    place: str | None = None

    @classmethod
    def load(
        cls,
        path: Path | None = None,
        *,
        environ: Mapping[str, str] | None = None,
        flags: Mapping[str, str] | None = None,
    ) -> "Config":
        """Read the file, if there is one.

        Raises ConfigError where a file that was asked for is missing, or any is ill-formed.
        """
        environ = dict(os.environ) if environ is None else environ
        named = path or (Path(environ["BIFROST_CONFIG"]) if environ.get("BIFROST_CONFIG") else None)
        chosen = named or config_folder(environ) / "config.toml"
        if named is None and not chosen.is_file():
            return cls(environ=environ, flags=flags or {})
        return cls(environ=environ, tables=_read(chosen), path=chosen, flags=flags or {})

    @property
    def provider(self) -> Value | None:
        """The default provider, where the environment or the file names one."""
        if name := self.environ.get("BIFROST_PROVIDER"):
            return Value(_known(name, "BIFROST_PROVIDER"), "BIFROST_PROVIDER")
        if name := self.tables.get("provider"):
            return Value(_known(str(name), f"{self.path}: provider"), str(self.path))
        return None

    def settings(self, provider: str, declared: tuple[Setting, ...]) -> Settings:
        """The values for one provider. Raises ConfigError where the file has a name that it does not declare."""
        table = self.tables.get(provider, {})
        if unknown := sorted(set(table) - {setting.name for setting in declared}):
            known = ", ".join(setting.name for setting in declared)
            raise ConfigError(f"{self.path}: [{provider}] has no setting '{unknown[0]}'.", hint=f"It knows: {known}.")
        found = {setting.name: self._find(provider, setting, table) for setting in declared}
        return Settings({name: value for name, value in found.items() if value is not None})

    def _find(self, provider: str, setting: Setting, table: Mapping[str, Any]) -> Value | None:
        value = self._look(provider, setting, table)
        if value and setting.choices and value.text not in setting.choices:
            expected = ", ".join(setting.choices)
            wrong = f"{value.source}: '{value.text}' is not a value of {setting.name}."
            kind = UsageError if value.source.startswith("--") else ConfigError
            raise kind(wrong, hint=f"Use: {expected}.")
        return value

    def _look(self, provider: str, setting: Setting, table: Mapping[str, Any]) -> Value | None:
        if setting.name in self.flags:
            return Value(self.flags[setting.name], f"--{setting.name.replace('_', '-')}")
        for variable in setting.env:
            if text := self.environ.get(variable, "").strip():
                return Value(text, variable)
        if setting.name in table:
            return Value(str(table[setting.name]).strip(), f"{self.path} [{provider}] {setting.name}")
        return Value(setting.default, "default") if setting.default is not None else None


def config_folder(environ: Mapping[str, str]) -> Path:
    """Where the user's configuration lives on this system."""
    from platformdirs import user_config_path

    return Path(environ["BIFROST_HOME"]) if environ.get("BIFROST_HOME") else user_config_path("bifrost")


def state_folder(environ: Mapping[str, str]) -> Path:
    """Where the journal and the sandbox keep what they know; `BIFROST_HOME` moves it."""
    from platformdirs import user_state_path

    return Path(environ["BIFROST_HOME"]) if environ.get("BIFROST_HOME") else user_state_path("bifrost")


def masked(secret: str) -> str:
    """Enough of a key to tell it from another: its last four characters, none of a short one."""
    return f"…{secret[-4:]}" if len(secret) >= 16 else "…"


def _read(path: Path) -> dict[str, Any]:
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"The config file {path} does not exist.", hint="See --config and BIFROST_CONFIG.") from None
    except OSError as error:
        raise ConfigError(f"The config file {path} cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}.") from None
    for name, value in tables.items():
        _check_entry(path, name, value)
    return tables


def _check_entry(path: Path, name: str, value: object) -> None:
    tables = (*PROVIDERS, *TABLES)
    known = (*GENERAL, *(f"[{table}]" for table in tables))
    if name not in GENERAL and name not in tables:
        raise ConfigError(f"{path}: unknown entry '{name}'.", hint=f"It may hold: {', '.join(known)}.")
    if (name in tables) != isinstance(value, dict):
        kind = "a table" if name in tables else "text"
        raise ConfigError(f"{path}: '{name}' must be {kind}.", hint="The README shows an example.")


def _known(name: str, source: str) -> str:
    if name not in PROVIDERS:
        raise ConfigError(f"{source}: there is no provider '{name}'.", hint=f"Use one of: {', '.join(PROVIDERS)}.")
    return name


__all__ = ["HOME", "Config", "Setting", "Settings", "Value", "config_folder", "masked", "state_folder"]
