"""The sample with a bookmark, with its store in AWS: here, and in a container as a task on AWS would run it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from doubles.checkout import Checkout
    from doubles.containers import Engine
    from doubles.moto_bucket import MotoBucket

pytestmark = pytest.mark.network

STACK = "handoff-dev-elements"
PASSED = (
    "AWS_ENDPOINT_URL",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_REGION",
    "STACK_NAME",
    "S3_BUCKET_NAME",
)


@pytest.fixture
def env(moto_bucket: MotoBucket) -> dict[str, str]:
    """The store of this test, under the stack name that follows from the project."""
    return {**moto_bucket.environ, "STACK_NAME": STACK}


@pytest.fixture
def pushed(checkout: Checkout, env: Mapping[str, str]) -> Path:
    """The sample, installed, its params in AWS."""
    directory = checkout.sample("elements")
    for task in ("install", "params.push"):
        result = checkout.invoke(task, "--project", "elements", env=env)
        assert result.exit == 0, result.stderr
    return directory


def records(moto_bucket: MotoBucket) -> list[Any]:
    """The records of all runs in AWS, the first first."""
    listed = moto_bucket.boto("s3").list_objects_v2(Bucket=moto_bucket.bucket, Prefix=f"{STACK}/runs/")["Contents"]
    found = [item["Key"] for item in listed if item["Key"].count("/") == 3]
    read = [moto_bucket.boto("s3").get_object(Bucket=moto_bucket.bucket, Key=key)["Body"].read() for key in found]
    return sorted(map(json.loads, read), key=lambda record: str(record["started_at"]))


def counted(moto_bucket: MotoBucket) -> list[tuple[str, bool, bool]]:
    """Of each run: its outcome, whether records went to the target, whether it found a state."""
    return [
        (record["outcome"], record["stages"][-1]["rows_in"] > 100, record["state"]["before"] is not None)
        for record in records(moto_bucket)
    ]


def test_a_second_run_sends_nothing_again(
    checkout: Checkout, moto_bucket: MotoBucket, env: Mapping[str, str], pushed: Path
) -> None:
    for _ in range(2):
        result = checkout.invoke("run-local", "--remote", "--project", "elements", env=env)
        assert result.exit == 0, result.stderr
    assert counted(moto_bucket) == [("succeeded", True, False), ("succeeded", False, True)]
    assert not (pushed / ".artifacts").exists()


def test_a_container_runs_with_the_store_as_on_aws(
    checkout: Checkout, moto_bucket: MotoBucket, env: Mapping[str, str], pushed: Path, docker: Engine
) -> None:
    """Nothing is mounted, nothing but the environment is given; what it leaves is in S3."""
    assert pushed.is_dir()
    built = checkout.invoke("build", "--project", "elements", env={**env, **docker.env})
    assert built.exit == 0, built.stderr
    image = re.split(r"\s", built.stdout)[0]
    given = [word for name in PASSED for word in ("--env", f"{name}={env[name]}")]
    for _ in range(2):
        said = docker.run("run", "--rm", "--network", "host", "--read-only", "--memory", "256m", *given, image)
        assert said.exit == 0, said.stderr
    assert counted(moto_bucket) == [("succeeded", True, False), ("succeeded", False, True)]


def test_the_store_stands_apart_from_other_sources(checkout: Checkout, env: Mapping[str, str]) -> None:
    checkout.project("plain", "commands:\n  - command: date\n")
    for other in ("--container", "--params=p.json"):
        result = checkout.invoke("run-local", "--project", "plain", "--remote", other, env=env)
        name = other.partition("=")[0]
        assert (result.exit, result.stderr) == (
            2,
            f"error: --remote and {name} exclude each other\nhint: leave out {name}\n",
        )
