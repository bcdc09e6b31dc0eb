"""OpenAI's API: Files, Batches, Responses, Chat Completions, token counts and models."""

from ..emulator import Emulator
from .routes import app, environment, failure

EMULATOR = Emulator("openai", app, environment, failure)
