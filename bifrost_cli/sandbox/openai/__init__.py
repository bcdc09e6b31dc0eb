"""OpenAI's API: Files, Batches, Responses, Chat Completions, token counts and models."""

from bifrost_cli.sandbox.emulator import Emulator
from bifrost_cli.sandbox.openai.routes import app, environment, failure

EMULATOR = Emulator("openai", app, environment, failure)
