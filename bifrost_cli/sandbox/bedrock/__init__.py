"""Amazon Bedrock: batch inference jobs and the model runtime, and what batch jobs need of S3."""

from bifrost_cli.sandbox.bedrock.routes import app, environment, failure
from bifrost_cli.sandbox.emulator import Emulator

EMULATOR = Emulator("bedrock", app, environment, failure)
