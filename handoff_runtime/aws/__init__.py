"""The store in AWS: params in Parameter Store, files, artifacts and state in S3; boto3 is loaded by the first call."""
