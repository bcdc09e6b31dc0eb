"""Gemini: files, file batches and messages of Google's Developer API (`generativelanguage.googleapis.com`)."""

from bifrost_cli.providers.gemini.api import Gemini

__all__ = ["Gemini"]
