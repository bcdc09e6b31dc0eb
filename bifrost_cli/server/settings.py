"""What `serve` is told: by flags, by the environment, or by the table `[serve]` of the config file, in that order."""

import ipaddress
from dataclasses import dataclass, fields
from typing import Any

from bifrost_cli.config import Config, Setting, state_folder
from bifrost_cli.core.database import Database
from bifrost_cli.core.tenants import Tenants
from bifrost_cli.errors import UsageError
from bifrost_cli.server.origin import check_public_url

SETTINGS = (
    Setting("host", "the address to listen at", env=("BIFROST_SERVE_HOST",), default="127.0.0.1"),
    Setting("port", "the port to listen at", env=("BIFROST_SERVE_PORT",), default="8080"),
    Setting("workers", "how many processes serve", env=("BIFROST_SERVE_WORKERS",), default="1"),
    Setting("public_url", "the address that callers use, if it is another", env=("BIFROST_SERVE_PUBLIC_URL",)),
    Setting("insecure", "listen beyond loopback all the same", env=("BIFROST_SERVE_INSECURE",), default="0"),
    Setting("drain", "seconds that calls have to end after SIGTERM", env=("BIFROST_SERVE_DRAIN",), default="30"),
)
YES, NO = ("1", "true", "yes", "on"), ("0", "false", "no", "off", "")


@dataclass(frozen=True)
class Settings:
    """Where and how to serve; `port` 0 takes a free one."""

    host: str = "127.0.0.1"
    port: int = 8080
    workers: int = 1
    public_url: str | None = None
    insecure: bool = False
    drain: int = 30

    @classmethod
    def load(cls, config: Config) -> "Settings":
        """Raises UsageError where a value is ill-formed, or the host is open to others and nobody said so."""
        found = config.settings("serve", SETTINGS)
        settings = cls(
            host=found["host"],
            port=_number(found.values_by_name["port"], 0, 65535),
            workers=_number(found.values_by_name["workers"], 1, 64),
            public_url=check_public_url(found["public_url"]) if "public_url" in found else None,
            insecure=_flag(found.values_by_name["insecure"]),
            drain=_number(found.values_by_name["drain"], 0, 3600),
        )
        if not settings.insecure and not is_loopback(settings.host) and not _has_keys(config):
            raise UsageError(
                f"{settings.host} can be reached from outside, and callers need no key of their own.",
                hint="Make keys for them (bifrost keys create NAME). With --insecure, whoever reaches it spends yours.",
            )
        return settings

    def environment(self) -> dict[str, str]:
        """The variables that say the same, for a process of its own."""
        variables = {setting.name: setting.env[0] for setting in SETTINGS}
        given = {each.name: getattr(self, each.name) for each in fields(self)}
        return {variables[name]: _text(value) for name, value in given.items() if value is not None}


def _has_keys(config: Config) -> bool:
    return Tenants(Database(state_folder(config.environ))).any()


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches it."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _text(value: Any) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)


def _number(value: Any, least: int, most: int) -> int:
    if value.text.isascii() and value.text.isdigit() and least <= int(value.text) <= most:
        return int(value.text)
    raise UsageError(f"{value.source}: '{value.text}' is not a number from {least} to {most}.")


def _flag(value: Any) -> bool:
    if value.text.lower() in YES + NO:
        return value.text.lower() in YES
    raise UsageError(f"{value.source}: '{value.text}' is neither true nor false.")
