"""What the emulated AWS account is called, and how AWS writes names and times.

The account of a caller is named by its key: what follows the word `sandbox` in an access key id or in a Bedrock API
key. So `AKIA00000sandbox` and `bedrock-api-key-sandbox` see the same jobs and objects, and `AKIA00000sandbox-two`
others. The secret of an access key is its id after the words in `SECRET`. All accounts have one number and one bucket.

Names that make something happen, beside the trigger words in prompts:

| name                                   | effect                                                                |
| -------------------------------------- | --------------------------------------------------------------------- |
| a session token with `expired` in it   | the token has expired; one must contain `sandbox` to be valid at all  |
| a role with `no-pass` in it            | a job with it is refused: the caller may not hand it to the service   |
| a role with `no-access` in it          | a job with it fails: the service may not use the bucket               |
| a model with `no-such` in it           | there is no such model                                                |
"""

from datetime import UTC, datetime

ACCOUNT = "000000000000"
REGION = "us-east-1"
BUCKET = "bifrost-sandbox"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/bifrost-sandbox"
KEY_ID = "AKIA00000sandbox"
API_KEY = "bedrock-api-key-sandbox"
SECRET = "secret-of-"
MARK = "sandbox"


def secret_of(key_id: str) -> str:
    """The secret of an access key."""
    return SECRET + key_id


def account_of(key: str) -> str:
    """The name of the account that a key belongs to."""
    return key.partition(MARK)[2]


def job_arn(region: str, job_id: str) -> str:
    return f"arn:aws:bedrock:{region}:{ACCOUNT}:model-invocation-job/{job_id}"


def iso_time(seconds: float | None) -> str | None:
    """`2025-01-16T19:42:37.583Z`, as jobs have it (recorded)."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
