"""Bedrock: files in S3, model invocation jobs, and small batches run one by one."""

from bifrost_cli.providers.bedrock.api import Bedrock

__all__ = ["Bedrock"]
