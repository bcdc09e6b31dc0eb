"""Anthropic: the canonical format's own provider, so requests and results pass as they are."""

from bifrost_cli.providers.anthropic.api import Anthropic

__all__ = ["Anthropic"]
