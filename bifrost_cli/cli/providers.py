"""`bifrost providers`: what is configured."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from bifrost_cli.cli.session import Session, with_session

if TYPE_CHECKING:
    from bifrost_cli.core.bifrost import Bifrost

EPILOG = "Example: bifrost providers --json | jq -r 'select(.key_from) | .provider'\n\nExit codes: 0 done, 3 config."


@with_session(provider=False)
def providers(*, session: Session) -> None:
    """Show each provider: where its key came from (masked), its address, what it offers."""
    from bifrost_cli.cli import render

    async def go(bifrost: "Bifrost") -> list[dict[str, Any]]:
        from bifrost_cli.providers import PROVIDERS

        return [_row(bifrost, name) for name in PROVIDERS]

    render.Screen(json=session.json, quiet=session.quiet).providers(session.run(go))


def _row(bifrost: "Bifrost", name: str) -> dict[str, Any]:
    from bifrost_cli.config import masked

    adapter = bifrost.adapter(name)
    secrets = [each.name for each in adapter.settings if each.secret and each.name in adapter.config]
    secret = secrets[0] if secrets and name in bifrost.configured() else None
    return {
        "id": name,
        "provider": name,
        "key": masked(adapter.config[secret]) if secret else None,
        "key_from": adapter.config.source(secret) if secret else None,
        "base_url": adapter.config.get("base_url"),
        "base_url_from": adapter.config.source("base_url"),
        "capabilities": asdict(adapter.capabilities),
    }
