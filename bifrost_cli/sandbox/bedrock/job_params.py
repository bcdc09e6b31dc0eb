"""The shape of a new job (the SDK's service model)."""

from bifrost_cli.sandbox.bedrock.checks import matching, structure, union
from bifrost_cli.sandbox.bedrock.models import JOB_PATTERN
from bifrost_cli.sandbox.shape import array, choice, integer

JOB_ID = r"((arn:aws(-[^:]+)?:bedrock:[a-z0-9-]{1,20}:[0-9]{12}:model-invocation-job/)?[a-z0-9]{12})"
JOB_NAME = r"[a-zA-Z0-9]{1,63}(-*[a-zA-Z0-9\+\-\.]){0,63}"
S3_URI = r"s3://[a-z0-9][-.a-z0-9]{1,61}[a-z0-9](?:/[-!_*'().a-z0-9A-Z]+(?:/[-!_*'().a-z0-9A-Z]+)*)?/?"
_KMS_KEY = (
    r"(arn:aws(-[^:]+)?:kms:[a-zA-Z0-9-]*:[0-9]{12}:((key/[a-zA-Z0-9-]{36})|(alias/[a-zA-Z0-9-_/]+)))|"
    r"([a-zA-Z0-9-]{36})|(alias/[a-zA-Z0-9-_/]+)"
)
_TAG = r"[a-zA-Z0-9\s._:/=+@-]*"

_uri = matching(S3_URI, short=1, long=1024)
_owner = {"s3BucketOwner": matching("[0-9]{12}")}
_input = structure({"s3Uri": _uri}, {"s3InputFormat": choice("JSONL"), **_owner})
_output = structure({"s3Uri": _uri}, {"s3EncryptionKeyId": matching(_KMS_KEY, short=1, long=2048), **_owner})
_network_ids = matching("[-0-9a-zA-Z]+", long=32)

CREATE = structure(
    {
        "jobName": matching(JOB_NAME, short=1, long=63, faster=r"[a-zA-Z0-9][a-zA-Z0-9+\-.]*"),
        "roleArn": matching(r"arn:aws(-[^:]+)?:iam::([0-9]{12})?:role/.+", long=2048),
        "modelId": matching(JOB_PATTERN, short=1, long=2048),
        "inputDataConfig": union({"s3InputDataConfig": _input}),
        "outputDataConfig": union({"s3OutputDataConfig": _output}),
    },
    {
        "clientRequestToken": matching("[a-zA-Z0-9]{1,256}(-*[a-zA-Z0-9]){0,256}", short=1, long=256),
        "vpcConfig": structure(
            {
                "subnetIds": array(_network_ids, short=1, long=16),
                "securityGroupIds": array(_network_ids, short=1, long=5),
            }
        ),
        "timeoutDurationInHours": integer(24, 168),
        "tags": array(
            structure({"key": matching(_TAG, short=1, long=128), "value": matching(_TAG, long=256)}), long=200
        ),
        "modelInvocationType": choice("InvokeModel", "Converse"),
    },
)
"""The check for a new job."""
