"""Deployments and removals that are killed at some moment, and begun again: at the end all is as it should be."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from handoff_kit import resource_names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from estate import Estate

pytestmark = pytest.mark.network

SHARES = (1, 0.7, 0.5)  # of the time a deployment takes, in which it is killed; less is left each time
SEED = 20260301
# an image that is made and pushed like any, in little time; nobody runs it
DOCKERFILE = """\
FROM scratch
COPY project/ /app/
ARG CONTEXT
LABEL handoff.project={{ project | tojson }} handoff.version={{ version | tojson }} handoff.context="$CONTEXT"
ENTRYPOINT ["/app/nothing"]
"""
PROJECT = "commands: [{command: echo}]\nschedules: [{name: daily, rate: 1 day}]\ndeploy: {memory: 512}\n"


@pytest.fixture(scope="module")
def small(bare: Estate) -> Iterator[Estate]:
    """An estate whose image is a few files: a MB of it is like no other."""
    project(bare)
    with bare.hurried():
        yield bare


def project(estate: Estate) -> None:
    noise = random.Random(estate.account.number).randbytes(1 << 20)  # no secret
    files: dict[str, str | bytes] = {"Dockerfile.j2": DOCKERFILE, "files/turn": "1\n", "noise": noise}
    estate.team.project(estate.name, PROJECT, files)


def killed(estate: Estate, *words: str, after: float, number: signal.Signals) -> bool:
    """Start a task, and end it after so many seconds; whether it had not ended by itself."""
    process = estate.team.start(
        *words, "--project", estate.name, "--yes", env=estate.environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    with process:
        try:
            process.wait(after)
        except subprocess.TimeoutExpired:
            process.send_signal(number)
        assert process.stderr
        said = process.stderr.read().decode()
    assert "Traceback" not in said, said
    assert process.returncode in (0, -number, 128 + number) or not said, said
    return process.returncode != 0


def timed(estate: Estate, task: str, *words: str) -> float:
    """How long a task takes that nobody interrupts."""
    began = time.monotonic()
    estate.must(task, *words)
    return time.monotonic() - began


def deployed(environment: str) -> dict[str, str]:
    stack = resource_names.stack("shop", environment)
    return dict.fromkeys((resource_names.shared(environment), stack, resource_names.registry(stack)), "CREATE_COMPLETE")


def of(estate: Estate, environment: str) -> dict[str, str]:
    """The stacks of an environment."""
    start = resource_names.shared(environment)
    return {name: status for name, status in estate.account.stacks().items() if f"{name}-".startswith(f"{start}-")}


def check(estate: Estate, environment: str) -> None:
    """All of a project is there as it lies here, and nothing besides."""
    stack = resource_names.stack("shop", environment)
    assert of(estate, environment) == deployed(environment)
    assert estate.leftovers() == {}
    (digest,) = estate.account.images(resource_names.repository(stack)).values()
    assert estate.account.outputs(stack)["Image"].endswith(f"@{digest}")
    bucket = resource_names.bucket(environment, estate.account.number, "eu-central-1")
    assert estate.account.objects(bucket, f"{stack}/") == {".env/files/turn": b"1\n"}
    assert estate.account.boto("ssm").get_parameter(Name=f"{stack}__params")["Parameter"]["Version"] == 1
    again = estate.must("deploy").stderr.splitlines()
    assert again[-2] == "no changes: the deployment is up to date"


def test_a_deployment_that_is_killed_is_begun_again(small: Estate) -> None:
    """At moments all over it, from nothing and in between; each time the next one begins where that had come to."""
    chance = random.Random(SEED)  # no secret
    small.words["HANDOFF_ENVIRONMENT"] = "k0"
    whole = timed(small, "deploy")
    check(small, "k0")
    kills = 0
    for environment in [f"k{number}" for number in range(1, 6)]:
        small.words["HANDOFF_ENVIRONMENT"] = environment
        for share in SHARES:
            number = chance.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
            kills += killed(small, "deploy", after=chance.uniform(0.5, share * whole), number=number)
        small.must("deploy")
        check(small, environment)
    assert kills > len(SHARES)


def test_a_removal_that_is_killed_is_begun_again(small: Estate) -> None:
    chance = random.Random(SEED)  # no secret
    small.words["HANDOFF_ENVIRONMENT"] = "k0"
    small.must("schedule")
    whole = timed(small, "destroy", "--data")
    assert set(of(small, "k0")) == {"handoff-k0"}
    kills = 0
    for environment in ("k1", "k2"):
        small.words["HANDOFF_ENVIRONMENT"] = environment
        small.must("schedule")
        for _ in range(4):
            kills += killed(small, "destroy", "--data", after=chance.uniform(0.4, whole), number=signal.SIGKILL)
        small.must("destroy", "--data")
        assert of(small, environment) == {f"handoff-{environment}": "CREATE_COMPLETE"}
        bucket = resource_names.bucket(environment, small.account.number, "eu-central-1")
        assert small.account.boto("s3").list_object_versions(Bucket=bucket).get("Versions", []) == []
    assert kills > 0
    there = [each["repositoryName"] for each in small.account.boto("ecr").describe_repositories()["repositories"]]
    assert sorted(there) == [resource_names.stack("shop", environment) for environment in ("k3", "k4", "k5")]
