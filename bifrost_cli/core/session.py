"""Which providers there are for one user of the core, and how each is reached."""

from dataclasses import dataclass, field

from bifrost_cli.config import Config
from bifrost_cli.core import refs
from bifrost_cli.errors import ConfigError, UnsupportedError
from bifrost_cli.providers import HOME, PROVIDERS, load
from bifrost_cli.providers.base import Context, Provider
from bifrost_cli.transport import Client, new_client


@dataclass
class Session:
    """Configuration, pooled connections, and an adapter per provider, made on first use.

    `provider` is the one that a flag or header names, else ids and models say theirs, else the configured default.
    `client` is the HTTP client to use, instead of one of its own.
    """

    config: Config = field(default_factory=Config.load)
    provider: str | None = None
    context: Context = field(default_factory=Context)
    trust_env: bool = True

    client: Client = field(default=None, repr=False)  # type: ignore[assignment]
    adapters: dict[str, Provider] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.given = refs.check_provider(self.provider) if self.provider else None
        self.client = self.client or new_client(trust_env=self.trust_env)

    @property
    def chosen(self) -> str | None:
        """The provider that a flag, a header or the configuration names."""
        return self.given or (self.config.provider.text if self.config.provider else None)

    @property
    def default(self) -> str:
        """The provider of what names none."""
        return self.chosen or HOME

    def adapter(self, name: str) -> Provider:
        """The adapter of a provider."""
        if name not in self.adapters:
            kind = load(name)
            settings = self.config.settings(name, kind.settings)
            self.adapters[name] = kind(settings, self.client, self.context)
        return self.adapters[name]

    def configured(self) -> list[str]:
        """The providers that have what they need."""
        return [name for name in PROVIDERS if self._lacks(name) is None]

    def ready(self, name: str) -> Provider:
        """The adapter, with all that it needs. Raises ConfigError that also says which providers have theirs."""
        if lack := self._lacks(name):
            others = ", ".join(self.configured())
            found = f"Configured: {others} (choose with -p)." if others else "No provider is configured."
            raise ConfigError(lack.message, hint=f"{found} --sandbox needs no key.", provider=name)
        return self.adapter(name)

    def address(self, name: str) -> str:
        """Where a provider's batches are, as the journal knows it."""
        return self.config.place or self.ready(name).http.base_url

    def _lacks(self, name: str) -> ConfigError | None:
        try:
            self.adapter(name).require()
        except ConfigError as error:
            return error
        return None

    def able(self, provider: str, capability: str) -> Provider:
        """The adapter, which has a capability. Raises UnsupportedError where it has not."""
        adapter = self.ready(provider)
        if not getattr(adapter.capabilities, capability):
            raise UnsupportedError(f"{adapter.title} has no {capability} here.", provider=provider)
        return adapter
