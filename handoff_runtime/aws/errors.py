"""Errors of AWS as StoreError: where, what was found, and the permission, name or command that fixes it."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from handoff_runtime.annotations import Any
from handoff_runtime.errors import StoreError
from handoff_runtime.namedtuple import NamedTuple
from handoff_runtime.terminal import safe_name


class Call(NamedTuple):
    """One request: service and operation by the names AWS gives them, its parameters, and its region."""

    service: str
    operation: str
    request: Mapping[str, Any]
    region: str = ""

    @property
    def title(self) -> str:
        """For a line of the log."""
        return f"{self.service} {self.operation}"


S3_PERMISSIONS = {
    "AbortMultipartUpload": "s3:AbortMultipartUpload",
    "CompleteMultipartUpload": "s3:PutObject",
    "CreateMultipartUpload": "s3:PutObject",
    "DeleteObjects": "s3:DeleteObject",
    "HeadBucket": "s3:ListBucket",
    "HeadObject": "s3:GetObject",
    "ListMultipartUploads": "s3:ListBucketMultipartUploads",
    "ListObjectVersions": "s3:ListBucketVersions",
    "ListObjectsV2": "s3:ListBucket",
    "UploadPart": "s3:PutObject",
}
OF_BUCKET = (
    "s3:DeleteBucket",
    "s3:GetBucketTagging",
    "s3:ListBucket",
    "s3:ListBucketMultipartUploads",
    "s3:ListBucketVersions",
)
# IAM's prefix of actions, where it is not the service's id: https://docs.aws.amazon.com/service-authorization/latest/reference/
PREFIXES = {"CloudWatch Logs": "logs", "SFN": "states"}
# What of a request names the resource, and its ARN behind region and account.
RESOURCES = {
    "StackName": "cloudformation:{place}:stack/{name}/*",
    "SecretId": "secretsmanager:{place}:secret:{name}-*",
    "taskDefinition": "ecs:{place}:task-definition/{name}:*",
    "task": "ecs:{place}:task/*/{name}",
    "tasks": "ecs:{place}:task/*",
    "stateMachineArn": "states:{place}:stateMachine:{name}",
    "executionArn": "states:{place}:execution:{name}",
    "logGroupName": "logs:{place}:log-group:{name}:*",
    "repositoryName": "ecr:{place}:repository/{name}",
}
PARTITIONS = {"cn": "aws-cn", "us-gov": "aws-us-gov"}

DENIED = ("AccessDenied", "AccessDeniedException", "AllAccessDisabled", "Forbidden", "403", "UnauthorizedOperation")
EXPIRED = ("ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired")
REJECTED_CREDENTIALS = (
    "AuthFailure",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "InvalidToken",
    "MissingAuthenticationToken",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
)
SKEWED = ("RequestTimeTooSkewed", "RequestInTheFuture")
WRONG_REGION = ("301", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "PermanentRedirect")
THROTTLED = (
    "EC2ThrottledException",
    "LimitExceededException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "TooManyRequestsException",
    "TooManyUpdates",
)
DAMAGED = ("BadDigest", "InvalidDigest", "XAmzContentChecksumMismatch", "XAmzContentSHA256Mismatch")
NO_CREDENTIALS = ("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError")
UNREACHABLE = ("EndpointConnectionError", "ConnectTimeoutError", "SSLError", "ProxyConnectionError")
CHECK_NETWORK = "look at the network, AWS_ENDPOINT_URL, AWS_REGION and HTTPS_PROXY"
RUN_AGAIN = "run it again"
SIGN_IN = "sign in again (aws sso login), or export new keys; aws sts get-caller-identity shows who you are"
SET_KEYS = "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; aws sts get-caller-identity tries them"
NAME_BUCKET = "set S3_BUCKET_NAME to the bucket of this environment"
OTHER_OWNER = (
    "for a bucket of another account: S3_BUCKET_NAME=(one of yours), or on purpose S3_BUCKET_OWNER=(its account)"
)
PUSH_PARAMS = "store the params: invoke params.push"


def error_for(error: Exception, call: Call) -> StoreError:
    """A ClientError or BotoCoreError as an error of ours."""
    response = getattr(error, "response", None)
    if isinstance(response, dict) and "Error" in response:
        return _refused(response, call)
    return _unanswered(error, call)


def error_code(error: Exception) -> str:
    """The code AWS gave, or nothing."""
    response = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""


def http_status(error: Exception) -> int:
    """The HTTP status AWS answered with, or 0."""
    response = getattr(error, "response", None)
    found = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) if isinstance(response, dict) else 0
    return int(found)


def _subject(call: Call) -> str:
    """What a request is about, and its operation, once where both are one."""
    place = request_subject(call)
    return f"{place}:" if place == call.title else f"{place}: {call.title}"


def request_subject(call: Call) -> str:
    """What a request is about, as one would write it."""
    request = call.request
    if "Bucket" in request:
        key = request.get("Key") or request.get("Prefix") or ""
        return f"s3://{request['Bucket']}/{safe_name(key)}" if key else f"bucket {request['Bucket']}"
    if call.service == "SSM" and ("Name" in request or "Names" in request):
        return f"parameter {request.get('Name') or ', '.join(request['Names'])}"
    if "StackName" in request:
        name = request["StackName"]  # or its ARN, arn:aws:cloudformation:REGION:ACCOUNT:stack/NAME/ID
        return f"stack {name.split('/')[1] if name.startswith('arn:') else name}"
    return f"secret {request['SecretId']}" if "SecretId" in request else call.title


def required_permission(call: Call) -> str:
    """The action that must be allowed for a request, and on which resource."""
    partition = next((name for start, name in PARTITIONS.items() if call.region.startswith(f"{start}-")), "aws")
    arn, request = f"arn:{partition}:", call.request
    if call.service == "S3":
        action = S3_PERMISSIONS.get(call.operation, f"s3:{call.operation}")
        if any("VersionId" in one for one in (request, *request.get("Delete", {}).get("Objects", ()))):
            action += "Version"
        bucket = f"{arn}s3:::{request.get('Bucket', '*')}"
        return f"{action} on {bucket}" if action in OF_BUCKET else f"{action} on {bucket}/{request.get('Key', '*')}"
    action = f"{PREFIXES.get(call.service) or call.service.lower().replace(' ', '')}:{call.operation}"
    place, resource = f"{call.region or '*'}:*", "*"
    if call.service == "SSM":
        names = request.get("Names") or [request.get("Name", "*")]
        resource = ", ".join(f"{arn}ssm:{place}:parameter/{name.lstrip('/')}" for name in names)
    elif key := next((key for key in RESOURCES if request.get(key)), None):
        name = request[key]
        is_arn = str(name).startswith("arn:")
        resource = name if is_arn else arn + RESOURCES[key].format(place=place, name=name)
    return f"{action} on {resource}"


def _refused(response: Mapping[str, Any], call: Call) -> StoreError:
    found, text = str(response["Error"].get("Code", "")), str(response["Error"].get("Message", "")).strip()
    answered = response.get("ResponseMetadata", {})
    attempts = answered.get("RetryAttempts", 0) + 1
    if found in DENIED:
        return _denied(found, text, call)
    if known := _missing(found, call) or _rejected(found, text, call):
        return known
    if found in THROTTLED:
        hint = "run it again later, or have the account's limit raised"
        return StoreError(f"{_subject(call)} throttled ({found}), still after {attempts} attempts", hint)
    tries = f", still after {attempts} attempts" if attempts > 1 else ""
    status_and_code = " ".join(dict.fromkeys([str(answered.get("HTTPStatusCode", "")), found])).strip()
    detail = f" ({text})" if text else ""
    return StoreError(f"{_subject(call)} answered {status_and_code}{tries}{detail}", RUN_AGAIN)


def _rejected(found: str, text: str, call: Call) -> StoreError | None:
    """Credentials, clock, region or content that AWS does not take."""
    place, region = request_subject(call), call.region or "(none)"
    skewed = found in SKEWED or "Signature expired" in text
    table = (
        (found in EXPIRED, f"the credentials have expired ({found}), valid ones expected", SIGN_IN),
        (skewed, f"this machine's clock is wrong ({found}), the time of AWS expected", "set the clock"),
        (found in REJECTED_CREDENTIALS, f"credentials that AWS does not accept found ({found})", SET_KEYS),
        (found in WRONG_REGION, f"not in region {region} ({found})", "set AWS_REGION to the bucket's"),
        (
            found in DAMAGED,
            f"what arrived is not what was sent ({found})",
            "run it again when nothing writes to the file",
        ),
    )
    return next((StoreError(f"{place}: {message}", hint) for applies, message, hint in table if applies), None)


def _denied(found: str, text: str, call: Call) -> StoreError:
    """The permission that is missing; of a KMS key where AWS speaks of one."""
    expected = "kms:Decrypt on the key it is encrypted with" if "kms:" in text.lower() else required_permission(call)
    message = f"{request_subject(call)}: {found} found, the permission {expected} expected"
    bucket, owner = call.request.get("Bucket"), call.request.get("ExpectedBucketOwner")
    unlisted = f"; s3:ListBucket on {bucket} shows whether it is there" if call.operation == "GetObject" else ""
    foreign = f"; {OTHER_OWNER}" if owner else ""
    return StoreError(
        message + (f", and bucket {bucket} to belong to account {owner}" if owner else ""),
        f"allow it to the role or user that runs this{unlisted}{foreign}",
    )


def _missing(found: str, call: Call) -> StoreError | None:
    place, bucket = request_subject(call), call.request.get("Bucket", "")
    if found == "NoSuchBucket" or (found == "404" and call.operation == "HeadBucket"):
        return StoreError(
            f"bucket {bucket}: no such bucket found", f"{NAME_BUCKET}, or make it: aws s3 mb s3://{bucket}"
        )
    if found in ("NoSuchKey", "NoSuchVersion") or (found == "404" and call.service == "S3"):
        start = str(call.request.get("Key", "")).rpartition("/")[0]
        return StoreError(f"{place}: no such key found", f"see what is there: aws s3 ls s3://{bucket}/{start}/")
    if found in ("ParameterNotFound", "ParameterVersionNotFound"):
        return StoreError(f"{place}: no such parameter found in region {call.region}", PUSH_PARAMS)
    if found == "ResourceNotFoundException" and "SecretId" in call.request:
        return StoreError(
            f"{place}: not found in region {call.region}", "see what is there: aws secretsmanager list-secrets"
        )
    return None


def _unanswered(error: Exception, call: Call) -> StoreError:
    """What kept a request from being sent or answered, by the name of botocore's exception."""
    place, name, found = request_subject(call), type(error).__name__, " ".join(str(error).split())
    if name == "NoRegionError":
        return region_missing()
    table = (
        (name in NO_CREDENTIALS, f"{place}: no credentials found ({found})", SET_KEYS),
        (name == "ProfileNotFound", f"AWS_PROFILE: {found}", "see which there are: aws configure list-profiles"),
        ("SSO" in name or "Token" in name, f"{place}: the sign-in is missing or has expired ({found})", SIGN_IN),
        (name in UNREACHABLE, f"{_subject(call)} got no connection ({found})", CHECK_NETWORK),
        (name == "ParamValidationError", f"{place}: {found}", NAME_BUCKET if "Bucket" in call.request else None),
        (True, f"{_subject(call)} got no whole answer ({found})", RUN_AGAIN),
    )
    return next(StoreError(message, hint) for applies, message, hint in table if applies)


def boto3_missing(error: ImportError) -> StoreError:
    """An image made for runs without AWS, or a Python without our dependency."""
    message = f"{error.name}: not installed for {sys.executable}, expected for the store in AWS"
    return StoreError(message, "in project.yml: image: {store: aws}, then: invoke build; elsewhere: pip install boto3")


def region_missing() -> StoreError:
    """Neither the environment nor the profile names one."""
    return StoreError("no AWS region configured", "export AWS_REGION=eu-central-1, or choose a profile")
