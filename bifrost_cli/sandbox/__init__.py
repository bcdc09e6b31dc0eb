"""The sandbox: strict emulators of the providers' HTTP APIs, for practice, demos and tests.

Each emulator is written from what its vendor documents and from recorded answers, never from this project's own
adapters, so that the two cannot agree on a mistake. It refuses what the vendor refuses. Keys must contain the word
`sandbox`; ids contain `sbx`.
"""

from bifrost_cli.sandbox.app import EMULATORS, create_app, environment, parse_faults
from bifrost_cli.sandbox.emulator import Emulator, Sandbox
from bifrost_cli.sandbox.faults import Fault, FaultSyntaxError
from bifrost_cli.sandbox.server import background, reset, serve, settings_from

__all__ = [
    "EMULATORS",
    "Emulator",
    "Fault",
    "FaultSyntaxError",
    "Sandbox",
    "background",
    "create_app",
    "environment",
    "parse_faults",
    "reset",
    "serve",
    "settings_from",
]
