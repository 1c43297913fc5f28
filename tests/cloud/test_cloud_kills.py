"""Deployments and removals that are killed at some moment, and begun again: at the end all is as it should be."""

from __future__ import annotations

import logging
import random
import signal
import subprocess
import threading
from typing import TYPE_CHECKING

import pytest

from handoff_kit import resource_names

if TYPE_CHECKING:
    from doubles.deployed_project import DeployedProject

pytestmark = [pytest.mark.network, pytest.mark.takes(140)]

SHARES = (0.9, 0.7, 0.5)  # of the requests of a whole deployment, during which it is killed; fewer are left each time
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
def small(empty_account: DeployedProject) -> DeployedProject:
    """A deployed project whose image is a few files: a MB of it is like no other."""
    project(empty_account)
    return empty_account


def project(deployed_project: DeployedProject) -> None:
    noise = random.Random(deployed_project.account.number).randbytes(1 << 20)  # no secret
    files: dict[str, str | bytes] = {"Dockerfile.j2": DOCKERFILE, "files/turn": "1\n", "noise": noise}
    deployed_project.checkout.project(deployed_project.name, PROJECT, files)


def killed(deployed_project: DeployedProject, *words: str, at: int, number: signal.Signals, after: float = 0.0) -> bool:
    """Start a task and signal it when its `at`-th request arrives, or so many seconds later; whether it was still there."""
    process = deployed_project.checkout.start(
        *words,
        "--project",
        deployed_project.name,
        "--yes",
        env=deployed_project.environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )

    def strike() -> None:
        if after:
            threading.Timer(after, process.send_signal, [number]).start()
        else:
            process.send_signal(number)

    fault = deployed_project.proxy.fault("pass", every=at, times=1, then=strike)
    with process:
        assert process.stderr
        said = process.stderr.read().decode()
    deployed_project.proxy.faults.remove(fault)
    assert "Traceback" not in said, said
    assert process.returncode in (0, -number, 128 + number) or not said, said
    return process.returncode != 0


def requests(deployed_project: DeployedProject, task: str, *words: str) -> int:
    """How many requests a task sends that nobody interrupts, without those it repeats to see how far AWS is."""
    with deployed_project.recorded() as calls:
        deployed_project.must(task, *words)
    return len(set(calls))


def deployed(environment: str) -> dict[str, str]:
    stack = resource_names.stack_name("shop", environment)
    return dict.fromkeys(
        (resource_names.shared_stack(environment), stack, resource_names.registry_stack(stack)), "CREATE_COMPLETE"
    )


def of(deployed_project: DeployedProject, environment: str) -> dict[str, str]:
    """The stacks of an environment."""
    start = resource_names.shared_stack(environment)
    return {
        name: status for name, status in deployed_project.account.stacks().items() if f"{name}-".startswith(f"{start}-")
    }


def check(deployed_project: DeployedProject, environment: str) -> None:
    """All of a project is there as it lies here, and nothing besides."""
    stack = resource_names.stack_name("shop", environment)
    assert of(deployed_project, environment) == deployed(environment)
    assert deployed_project.leftovers() == {}
    (digest,) = deployed_project.account.images(resource_names.repository(stack)).values()
    assert deployed_project.account.outputs(stack)["Image"].endswith(f"@{digest}")
    bucket = resource_names.bucket(environment, deployed_project.account.number, "eu-central-1")
    stored = deployed_project.account.objects(bucket, f"{stack}/")
    stored.pop("deployments.jsonl", None)  # it is missing where the last step was done, and then the end came
    assert stored == {".env/files/turn": b"1\n"}
    assert deployed_project.account.boto("ssm").get_parameter(Name=f"{stack}__params")["Parameter"]["Version"] == 1
    again = deployed_project.must("deploy").stderr.splitlines()
    assert again[-2] == "no changes: the deployment is up to date"


