"""As much of Amazon S3 as batch jobs and files need, over one bucket that exists from the start.

Path style only: `http://host/bedrock/s3/BUCKET/KEY`. Names of buckets in the host (virtual-host style) are not
supported; SDKs use path style by themselves where the endpoint is an IP address.
"""
