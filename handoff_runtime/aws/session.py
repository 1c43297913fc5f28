"""The clients of AWS, made when they are needed, from the environment as boto3 reads it.

S3_BUCKET_OWNER is the account that the bucket must belong to: a deleted bucket's name can be taken by anybody.
AWS_PROFILE, SSO, AWS_ENDPOINT_URL and AWS_ENDPOINT_URL_<SERVICE>, AWS_CA_BUNDLE, HTTPS_PROXY and the files in
~/.aws mean what they mean to boto3; AWS_REGION, which boto3 does not read, goes before AWS_DEFAULT_REGION.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping

from handoff_runtime.annotations import Any
from handoff_runtime.aws import errors, retry
from handoff_runtime.aws.errors import Call
from handoff_runtime.aws.retry import RetryHooks
from handoff_runtime.errors import StoreError
from handoff_runtime.retention import PUTS, Keep, object_tag

CONNECT_TIMEOUT, READ_TIMEOUT = 5, 30
CONNECTIONS = 32
READ_OPERATIONS, NOT_FOUND_CODES = ("get_object", "head_object"), ("NoSuchKey", "404")
S3, SSM, SECRETS, STS = "s3", "ssm", "secretsmanager", "sts"
OWNER_VARIABLE = "S3_BUCKET_OWNER"
PROFILE_VARIABLES = ("AWS_DEFAULT_PROFILE", "AWS_PROFILE")
"""In the order in which botocore reads them."""


class Identity:
    """What the clients of one session share: locks, the account of the credentials, the owner of buckets, retention.

    `owner` is an account, empty for any, or None for the account of the credentials; `profile` that of a variable.
    `keep` is that of stacks.
    """

    def __init__(self, owner: str | None, profile: str = "") -> None:
        import threading

        self.client_lock, self.account_lock = threading.Lock(), threading.Lock()
        self.owner, self.account, self.arn, self.profile = owner, "", "", profile
        self.keep: dict[str, Keep] = {}


class Session:
    """Clients of boto3, created on demand, and one way to call them: with retries, and errors as StoreError."""

    def __init__(self, session: Any, region: str, effects: RetryHooks, identity: Identity | None = None) -> None:
        self._session, self.region, self.effects = session, region, effects
        self._clients: dict[str, Any] = {}
        self._pace = retry.Pace(effects)
        self._identity = identity or Identity("")

    def with_options(self, **effects: Any) -> Session:
        """A session with other pauses, checks or patience; descriptions of the services are loaded once for both."""
        return Session(self._session, self.region, self.effects._replace(**effects), self._identity)

    def client(self, service: str) -> Any:
        """The client of a service (`s3`, `ssm`, `secretsmanager`, ...)."""
        from botocore.exceptions import BotoCoreError

        with self._identity.client_lock:  # a session makes one at a time
            if service in self._clients:
                return self._clients[service]
            self._refresh_credentials()
            try:
                client = self._session.client(service, region_name=self.region, config=_config())
            except (BotoCoreError, ValueError) as error:  # ValueError: an endpoint that is no address
                raise errors.error_for(error, Call(service, "client", {}, self.region)) from None
            retry.attach(client, self.effects, self._pace)
            if service == S3:
                client.meta.events.register("before-call.s3.GetObject", _request_checksum)
                client.meta.events.register("provide-client-params.s3", self._complete)
            self._clients[service] = client
        return client

    def _refresh_credentials(self) -> None:
        """Read the credentials, and fetch those that are not there yet or expire soon.

        Within a call an error of theirs would be taken for an answer to the call: the role's STS answers too.
        """
        call = errors.credentials_call(self._identity.profile)
        try:
            credentials = self._session.get_credentials()
            if credentials is not None:
                credentials.get_frozen_credentials()
        except Exception as error:  # noqa: BLE001  # a program, a file or a prompt of the user's fails in any way
            raise _store_error(error, call) from None
        if credentials is None:
            from botocore.exceptions import NoCredentialsError

            raise errors.error_for(NoCredentialsError(), call)

    def close(self) -> None:
        """Close their connections."""
        for client in self._clients.values():
            client.close()

    def account(self) -> str:
        """The account of the credentials, twelve digits; STS is called once."""
        with self._identity.account_lock:
            if not self._identity.account:
                identity = self.call(STS, "get_caller_identity")
                self._identity.arn, self._identity.account = str(identity["Arn"]), str(identity["Account"])
        return self._identity.account

    def caller(self) -> str:
        """Who the credentials are, by the last part of the ARN: a user, or the session of a role."""
        self.account()
        return self._identity.arn.rpartition(":")[2].rpartition("/")[2]

    def bucket_owner(self) -> str:
        """The account that S3 is to expect of every bucket; empty for any."""
        return self.account() if self._identity.owner is None else self._identity.owner

    def set_keep(self, stack: str, keep: Keep | None) -> None:
        """How long what is stored for a stack from here on is kept; None is the default, as for stacks never set."""
        self._identity.keep[stack] = keep or Keep()

    def call(self, service: str, operation: str, *, allow: Collection[str] = (), **request: Any) -> Any:
        """Call an operation by the name of boto3's method; StoreError when it stays refused.

        None where AWS answers with one of the codes or statuses in `allow`.
        """
        return self._call(service, operation, allow, request)

    def pages(self, service: str, operation: str, *, allow: Collection[str] = (), **request: Any) -> Iterator[Any]:
        """The pages of a listing, each called for when it is read; none where AWS answers with one of `allow`."""
        pages = iter(self.client(service).get_paginator(operation).paginate(**request))
        while (page := self._call(service, operation, allow, request, lambda **_: next(pages, None))) is not None:
            yield page

    def read(self, bucket: str, key: str) -> tuple[bytes, Any] | None:
        """A small object and the answer it came with, fetched again when it is cut; None where there is none."""
        from botocore.exceptions import BotoCoreError

        request = {"Bucket": bucket, "Key": key}
        for attempt in range(1, retry.ATTEMPTS + 1):
            answer = self.call(S3, "get_object", allow=("NoSuchKey",), **request)
            if answer is None:
                return None
            try:
                return answer["Body"].read(), answer
            except BotoCoreError as error:
                wait, failure = retry.delay(attempt), error
                self.effects.say(f"S3 GetObject: {type(error).__name__}; attempt {attempt + 1} in {wait:.1f} s")
                self.effects.pause(wait)
            finally:
                answer["Body"].close()
        raise errors.error_for(failure, Call("S3", "GetObject", request, self.region))

    def _call(
        self,
        service: str,
        operation: str,
        codes: Collection[str],
        request: Mapping[str, Any],
        method: Callable[..., Any] | None = None,
    ) -> Any | None:
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.parsers import ResponseParserError

        client = self.client(service)
        self._pace.wait()
        self._refresh_credentials()
        try:
            return (method or getattr(client, operation))(**request)
        except ClientError as error:
            if errors.error_code(error) in codes or str(errors.http_status(error)) in codes:
                return None
            if operation in READ_OPERATIONS and set(NOT_FOUND_CODES) & set(codes) and self._is_absent(error, request):
                return None
            raise _store_error(error, self._describe_call(client, operation, request)) from None
        except (BotoCoreError, ResponseParserError) as error:  # the latter: an error page of something between
            raise _store_error(error, self._describe_call(client, operation, request)) from None

    def _is_absent(self, error: Exception, request: Mapping[str, Any]) -> bool:
        """Whether a key that may not be read is not there: S3 says so only to who may list the whole bucket.

        A task's role may list below its own prefix, which is no part of a request for one key:
        https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
        """
        if errors.error_code(error) not in errors.DENIED:
            return False
        key, listing = request["Key"], {"Bucket": request["Bucket"], "Prefix": request["Key"], "MaxKeys": 1}
        try:
            listed = self.call(S3, "list_objects_v2", **listing).get("Contents", ())
        except StoreError:  # listing is refused too: the first error counts
            return False
        return not listed or bool(listed[0]["Key"] != key)

    def _describe_call(self, client: Any, operation: str, request: Mapping[str, Any]) -> Call:
        meta = client.meta
        name = meta.method_to_api_mapping.get(operation, operation)
        if "Bucket" in request:
            request = {"ExpectedBucketOwner": self.bucket_owner(), **request}
        return Call(meta.service_model.service_id, name, request, meta.region_name or self.region)

    def _complete(self, params: Mapping[str, Any], model: Any, **_event: Any) -> Mapping[str, Any] | None:
        """Have S3 refuse a bucket of another account, in every operation that can, and tag every object for retention.

        What the caller gave stays.
        """
        taken = model.input_shape.members if model.input_shape else ()
        owner_of = {"ExpectedBucketOwner": "Bucket", "ExpectedSourceBucketOwner": "CopySource"}
        missing = [name for name, of in owner_of.items() if name in taken and of in params and name not in params]
        owner = self.bucket_owner() if missing else ""
        more = dict.fromkeys(missing, owner) if owner else {}
        if model.name in PUTS:
            key = str(params.get("Key", ""))
            keep = self._identity.keep.get(key.partition("/")[0], Keep())
            if tag := object_tag(key, keep):
                more["Tagging"] = "=".join(tag)
                if model.name == "CopyObject":
                    more["TaggingDirective"] = "REPLACE"
        return {**more, **params} if more else None


def _store_error(error: Exception, call: Call) -> StoreError:
    """The error of a call, with whether it may pass."""
    found = errors.error_for(error, call)
    found.passing = retry.is_transient(error)
    return found


def _request_checksum(params: Any, **_event: Any) -> None:
    """Have S3 tell its checksum; as a parameter it would make botocore count it too."""
    params["headers"]["x-amz-checksum-mode"] = "ENABLED"


def connect(
    environ: Mapping[str, str], say: Callable[[str], None], *, owner: str | None = "", **effects: Any
) -> Session:
    """Clients for the region and credentials of the environment; `effects` has the pause, check and patience.

    `owner` is that of buckets (see Identity) where S3_BUCKET_OWNER is not set.
    """
    import threading

    try:
        import boto3
        from botocore.exceptions import BotoCoreError
    except ImportError as error:
        raise errors.boto3_missing(error) from None
    _quiet_credentials()
    profile = next(filter(None, map(environ.get, PROFILE_VARIABLES)), "")
    named = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or None
    try:
        session = boto3.session.Session(region_name=named)  # in which a role is assumed, too
        region = session.region_name
    except BotoCoreError as error:
        raise errors.error_for(error, errors.credentials_call(profile)) from None
    if not region:
        raise errors.region_missing()
    if profile and environ.get("AWS_ACCESS_KEY_ID"):
        of_profile = "" if named else f"; the region, {region}, is that of the profile"
        say(f"note: AWS_ACCESS_KEY_ID is set, so its keys are used, not those of profile {profile}{of_profile}")
    lock = threading.Lock()

    def say_one_at_a_time(line: str) -> None:
        with lock:  # several threads make calls
            say(line)

    identity = Identity(environ.get(OWNER_VARIABLE) or owner, profile)
    return Session(session, region, RetryHooks(say_one_at_a_time, **effects), identity)


def _quiet_credentials() -> None:
    """Leave it to our errors to say what is wrong with credentials, and read no code of an MFA device from a pipe."""
    import logging
    import warnings
    from getpass import GetPassWarning

    logging.getLogger("botocore.credentials").setLevel(logging.CRITICAL)  # it logs tracebacks of what it raises
    warnings.simplefilter("error", GetPassWarning)  # which comes before standard input is read without a terminal


def _config() -> Any:
    """Tries are counted by `retry`; bodies are checked by `transfer`, which can also go on after a cut."""
    from botocore.config import Config

    return Config(
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=READ_TIMEOUT,
        max_pool_connections=CONNECTIONS,
        tcp_keepalive=True,
        retries={"mode": "standard", "total_max_attempts": 1},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        user_agent_extra="handoff",
    )
