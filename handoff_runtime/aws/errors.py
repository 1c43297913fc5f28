"""Errors of AWS as StoreError: where, what was found, and the permission, name or command that fixes it."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping

from handoff_runtime.annotations import Any
from handoff_runtime.aws.partition import partition_of
from handoff_runtime.errors import StoreError
from handoff_runtime.namedtuple import NamedTuple
from handoff_runtime.retention import PUTS
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
    "CopyObject": "s3:PutObject",
    "CreateMultipartUpload": "s3:PutObject",
    "DeleteObjects": "s3:DeleteObject",
    "HeadBucket": "s3:ListBucket",
    "HeadObject": "s3:GetObject",
    "ListMultipartUploads": "s3:ListBucketMultipartUploads",
    "ListObjectVersions": "s3:ListBucketVersions",
    "ListObjectsV2": "s3:ListBucket",
    "UploadPart": "s3:PutObject",
    "UploadPartCopy": "s3:PutObject",
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

DENIED = (
    "AccessDenied",
    "AccessDeniedException",
    "AllAccessDisabled",
    "AuthorizationError",  # of SNS
    "Forbidden",
    "403",
    "UnauthorizedOperation",
)
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
NO_CODE = ("EOFError", "GetPassWarning")
OF_SERVICES = ("CredentialRetrievalError", "MetadataRetrievalError")
BAD_CONFIG = ("ConfigNotFound", "ConfigParseError", "InfiniteLoopConfigError", "PartialCredentialsError")
UNREACHABLE = ("EndpointConnectionError", "ConnectTimeoutError", "SSLError", "ProxyConnectionError")
CHECK_NETWORK = "look at the network, AWS_ENDPOINT_URL, AWS_REGION and HTTPS_PROXY"
RUN_AGAIN = "run it again"
SIGN_IN = "sign in again (aws sso login{flag}), or export new keys; aws sts get-caller-identity{flag} shows who you are"
SET_KEYS = "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; aws sts get-caller-identity tries them"
CORRECT_CONFIG = "correct it in ~/.aws/config or ~/.aws/credentials; aws sts get-caller-identity{flag} tries it"
EXPORT_KEYS = 'in a terminal: eval "$(aws configure export-credentials{flag} --format env)"; or use another profile'
NAME_BUCKET = "set S3_BUCKET_NAME to the bucket of this environment"
OTHER_OWNER = (
    "for a bucket of another account: S3_BUCKET_NAME=(one of yours), or on purpose S3_BUCKET_OWNER=(its account)"
)
PUSH_PARAMS = "store the params: invoke params.push"
DENIED_ACTION = r"not authorized to perform:? ([\w:*-]+)(?: on (?:the )?resource:? \"?([^\s\"]+))?"
# What the messages of AWS say, behind code or not, and the fix. The policies are those of "Troubleshoot access denied
# error messages" (IAM User Guide).
_CREATE_ROLE = (
    "ECS needs its own role in this account, and a minute after that: "
    "aws iam create-service-linked-role --aws-service-name ecs.amazonaws.com"
)
_ORGANIZATION = (
    "a policy of the organization does not allow it, which only its administrators change; if it demands tags: "
    "deploy.tags, and deploy --shared-tag"
)
_BOUNDARY = "the permissions boundary of that role or user does not allow it: have it extended by who set it"
_RESOURCE = "the policy of that resource (of a bucket, key or queue) denies it: change that policy"
_EXECUTIONS = (
    "it is gone when its executions have ended; to stop them: aws stepfunctions list-executions --status-filter "
    "RUNNING --state-machine-arn ARN, and aws stepfunctions stop-execution --execution-arn ARN for each"
)
_MANAGED_RULE = (
    "wait a minute for the new role; if it fails again, its permissions boundary must allow events:PutRule, "
    "events:PutTargets and events:DescribeRule"
)
_KEY = (
    "see whether the KMS key is enabled and in this region, and whom its policy allows: "
    "aws kms describe-key --key-id KEY"
)
REASONS = (
    (r"service[- ]linked role", _CREATE_ROLE),
    (r"(?:service|resource) control policy", _ORGANIZATION),
    (r"(?:in a|no) permissions boundary", _BOUNDARY),
    (r"session policy", "the policy of this session does not allow it: assume the role without one"),
    (r"VPC endpoint policy", "the policy of the VPC endpoint does not allow it: extend it, or use another network"),
    (r"explicit deny in an? resource-based policy", _RESOURCE),
    (r"with an explicit deny", "a statement denies it, which no other one outweighs: remove that statement"),
    (r"StateMachineDeleting|State ?machine is being deleted", _EXECUTIONS),
    (r"not authorized to create managed-rule", _MANAGED_RULE),
    (
        r"authorized to assume the provided role|must allow .+ to assume the role",
        "wait a minute: a new role is not known everywhere at once",
    ),
    (r"QueueDeletedRecently|wait 60 seconds after deleting", "wait a minute after the deletion of that queue"),
    (
        r"conflicting (?:conditional )?operation|ConcurrentModification|OperationAborted",
        "wait a minute: another operation on it is in progress",
    ),
    (r"KMS\.\w+Exception|KMSInvalidState|InvalidKeyId|customer master key", _KEY),
    (r"KMS key does not exist or is not allowed to be used|key/\S+ is (?:disabled|pending)", _KEY),
    (
        r"rate (?:limit )?exceeded|throttl|too ?many ?requests|request ?limit ?exceeded",
        "wait a minute: it was throttled",
    ),
)


def hint_for_reason(text: str) -> str | None:
    """The fix for a message that AWS gave as the reason; None for an unknown one."""
    return next((hint for pattern, hint in REASONS if re.search(pattern, text, re.IGNORECASE)), None)


def credentials_call(profile: str) -> Call:
    """What the credentials are read with, for errors; `profile` is empty where no variable names one."""
    return Call("AWS", "credentials", {"Profile": profile})


def error_for(error: Exception, call: Call) -> StoreError:
    """A ClientError, BotoCoreError, or what went wrong with credentials, as an error of ours."""
    response = getattr(error, "response", None)
    if isinstance(response, dict) and "Error" in response:
        if "Profile" in call.request:
            return _refused_credentials(error, response["Error"], call)
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
    if request.get("Profile"):
        return f"profile {request['Profile']}"
    if "Bucket" in request:
        key = request.get("Key") or request.get("Prefix") or ""
        return f"s3://{request['Bucket']}/{safe_name(key)}" if key else f"bucket {request['Bucket']}"
    if call.service == "SSM" and (names := _parameter_names(request)):
        return f"parameter {', '.join(names)}"
    if "StackName" in request:
        name = request["StackName"]  # or its ARN, arn:aws:cloudformation:REGION:ACCOUNT:stack/NAME/ID
        return f"stack {name.split('/')[1] if name.startswith('arn:') else name}"
    return f"secret {request['SecretId']}" if "SecretId" in request else call.title


def _parameter_names(request: Mapping[str, Any]) -> list[str]:
    """The parameters of a request; ResourceId is what those for tags call it."""
    name = request.get("Name") or request.get("ResourceId")
    return [name] if name else list(request.get("Names", ()))


def required_permission(call: Call) -> str:
    """The action that must be allowed for a request, and on which resource."""
    arn, request = f"arn:{partition_of(call.region).name}:", call.request
    if call.service == "S3":
        action = S3_PERMISSIONS.get(call.operation, f"s3:{call.operation}")
        if any("VersionId" in one for one in (request, *request.get("Delete", {}).get("Objects", ()))):
            action = action.replace("Object", "ObjectVersion")
        bucket = f"{arn}s3:::{request.get('Bucket', '*')}"
        return f"{action} on {bucket}" if action in OF_BUCKET else f"{action} on {bucket}/{request.get('Key', '*')}"
    action = f"{PREFIXES.get(call.service) or call.service.lower().replace(' ', '')}:{call.operation}"
    place, resource = f"{call.region or '*'}:*", "*"
    if call.service == "SSM":
        names = _parameter_names(request) or ["*"]
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
    hint = hint_for_reason(f"{found} {text}") or RUN_AGAIN
    return StoreError(f"{_subject(call)} answered {status_and_code}{tries}{detail}", hint)


def _rejected(found: str, text: str, call: Call) -> StoreError | None:
    """Credentials, clock, region or content that AWS does not take."""
    place, region = request_subject(call), call.region or "(none)"
    skewed = found in SKEWED or "Signature expired" in text
    table = (
        (found in EXPIRED, f"the credentials have expired ({found}), valid ones expected", SIGN_IN.format(flag="")),
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
    """The permission that is missing: the one that AWS names if that is another than the operation's own."""
    expected, named = required_permission(call), re.search(DENIED_ACTION, text, re.IGNORECASE)
    if named and not expected.startswith(f"{named[1]} "):
        of_key = named[1].startswith("kms:")
        expected = f"{named[1]} on {named[2] or ('the key it is encrypted with' if of_key else '*')}"
    elif not named and "customer master key" in text:
        expected = "kms:Decrypt on the key it is encrypted with"
    message = f"{request_subject(call)}: {found} found, the permission {expected} expected"
    bucket, owner = call.request.get("Bucket"), call.request.get("ExpectedBucketOwner")
    unlisted = f"; s3:ListBucket on {bucket} shows whether it is there" if call.operation == "GetObject" else ""
    tagged = "; s3:PutObjectTagging there too" if call.operation in PUTS else ""
    foreign = f"; {OTHER_OWNER}" if owner else ""
    return StoreError(
        message + (f", and bucket {bucket} to belong to account {owner}" if owner else ""),
        hint_for_reason(text) or f"allow it to the role or user that runs this{unlisted}{tagged}{foreign}",
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


def _refused_credentials(error: Exception, answer: Mapping[str, Any], call: Call) -> StoreError:
    """A role that may not be assumed, or a sign-in that is not taken: an answer of STS or IAM Identity Center."""
    found, text = str(answer.get("Code", "")), str(answer.get("Message", "")).strip()
    operation = getattr(error, "operation_name", "")
    table = (
        ("MultiFactorAuthentication" in text, "type the code that the MFA device shows, each code once"),
        (found in (*EXPIRED, *REJECTED_CREDENTIALS, "UnauthorizedException"), SIGN_IN),
        (found in DENIED, f"allow sts:{operation} on the role to its source_profile, also in the role's trust policy"),
        (found in THROTTLED or http_status(error) >= 500, RUN_AGAIN),  # noqa: PLR2004  # errors of the server
        (True, CORRECT_CONFIG),
    )
    hint = next(hint for applies, hint in table if applies)
    message = f"{request_subject(call)}: {operation} answered {found} ({text})"
    return StoreError(message, hint.format(flag=_profile_flag(call)))


def _unanswered(error: Exception, call: Call) -> StoreError:
    """What kept a request from being sent or answered, by the name of the exception, of botocore's as a rule."""
    place, name, found = request_subject(call), type(error).__name__, " ".join(str(error).split())
    if name == "NoRegionError":
        return region_missing()
    is_config = name in BAD_CONFIG or name.startswith("Invalid") or "Profile" in call.request
    is_service = name in OF_SERVICES and "custom-process" not in found  # that is credential_process
    table = (
        (name == "NoCredentialsError", f"{place}: no credentials found ({found})", SET_KEYS),
        (name == "ProfileNotFound", f"AWS_PROFILE: {found}", "see which there are: aws configure list-profiles"),
        (name in NO_CODE, f"{place}: an MFA code is required (mfa_serial), and no terminal gave one", EXPORT_KEYS),
        (name == "RefreshWithMFAUnsupportedError", f"{place}: {found}", f"{RUN_AGAIN}, and type a new code"),
        (name == "MissingDependencyException", f"{place}: {found}", "install it: uv pip install 'botocore[crt]'"),
        (name.startswith("Login"), f"{place}: the sign-in is missing or has expired ({found})", "aws login{flag}"),
        ("SSO" in name or "Token" in name, f"{place}: the sign-in is missing or has expired ({found})", SIGN_IN),
        (is_service, f"{place}: {found}", RUN_AGAIN),
        (name in UNREACHABLE, f"{_subject(call)} got no connection ({found})", CHECK_NETWORK),
        (name == "ParamValidationError", f"{place}: {found}", NAME_BUCKET if "Bucket" in call.request else None),
        ("Partial credentials found in env" in found, f"{place}: {found}", "set it too, or unset AWS_ACCESS_KEY_ID"),
        (name == "InvalidRegionError", f"AWS region: {found}", "for example: export AWS_REGION=eu-central-1"),
        (name == "ValueError" and "endpoint" in found, f"AWS_ENDPOINT_URL: {found}", CHECK_NETWORK),
        (is_config, f"{place}: {found} ({name})", CORRECT_CONFIG),
        (True, f"{_subject(call)} got no whole answer ({found})", RUN_AGAIN),
    )
    message, hint = next((message, hint) for applies, message, hint in table if applies)
    return StoreError(message, hint and hint.format(flag=_profile_flag(call)))


def _profile_flag(call: Call) -> str:
    """The option of the AWS CLI for the profile of a call for credentials."""
    from shlex import quote

    name = call.request.get("Profile")
    return f" --profile {quote(name)}" if name else ""


def boto3_missing(error: ImportError) -> StoreError:
    """An image made for runs without AWS, or a Python without our dependency."""
    message = f"{error.name}: not installed for {sys.executable}, expected for the store in AWS"
    return StoreError(message, "in project.yml: image: {store: aws}, then: invoke build; elsewhere: pip install boto3")


def region_missing() -> StoreError:
    """Neither the environment nor the profile names one."""
    return StoreError("no AWS region configured", "export AWS_REGION=eu-central-1, or choose a profile")
