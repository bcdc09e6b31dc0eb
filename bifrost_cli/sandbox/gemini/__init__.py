"""Gemini's Developer API: Files, Batch, generateContent, token counts and models."""

from bifrost_cli.sandbox.emulator import Emulator
from bifrost_cli.sandbox.gemini.routes import app, environment, failure

EMULATOR = Emulator("gemini", app, environment, failure)
