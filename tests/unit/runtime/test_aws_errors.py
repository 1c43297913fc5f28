"""What AWS refuses, told with what mends it: a table of codes and of botocore's exceptions."""

from __future__ import annotations

from typing import Any

import pytest
from botocore import exceptions

from handoff_runtime.aws import errors, retry
from handoff_runtime.aws.errors import Call

GET = Call("S3", "GetObject", {"Bucket": "b", "Key": "k/x"}, "eu-central-1")


def call(service: str, operation: str, region: str = "eu-central-1", **request: Any) -> Call:
    return Call(service, operation, request, region)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (GET, "s3:GetObject on arn:aws:s3:::b/k/x"),
        (call("S3", "GetObject", Bucket="b", Key="k", VersionId="1"), "s3:GetObjectVersion on arn:aws:s3:::b/k"),
        (call("S3", "HeadObject", Bucket="b", Key="k"), "s3:GetObject on arn:aws:s3:::b/k"),
        (call("S3", "ListObjectsV2", Bucket="b", Prefix="k/"), "s3:ListBucket on arn:aws:s3:::b"),
        (call("S3", "ListObjectVersions", Bucket="b", Prefix="k/"), "s3:ListBucketVersions on arn:aws:s3:::b"),
        (call("S3", "UploadPart", Bucket="b", Key="k"), "s3:PutObject on arn:aws:s3:::b/k"),
        (call("S3", "CopyObject", Bucket="b", Key="k"), "s3:PutObject on arn:aws:s3:::b/k"),
        (
            call("S3", "PutObjectTagging", Bucket="b", Key="k", VersionId="1"),
            "s3:PutObjectVersionTagging on arn:aws:s3:::b/k",
        ),
        (call("S3", "DeleteObjects", Bucket="b"), "s3:DeleteObject on arn:aws:s3:::b/*"),
        (
            call("S3", "DeleteObjects", Bucket="b", Delete={"Objects": [{"Key": "k", "VersionId": "1"}]}),
            "s3:DeleteObjectVersion on arn:aws:s3:::b/*",
        ),
        (call("S3", "ListMultipartUploads", Bucket="b"), "s3:ListBucketMultipartUploads on arn:aws:s3:::b"),
        (call("S3", "DeleteBucket", Bucket="b"), "s3:DeleteBucket on arn:aws:s3:::b"),
        (call("S3", "GetBucketTagging", Bucket="b"), "s3:GetBucketTagging on arn:aws:s3:::b"),
        (call("S3", "PutObject", "cn-north-1", Bucket="b", Key="k"), "s3:PutObject on arn:aws-cn:s3:::b/k"),
        (call("S3", "PutObject", "us-isob-east-1", Bucket="b", Key="k"), "s3:PutObject on arn:aws-iso-b:s3:::b/k"),
        (
            call("SSM", "GetParameter", "eusc-de-east-1", Name="x"),
            "ssm:GetParameter on arn:aws-eusc:ssm:eusc-de-east-1:*:parameter/x",
        ),
        (call("SSM", "GetParameter", Name="x"), "ssm:GetParameter on arn:aws:ssm:eu-central-1:*:parameter/x"),
        (call("SSM", "GetParameter", Name="/x/y"), "ssm:GetParameter on arn:aws:ssm:eu-central-1:*:parameter/x/y"),
        (
            call("SSM", "GetParameters", "us-gov-west-1", Names=["/x", "y"]),
            "ssm:GetParameters on arn:aws-us-gov:ssm:us-gov-west-1:*:parameter/x, arn:aws-us-gov:ssm:us-gov-west-1:*:parameter/y",
        ),
        (
            call("Secrets Manager", "GetSecretValue", SecretId="n"),
            "secretsmanager:GetSecretValue on arn:aws:secretsmanager:eu-central-1:*:secret:n-*",
        ),
        (call("Secrets Manager", "GetSecretValue", SecretId="arn:x"), "secretsmanager:GetSecretValue on arn:x"),
        (
            call("SSM", "AddTagsToResource", ResourceType="Parameter", ResourceId="x", Tags=[]),
            "ssm:AddTagsToResource on arn:aws:ssm:eu-central-1:*:parameter/x",
        ),
        (call("STS", "GetCallerIdentity"), "sts:GetCallerIdentity on *"),
        (
            call("ECS", "RunTask", cluster="c", taskDefinition="f"),
            "ecs:RunTask on arn:aws:ecs:eu-central-1:*:task-definition/f:*",
        ),
        (call("ECS", "StopTask", cluster="c", task="t"), "ecs:StopTask on arn:aws:ecs:eu-central-1:*:task/*/t"),
        (
            call("ECS", "DescribeTasks", cluster="c", tasks=["t"]),
            "ecs:DescribeTasks on arn:aws:ecs:eu-central-1:*:task/*",
        ),
        (call("ECS", "ListTasks", cluster="c"), "ecs:ListTasks on *"),
    ],
)
def test_permissions(asked: Call, expected: str) -> None:
    assert errors.required_permission(asked) == expected


