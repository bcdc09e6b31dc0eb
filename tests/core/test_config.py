"""Settings: which place wins, where a value came from, what is refused."""

import sys
from pathlib import Path

import pytest

from bifrost_cli.config import Config, Setting, config_folder, masked, state_folder
from bifrost_cli.errors import ConfigError, UsageError
from bifrost_cli.providers import HOME, PROVIDERS

OTHER = next(name for name in PROVIDERS if name != HOME)
DECLARED = (
    Setting("api_key", "a key", env=("FIRST_KEY", "SECOND_KEY"), secret=True),
    Setting("base_url", "the address", env=("SOME_URL",), default="https://default.example"),
    Setting("mode", "the mode", env=("SOME_MODE",), choices=("a", "b")),
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "some.toml"
    path.write_text(f'provider = "{OTHER}"\n[{OTHER}]\nbase_url = "https://file.example"\napi_key = " in-file "\n')
    return path


def test_a_flag_wins_over_the_environment_over_the_file_over_the_default(file: Path) -> None:
    environ = {"SOME_URL": "https://env.example"}
    flags = {"base_url": "https://flag.example"}

    def found(*, path: Path | None = None, **options: dict[str, str]) -> tuple[str, str | None]:
        config = Config.load(path, environ={"BIFROST_HOME": str(file.parent), **options.pop("environ", {})}, **options)
        settings = config.settings(OTHER, DECLARED)
        return settings["base_url"], settings.source("base_url")

    assert found(path=file, environ=environ, flags=flags) == ("https://flag.example", "--base-url")
    assert found(path=file, environ=environ) == ("https://env.example", "SOME_URL")
    assert found(path=file) == ("https://file.example", f"{file} [{OTHER}] base_url")
    assert found() == ("https://default.example", "default")


def test_the_first_variable_that_is_set_and_not_blank_wins() -> None:
    settings = Config(environ={"FIRST_KEY": "  ", "SECOND_KEY": " two\n"}).settings(OTHER, DECLARED)
    assert (settings["api_key"], settings.source("api_key")) == ("two", "SECOND_KEY")
    settings = Config(environ={"FIRST_KEY": "one", "SECOND_KEY": "two"}).settings(OTHER, DECLARED)
    assert (settings["api_key"], settings.source("api_key")) == ("one", "FIRST_KEY")


def test_what_is_unset_is_absent() -> None:
    settings = Config(environ={}).settings(OTHER, DECLARED)
    assert list(settings) == ["base_url"]
    assert "api_key" not in settings
    assert settings.source("api_key") is None


def test_values_of_the_file_lose_their_outer_spaces(file: Path) -> None:
    assert Config.load(file, environ={}).settings(OTHER, DECLARED)["api_key"] == "in-file"


@pytest.mark.parametrize("given", [{"flags": {"mode": "c"}}, {"environ": {"SOME_MODE": "c"}}])
def test_a_value_that_is_no_choice_is_refused_with_its_place(given: dict[str, dict[str, str]]) -> None:
    with pytest.raises(UsageError if "flags" in given else ConfigError) as caught:
        Config(**{"environ": {}, **given}).settings(OTHER, DECLARED)
    place = "--mode" if "flags" in given else "SOME_MODE"
    assert str(caught.value) == f"{place}: 'c' is not a value of mode. Use: a, b."


def test_the_default_provider_is_the_variables_then_the_files(file: Path) -> None:
    environ = {"BIFROST_CONFIG": str(file)}
    assert Config.load(environ=environ).provider == (OTHER, str(file))
    assert Config.load(environ={**environ, "BIFROST_PROVIDER": HOME}).provider == (HOME, "BIFROST_PROVIDER")
    assert Config(environ={}).provider is None


def test_a_default_provider_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ConfigError, match="BIFROST_PROVIDER: there is no provider 'nobody'") as caught:
        _ = Config(environ={"BIFROST_PROVIDER": "nobody"}).provider
    assert all(name in str(caught.value.hint) for name in PROVIDERS)


def test_the_users_file_is_read_and_need_not_exist(tmp_path: Path) -> None:
    environ = {"BIFROST_HOME": str(tmp_path)}
    assert Config.load(environ=environ).path is None
    (tmp_path / "config.toml").write_text(f'provider = "{OTHER}"')
    assert Config.load(environ=environ).path == tmp_path / "config.toml"
    assert Config.load(environ=environ).provider == (OTHER, str(tmp_path / "config.toml"))


def test_a_file_in_the_working_directory_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("config.toml", "bifrost.toml", ".bifrost.toml"):
        (tmp_path / name).write_text(f'[{OTHER}]\nbase_url = "https://evil.example"')
    monkeypatch.chdir(tmp_path)
    assert Config.load(environ={"BIFROST_HOME": str(tmp_path / "home")}).path is None


@pytest.mark.parametrize("way", ["flag", "variable"])
def test_a_file_that_was_asked_for_must_exist(tmp_path: Path, way: str) -> None:
    path = tmp_path / "none.toml"
    with pytest.raises(ConfigError, match="does not exist"):
        Config.load(path, environ={}) if way == "flag" else Config.load(environ={"BIFROST_CONFIG": str(path)})


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        Config.load(tmp_path, environ={})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"provider = ", "is not valid TOML"),
        (b'provider = "\xff"', "is not valid TOML"),
        (b'colour = "red"', "unknown entry 'colour'"),
        (b"[nobody]\nx = 1", "unknown entry 'nobody'"),
        (b"[provider]\nx = 1", "'provider' must be text"),
        (f'{OTHER} = "x"'.encode(), f"'{OTHER}' must be a table"),
    ],
)
def test_a_file_that_is_ill_formed_is_refused(tmp_path: Path, text: bytes, message: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_bytes(text)
    with pytest.raises(ConfigError) as caught:
        Config.load(path, environ={})
    assert message in caught.value.message
    assert str(path) in caught.value.message


def test_a_setting_that_the_provider_does_not_have_is_refused_with_those_it_has(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(f'[{OTHER}]\napi_kye = "x"')
    with pytest.raises(ConfigError) as caught:
        Config.load(path, environ={}).settings(OTHER, DECLARED)
    expected = f"{path}: [{OTHER}] has no setting 'api_kye'. It knows: api_key, base_url, mode."
    assert str(caught.value) == expected


def test_no_repr_shows_a_value(file: Path) -> None:
    environ = {"FIRST_KEY": "secret-in-environ", "HOME": "/nowhere"}
    config = Config.load(file, environ=environ, flags={"api_key": "secret-in-flag"})
    settings = config.settings(OTHER, DECLARED)
    shown = f"{config!r} {settings!r} {config} {settings}"
    assert not [secret for secret in ("secret-in-environ", "secret-in-flag", "in-file") if secret in shown]


@pytest.mark.parametrize(
    ("secret", "expected"),
    [("sk-ant-0123456789abcdef", "…cdef"), ("sixteen-letters!", "…ers!"), ("short-key", "…"), ("", "…")],
)
def test_a_masked_secret_shows_its_end_if_it_is_long(secret: str, expected: str) -> None:
    assert masked(secret) == expected


@pytest.mark.skipif(sys.platform != "linux", reason="the folders of this system")
def test_folders_are_the_systems_unless_moved(tmp_path: Path) -> None:
    assert config_folder({}).parts[-2:] == (".config", "bifrost")
    assert state_folder({}).parts[-3:] == (".local", "state", "bifrost")
    assert config_folder({"BIFROST_HOME": str(tmp_path)}) == state_folder({"BIFROST_HOME": str(tmp_path)}) == tmp_path
