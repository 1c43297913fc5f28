"""moto: one server for all tests of a process, and a bucket with versions for each test."""

from __future__ import annotations

import os
import threading
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto.s3.responses import S3Response
from moto.server import ThreadedMotoServer
from moto.ssm.models import SimpleSystemManagerBackend

from doubles.fault_proxy import Proxy
from handoff_runtime.aws import session
from handoff_runtime.aws.transfer import Place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from handoff_runtime.aws.session import Session

REGION = "eu-central-1"
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": REGION,
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    "AWS_EC2_METADATA_DISABLED": "true",
}
HURRIED = {"HANDOFF_TEST_SPEED": "10"}
"""For a task that would wait between two looks at AWS, or two tries: nobody waits in a test for what needs no time."""


@dataclass(frozen=True)
class MotoBucket:
    """A bucket and a stack of one test, boto3's own session of the server, and what our session said."""

    endpoint: str
    bucket: str
    monkeypatch: pytest.MonkeyPatch
    stack: str = "handoff-test-sample"
    said: list[str] = field(default_factory=list)
    made: list[Any] = field(default_factory=list, repr=False)
    botos: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def environ(self) -> dict[str, str]:
        """For a process that is to use this store."""
        names = {"STACK_NAME": self.stack, "S3_BUCKET_NAME": self.bucket, "AWS_ENDPOINT_URL": self.endpoint}
        return {**ENVIRONMENT, **names}

    def boto(self, service: str) -> Any:
        """A client of boto3, straight to the server."""
        if service not in self.botos:
            self.botos[service] = boto3.client(
                service,
                endpoint_url=self.endpoint,
                region_name=REGION,
                aws_access_key_id="test",
                aws_secret_access_key="test",  # noqa: S106  # moto takes any
            )
        return self.botos[service]

    def session(self, proxy: Proxy | None = None, **effects: Any) -> Session:
        """Clients of ours, through a proxy if one is given; waits are short."""
        self.monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url if proxy else self.endpoint)
        made = session.connect(os.environ, self.said.append, **{"pause": lambda _: None, **effects})
        made.client("s3")  # which reads the address now; the others do when they are asked for
        self.made.append(made)
        return made

    def place(self, prefix: str) -> Place:
        """A place in the bucket."""
        return Place(self.bucket, prefix)

    def put(self, key: str, content: bytes, **more: Any) -> str:
        """An object somebody else stored; its ETag."""
        return str(self.boto("s3").put_object(Bucket=self.bucket, Key=key, Body=content, **more)["ETag"])

    def get(self, key: str) -> bytes:
        """What is stored."""
        return bytes(self.boto("s3").get_object(Bucket=self.bucket, Key=key)["Body"].read())

    def keys(self) -> list[str]:
        """Every key."""
        found = self.boto("s3").list_objects_v2(Bucket=self.bucket)
        return [one["Key"] for one in found.get("Contents", ())]


@pytest.fixture(scope="session")
def aws() -> Iterator[str]:
    """The address of a server that plays AWS."""
    with serve_moto() as address:
        yield address


@contextmanager
def serve_moto() -> Iterator[str]:
    """A moto, its address; all of one process know the same.

    S3 compares and swaps in one step, and SSM numbers each version. moto looks first and puts then, so that on a busy
    machine two conditional puts of two threads could both succeed, and two versions have one number: here one waits
    for the other.
    """

    def one_at_a_time(put: Callable[..., Any]) -> Callable[..., Any]:
        lock = threading.Lock()

        def locked(*given: Any, **named: Any) -> Any:
            with lock:
                return put(*given, **named)

        return locked

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    with pytest.MonkeyPatch.context() as patch:
        for kind, name in ((S3Response, "put_object"), (SimpleSystemManagerBackend, "put_parameter")):
            patch.setattr(kind, name, one_at_a_time(getattr(kind, name)))
        server.start()
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
        server.stop()


@pytest.fixture
def moto_bucket(aws: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[MotoBucket]:
    """A bucket with versions, in an account nobody else uses at the time."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    made = MotoBucket(aws, f"bucket-{uuid.uuid4().hex[:12]}", monkeypatch, f"handoff-test-{uuid.uuid4().hex[:8]}")
    s3 = made.boto("s3")
    s3.create_bucket(Bucket=made.bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_bucket_versioning(Bucket=made.bucket, VersioningConfiguration={"Status": "Enabled"})
    yield made
    for client in (*made.made, *made.botos.values()):
        client.close()


@pytest.fixture
def proxy(moto_bucket: MotoBucket) -> Iterator[Proxy]:
    """Between our session and the server, and at first without faults."""
    with Proxy.to(moto_bucket.endpoint) as started:
        yield started
