"""LocalStack: one server for all tests of a process, and an account for each test."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from doubles.containers import find_docker, free_port
from doubles.fargate import Fargate
from doubles.fargate_life import Life
from doubles.iam_proxy import serve_iam_proxy
from doubles.moto_bucket import ENVIRONMENT, HURRIED, REGION, serve_moto
from doubles.moto_proxy import serve_moto_proxy
from doubles.runtime_project import until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

HERE = Path(__file__).parent
SETTINGS = {
    "SKIP_SSL_CERT_DOWNLOAD": "1",
    "DISABLE_EVENTS": "1",
    "DNS_ADDRESS": "0",
}
START = 60.0


@dataclass(frozen=True)
class AwsAccount:
    """An account of LocalStack that nobody else uses: whoever signs with its number as key id is in it."""

    endpoint: str
    account: str
    botos: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def environ(self) -> dict[str, str]:
        """For a process that is to use this account."""
        return {**ENVIRONMENT, "AWS_ACCESS_KEY_ID": self.account, "AWS_ENDPOINT_URL": self.endpoint, **HURRIED}

    def boto(self, service: str) -> Any:
        """A client of boto3."""
        if service not in self.botos:
            self.botos[service] = boto3.client(
                service,
                endpoint_url=self.endpoint,
                region_name=REGION,
                aws_access_key_id=self.account,
                aws_secret_access_key="test",  # noqa: S106  # LocalStack takes any
            )
        return self.botos[service]

    def close(self) -> None:
        """Close the clients that were made."""
        for client in self.botos.values():
            client.close()


@pytest.fixture(scope="session")
def fargate() -> Iterator[Fargate]:
    """ECS and ECR of moto, and the double of Fargate; it runs tasks where there is a docker."""
    found = find_docker()
    with serve_moto() as moto, serve_moto_proxy(moto) as moto_proxy:
        life = Life(moto_proxy, None if isinstance(found, str) else found)
        made = Fargate(moto_proxy, life)
        made.register()
        with serve_iam_proxy(made.allowed) as iam_proxy:
            life.iam_proxy = iam_proxy
            yield made
            made.close()


@pytest.fixture(scope="session")
def localstack(fargate: Fargate, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a LocalStack that has ECS and ECR as well; it is ended with the tests."""
    python = there(find_localstack())
    settings = {"HANDOFF_FRONT": fargate.moto_proxy.url}
    with serve_localstack(python, tmp_path_factory.mktemp("localstack") / "log", settings) as endpoint:
        fargate.life.lead(endpoint)
        yield endpoint


@pytest.fixture
def aws_account(localstack: str) -> Iterator[AwsAccount]:
    """An account that nobody else uses."""
    made = AwsAccount(localstack, new_account())
    yield made
    made.close()


def new_account() -> str:
    """The number of an account that nobody uses."""
    return str(secrets.randbelow(9 * 10**11) + 10**11)


def find_localstack() -> Path | str:
    """The Python that runs LocalStack, or in plain words why there is none."""
    named = os.environ.get("HANDOFF_LOCALSTACK")
    state = os.environ.get("HANDOFF_AWS") or f"{tempfile.gettempdir()}/handoff-aws"
    python = Path(named or f"{state}/venv/bin/python")
    return python if os.access(python, os.X_OK) else f"there is no LocalStack at {python}: run .ci/aws"


def there(found: Path | str) -> Path:
    """A program; where there is only a reason, the test is skipped for it."""
    if isinstance(found, str):
        pytest.skip(found)
    return found


@contextmanager
def serve_localstack(python: Path, log: Path, settings: Mapping[str, str]) -> Iterator[str]:
    """A LocalStack with a directory of its own, its address."""
    directory = Path(tempfile.mkdtemp(prefix="localstack-"))
    address = f"127.0.0.1:{free_port()}"
    environ = {**_bare(), **SETTINGS, "GATEWAY_LISTEN": address, "FILESYSTEM_ROOT": str(directory), **settings}
    with log.open("wb") as written:
        process = subprocess.Popen(
            [*with_us(), python, HERE / "localstack_ecs"],
            cwd=directory,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=written,
            start_new_session=True,
        )
        try:
            until(lambda: _answers(address) or process.poll() is not None, "LocalStack", START)
            assert process.poll() is None, log.read_text()
            yield f"http://{address}"
        finally:
            _end(process)
            shutil.rmtree(directory, ignore_errors=True)


def with_us() -> list[str]:
    """Words before a command that shall end when we are killed."""
    return ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []


def _end(process: subprocess.Popen[bytes]) -> None:
    """Nothing that a test left there is worth an orderly end; what it started is in its group."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _bare() -> dict[str, str]:
    """Our environment without what would lead LocalStack to another AWS, or Python to our modules."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHON", "VIRTUAL_ENV"))}


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{address}/_localstack/health", timeout=5) as said:
            return "services" in json.load(said)
    except OSError:
        return False