def refused(code: str, status: int = 400, message: str = "", attempts: int = 1) -> exceptions.ClientError:
    meta = {"HTTPStatusCode": status, "RetryAttempts": attempts - 1}
    return exceptions.ClientError({"Error": {"Code": code, "Message": message}, "ResponseMetadata": meta}, "X")


KMS = "User is not authorized to perform: kms:Decrypt"
DATA_KEY = (
    "User: arn:aws:iam::1:user/x is not authorized to perform: kms:GenerateDataKey on resource: "
    "arn:aws:kms:eu-central-1:1:key/k because no identity-based policy allows the kms:GenerateDataKey action"
)
NO_MASTER_KEY = (
    "The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not "
    "allowed to access."
)
READ = 'User: arn:aws:iam::1:user/x is not authorized to perform: s3:GetObject on resource: "arn:aws:s3:::b/k/x"'
NO_ROLE = "Unable to assume the service linked role. Please verify that the ECS service linked role exists."
NO_KEY = "s3://b/k/x: no such key found"


@pytest.mark.parametrize(
    ("error", "message", "hint"),
    [
        (refused("NoSuchBucket", 404), "bucket b: no such bucket found", "aws s3 mb s3://b"),
        (refused("NoSuchKey", 404), NO_KEY, "aws s3 ls s3://b/k/"),
        (refused("404", 404), NO_KEY, "aws s3 ls s3://b/k/"),
        (refused("403", 403), "s3://b/k/x: 403 found, the permission s3:GetObject on arn:aws:s3:::b/k/x expected", "ListBucket"),
        (refused("AccessDenied", 403, KMS), "s3://b/k/x: AccessDenied found, the permission kms:Decrypt on the key it is encrypted with expected", "allow it"),
        (refused("AccessDenied", 403, DATA_KEY), "s3://b/k/x: AccessDenied found, the permission kms:GenerateDataKey on arn:aws:kms:eu-central-1:1:key/k expected", "allow it"),
        (refused("AuthorizationError", 403), "s3://b/k/x: AuthorizationError found, the permission s3:GetObject on arn:aws:s3:::b/k/x expected", "allow it"),
        (refused("AccessDenied", 400, NO_MASTER_KEY), "the permission kms:Decrypt on the key it is encrypted with expected", "aws kms describe-key"),
        (refused("AccessDenied", 403, f"{READ} because no identity-based policy allows it"), "the permission s3:GetObject on arn:aws:s3:::b/k/x expected", "allow it"),
        (refused("AccessDenied", 403, f"{READ} with an explicit deny in a service control policy"), "s3:GetObject", "a policy of the organization"),
        (refused("AccessDenied", 403, f"{READ} because no permissions boundary allows it"), "s3:GetObject", "the permissions boundary of that role or user"),
        (refused("AccessDenied", 403, f"{READ} because no VPC endpoint policy allows it"), "s3:GetObject", "the policy of the VPC endpoint"),
        (refused("AccessDenied", 403, f"{READ} because no session policy allows it"), "s3:GetObject", "the policy of this session"),
        (refused("AccessDenied", 403, f"{READ} with an explicit deny in a resource-based policy"), "s3:GetObject", "the policy of that resource"),
        (refused("KMS.DisabledException", 400, "arn:aws:kms:eu-central-1:1:key/k is disabled."), "answered 400 KMS.DisabledException", "aws kms describe-key"),
        (refused("InvalidParameterException", 400, NO_ROLE), "answered 400 InvalidParameterException", "aws iam create-service-linked-role"),
        (refused("ExpiredToken"), "s3://b/k/x: the credentials have expired (ExpiredToken), valid ones expected", "aws sso login"),
        (refused("InvalidClientTokenId"), "s3://b/k/x: credentials that AWS does not accept found (InvalidClientTokenId)", "AWS_PROFILE"),
        (refused("InvalidSignatureException", 400, "Signature expired: now"), "s3://b/k/x: this machine's clock is wrong (InvalidSignatureException), the time of AWS expected", "set the clock"),
        (refused("PermanentRedirect", 301), "s3://b/k/x: not in region eu-central-1 (PermanentRedirect)", "AWS_REGION"),
        (refused("SlowDown", 503, "", 8), "s3://b/k/x: S3 GetObject throttled (SlowDown), still after 8 attempts", "later"),
        (refused("BadDigest"), "s3://b/k/x: what arrived is not what was sent (BadDigest)", "run it again"),
        (refused("InternalError", 500, "Oh", 8), "s3://b/k/x: S3 GetObject answered 500 InternalError, still after 8 attempts (Oh)", "run it again"),
        (refused("Odd", 418), "s3://b/k/x: S3 GetObject answered 418 Odd", "run it again"),
        (exceptions.NoCredentialsError(), "s3://b/k/x: no credentials found (Unable to locate credentials)", "AWS_PROFILE"),
        (exceptions.NoRegionError(), "no AWS region configured", "export AWS_REGION"),
        (exceptions.ProfileNotFound(profile="p"), "AWS_PROFILE: The config profile (p) could not be found", "aws configure list-profiles"),
        (exceptions.PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"), "s3://b/k/x: Partial credentials found in env, missing: AWS_SECRET_ACCESS_KEY", "unset AWS_ACCESS_KEY_ID"),
        (exceptions.RefreshWithMFAUnsupportedError(), "Cannot refresh credentials: MFA token required.", "type a new code"),
        (exceptions.LoginRefreshRequired(), "the sign-in is missing or has expired (Your session has expired", "aws login"),
        (exceptions.CredentialRetrievalError(provider="container-role", error_msg="no answer"), "Error when retrieving credentials from container-role: no answer", "run it again"),
        (exceptions.InvalidRegionError(region_name="eu central"), "AWS region: Provided region_name 'eu central'", "AWS_REGION="),
        (ValueError("Invalid endpoint: moto"), "AWS_ENDPOINT_URL: Invalid endpoint: moto", "AWS_ENDPOINT_URL"),
        (exceptions.UnauthorizedSSOTokenError(), "the sign-in is missing or has expired", "aws sso login"),
        (exceptions.EndpointConnectionError(endpoint_url="http://x"), 's3://b/k/x: S3 GetObject got no connection (Could not connect to the endpoint URL: "http://x")', "AWS_ENDPOINT_URL"),
        (exceptions.ReadTimeoutError(endpoint_url="http://x"), "S3 GetObject got no whole answer (Read timeout", "run it again"),
        (exceptions.ParamValidationError(report="Invalid bucket name"), "Invalid bucket name", "S3_BUCKET_NAME"),
    ],
)  # fmt: skip
def test_told(error: Exception, message: str, hint: str) -> None:
    result = errors.error_for(error, GET)
    assert message in result.message
    assert hint in str(result.hint)
    assert result.exit_code == 69


def test_a_parameter_that_is_missing() -> None:
    result = errors.error_for(refused("ParameterNotFound"), call("SSM", "GetParameter", Name="s__params"))
    message = "parameter s__params: no such parameter found in region eu-central-1"
    assert (result.message, result.hint) == (message, "store the params: invoke params.push")


@pytest.mark.parametrize(
    ("attempt", "throttled", "longest"), [(1, False, 0.2), (3, False, 0.8), (1, True, 0.8), (9, True, 8)]
)
def test_waits_grow_to_an_end(attempt: int, throttled: bool, longest: float) -> None:  # noqa: FBT001
    waits = [retry.delay(attempt, throttled=throttled) for _ in range(100)]
    assert longest / 2 <= min(waits) < max(waits) <= longest
