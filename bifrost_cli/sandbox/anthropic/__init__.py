"""Anthropic's API: Files, Message Batches, Messages, token counts and models."""

from bifrost_cli.sandbox.anthropic.routes import app, environment, failure
from bifrost_cli.sandbox.emulator import Emulator

EMULATOR = Emulator("anthropic", app, environment, failure)
