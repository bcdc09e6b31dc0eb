"""OpenAI: files and batches of its Responses and Chat Completions endpoints, and of servers with its wire."""

from bifrost_cli.providers.openai.api import OpenAI

__all__ = ["OpenAI"]
