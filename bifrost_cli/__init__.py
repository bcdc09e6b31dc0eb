"""One tool for the Files and Batch APIs of every LLM provider.

>>> from bifrost_cli import Bifrost          # doctest: +SKIP
>>> async with Bifrost() as bifrost:         # doctest: +SKIP
...     batch = await bifrost.get_batch("openai:batch_abc")

The public names are imported on first use, so that `bifrost --version` starts like a small program.
"""

from typing import Any

__version__ = "0.1.0"
__all__ = ["Batch", "Bifrost", "BifrostError", "Config", "File", "__version__"]

_HOMES = {
    "Batch": "bifrost_cli.models",
    "Bifrost": "bifrost_cli.core.bifrost",
    "BifrostError": "bifrost_cli.errors",
    "Config": "bifrost_cli.config",
    "File": "bifrost_cli.models",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
