"""The gateway: Anthropic's Files, Message Batches and Messages APIs over every provider, for any Anthropic SDK.

A handler reads a call, makes one call of the core, and answers in Anthropic's wire. No provider is named here.
"""

from bifrost_cli.server.app import create_app
from bifrost_cli.server.run import serve
from bifrost_cli.server.settings import Settings

__all__ = ["Settings", "create_app", "serve"]