def test_a_deployment_that_is_killed_is_begun_again(small: DeployedProject) -> None:
    """At requests all over it, from nothing and in between; each time the next one begins where that had come to.

    What begins from nothing sends all of its requests. A later one may end before its moment; and docker sends none,
    so that it is hit between two requests.
    """
    chance = random.Random(SEED)  # no secret
    small.words["HANDOFF_ENVIRONMENT"] = "k0"
    whole = requests(small, "deploy")
    check(small, "k0")
    kills = 0
    for environment in ("k1", "k2", "k3"):
        small.words["HANDOFF_ENVIRONMENT"] = environment
        for share in SHARES:
            number = chance.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
            after = 0 if share == SHARES[0] else chance.choice([0, 0.1, 0.5])
            kills += killed(small, "deploy", at=chance.randint(1, int(share * whole)), number=number, after=after)
        small.must("deploy")
        check(small, environment)
    assert kills >= 3


def test_a_removal_that_is_killed_is_begun_again(small: DeployedProject) -> None:
    chance = random.Random(SEED)  # no secret
    small.words["HANDOFF_ENVIRONMENT"] = "k0"
    small.must("schedule")
    whole = requests(small, "destroy", "--data")
    assert set(of(small, "k0")) == {"handoff-k0"}
    kills = 0
    for environment in ("k1", "k2"):
        small.words["HANDOFF_ENVIRONMENT"] = environment
        small.must("schedule")
        for after in (0, 0, 0.1, 0.3):
            at = chance.randint(1, int(SHARES[0] * whole))
            kills += killed(small, "destroy", "--data", at=at, number=signal.SIGKILL, after=after)
        small.must("destroy", "--data")
        assert of(small, environment) == {f"handoff-{environment}": "CREATE_COMPLETE"}
        bucket = resource_names.bucket(environment, small.account.number, "eu-central-1")
        assert small.account.boto("s3").list_object_versions(Bucket=bucket).get("Versions", []) == []
    assert kills >= 2
    there = [each["repositoryName"] for each in small.account.boto("ecr").describe_repositories()["repositories"]]
    assert sorted(there) == [resource_names.stack_name("shop", environment) for environment in ("k3",)]


COMMANDS = (("deploy",), ("schedule",), ("unschedule",), ("schedule",), ("destroy", "--data"))


def test_a_command_finishes_what_a_killed_one_began(small: DeployedProject, trials: float) -> None:
    """Each at random moments, then once more to its end; `--trials 8 --timeout 0 --log-cli-level INFO` shows 200 kills."""
    chance, kills = random.Random(SEED), 0  # no secret
    small.words["HANDOFF_ENVIRONMENT"] = "k9"
    longest = dict.fromkeys(COMMANDS, 12)
    for _ in range(max(1, round(trials * 2))):
        for words in COMMANDS:
            for _ in range(4 if trials >= 1 else 1):
                number, after = (
                    chance.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGINT]),
                    chance.choice([0, 0, 0.3]),
                )
                kills += killed(small, *words, at=chance.randint(1, longest[words]), number=number, after=after)
            with small.recorded() as calls:
                small.must(*words)
            longest[words] = max(longest[words], len(set(calls)))
            check_stacks(small, words[0])
        logging.getLogger(__name__).info("%d kills", kills)
    assert kills


def check_stacks(small: DeployedProject, task: str) -> None:
    """What a task leaves: its stacks, settled, and no change set."""
    stack, shared = resource_names.stack_name("shop", "k9"), {resource_names.shared_stack("k9")}
    project = {stack, resource_names.registry_stack(stack)}
    schedule = {resource_names.schedule_stack(stack)}
    expected = {"schedule": shared | project | schedule, "destroy": shared}.get(task, shared | project)
    found = of(small, "k9")
    assert (set(found), {status.split("_")[-1] for status in found.values()}) == (expected, {"COMPLETE"})
    assert small.leftovers() == {}
