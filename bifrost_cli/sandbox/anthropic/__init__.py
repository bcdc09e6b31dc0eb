"""Anthropic's API: Files, Message Batches, Messages, token counts and models."""

from ..emulator import Emulator
from .routes import app, environment, failure

EMULATOR = Emulator("anthropic", app, environment, failure)
