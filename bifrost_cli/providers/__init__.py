"""The registry: one line per provider, imported on use.

Order is the order of listings. `HOME` is the provider whose format is the canonical one and whose ids stay bare;
`HOME_IDS` is how they begin.
"""

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bifrost_cli.providers.base import Provider

PROVIDERS = {
    "anthropic": "bifrost_cli.providers.anthropic:Anthropic",
    "openai": "bifrost_cli.providers.openai:OpenAI",
    "gemini": "bifrost_cli.providers.gemini:Gemini",
    "bedrock": "bifrost_cli.providers.bedrock:Bedrock",
}
HOME = "anthropic"
HOME_IDS = ("msgbatch_", "file_")


@cache
def load(name: str) -> "type[Provider]":
    """The adapter class registered as `name`."""
    module, _, attribute = PROVIDERS[name].partition(":")
    adapter: type[Provider] = getattr(import_module(module), attribute)
    return adapter
