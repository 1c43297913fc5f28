"""How a task ended, of what AWS documents that DescribeTasks tells: the exit code, the words, the advice."""

from __future__ import annotations

from typing import Any, cast

import pytest

from handoff_kit.aws.ecs.cluster import ProjectTasks
from handoff_kit.aws.ecs.stop_reasons import TaskResult, exit_code, explain_stop, is_stopped
from handoff_kit.aws.target import Target

TARGET = Target("shop", "dev", "handoff-dev-shop", "bucket", "--project shop", cast("Any", None))
KNOWN = ProjectTasks(TARGET, "handoff-dev")
PRIVATE = ProjectTasks(TARGET, "handoff-dev", public_ip=False)
LOGS = "see its log: invoke logs --project shop"
GATEWAY = (
    "projects/shop/project.yml: deploy: {subnets: [...]} must be subnets with a route to an internet gateway (public_ip "
    "gives the address), and security groups must let HTTPS out"
)
ENDPOINTS = (
    "projects/shop/project.yml: deploy: {public_ip: true} with a route to an internet gateway, or subnets with a NAT "
    "gateway, or endpoints for ECR, S3, Logs and SSM in the VPC; then: invoke deploy --project shop"
)


def task(
    code: int | None, stop: str = "EssentialContainerExited", reason: str = "", container: str = ""
) -> dict[str, Any]:
    """As DescribeTasks tells it."""
    one: dict[str, Any] = {"name": "handoff", "lastStatus": "STOPPED"}
    if code is not None:
        one["exitCode"] = code
    if container:
        one["reason"] = container
    result = {"lastStatus": "STOPPED", "cpu": "256", "memory": "512", "stopCode": stop, "containers": [one]}
    return {**result, "stoppedReason": reason or "Essential container in task exited"}


@pytest.mark.parametrize(
    ("code", "said", "expected"),
    [
        pytest.param(0, "", TaskResult(0, "succeeded (exit 0)"), id="succeeded"),
        pytest.param(1, "", TaskResult(1, "failed (exit 1)", LOGS), id="a stage, unread"),
        pytest.param(
            3,
            "failed after 1.2 s: stage tap ended with exit 3",
            TaskResult(3, "failed: stage tap ended with exit 3 (exit 3)", LOGS),
            id="a stage, by the last line of its log",
        ),
        pytest.param(
            64,
            "",
            TaskResult(
                64,
                "failed: --data or --command is wrong (exit 64)",
                f"{LOGS}; see the options: invoke run --help",
            ),
            id="usage",
        ),
        pytest.param(
            65,
            "failed after 1.0 s: stage tap passed on 0 records, at least 1 expected",
            TaskResult(65, "failed: stage tap passed on 0 records, at least 1 expected (exit 65)", LOGS),
            id="too few rows",
        ),
        pytest.param(
            65,
            "",
            TaskResult(
                65,
                "failed: fewer rows passed than expected, or a target did not read all of its input (exit 65)",
                LOGS,
            ),
            id="too few rows, without a log",
        ),
        pytest.param(
            69,
            "",
            TaskResult(69, "failed: its params, files, artifacts or state could not be read or stored (exit 69)", LOGS),
            id="store",
        ),
        pytest.param(
            75,
            "",
            TaskResult(
                75,
                "did nothing: another run of the project is under way (exit 75)",
                "see which: invoke status --project shop",
            ),
            id="busy",
        ),
        pytest.param(
            78,
            "",
            TaskResult(
                78,
                "failed: its params are invalid (exit 78)",
                "invoke check --project shop, then: invoke params.push --project shop, then: invoke run --project shop",
            ),
            id="params",
        ),
        pytest.param(
            124, "", TaskResult(124, "failed: a stage or the run took too long (exit 124)", LOGS), id="timeout"
        ),
        pytest.param(
            126, "", TaskResult(126, "failed: a command cannot be executed (exit 126)", LOGS), id="not executable"
        ),
        pytest.param(
            127,
            "",
            TaskResult(
                127,
                "failed: a command is not in the image (exit 127)",
                f"{LOGS}; once corrected: invoke deploy --project shop",
            ),
            id="not found",
        ),
        pytest.param(
            139,
            "",
            TaskResult(
                139,
                "failed: a program crashed (SIGSEGV) (exit 139)",
                f"{LOGS}; a library may be built for another processor",
            ),
            id="segmentation fault",
        ),
        pytest.param(134, "", TaskResult(134, "failed: a program was ended by signal 6 (exit 134)", LOGS), id="abort"),
        pytest.param(
            143, "", TaskResult(143, "was stopped (SIGTERM) (exit 143)", LOGS), id="terminated by nobody known"
        ),
        pytest.param(
            137,
            "",
            TaskResult(
                137,
                "was killed (SIGKILL) (exit 137)",
                f"{LOGS}; if it mentions memory: projects/shop/project.yml, deploy: {{memory: ...}}",
            ),
            id="killed, nobody says why",
        ),
    ],
)
def test_by_exit_code(code: int, said: str, expected: TaskResult) -> None:
    assert explain_stop(task(code), KNOWN, said) == expected


def of_memory(memory: int, then: str) -> TaskResult:
    return TaskResult(137, f"ran out of memory: it needed more than its {memory:,} MiB (exit 137)", then)


def larger(cpu: int, memory: int) -> str:
    once = f"for one run: invoke run --project shop --cpu {cpu} --memory {memory}"
    return f"{once}; for all: projects/shop/project.yml, deploy: {{cpu: {cpu}, memory: {memory}}}, then: invoke deploy --project shop"


@pytest.mark.parametrize(
    ("size", "answer", "expected"),
    [
        pytest.param(
            (256, 512),
            {"container": "OutOfMemoryError: Container killed due to memory usage"},
            larger(256, 1024),
            id="next",
        ),
        pytest.param(
            (256, 2048), {"container": "OutOfMemoryError: Container killed"}, larger(512, 3072), id="next cpu"
        ),
        pytest.param((1024, 8192), {"reason": "OutOfMemory"}, larger(2048, 9216), id="told of the task"),
        pytest.param(
            (16384, 122880),
            {"container": "OutOfMemoryError: x"},
            "that is Fargate's largest size; have the stages work in smaller pieces",
            id="largest",
        ),
    ],
)
def test_out_of_memory_names_the_next_size(size: tuple[int, int], answer: dict[str, str], expected: str) -> None:
    found = {**task(137, **answer), "cpu": str(size[0]), "memory": str(size[1])}
    assert explain_stop(found, KNOWN) == of_memory(size[1], expected)


def test_out_of_memory_of_a_stage_is_known_by_the_log() -> None:
    said = "failed after 2.0 s: stage cat was killed for memory: 512 MiB"
    assert explain_stop(task(137), KNOWN, said) == of_memory(512, larger(256, 1024))


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param(
            task(143, "UserInitiated", "stopped by invoke"),
            TaskResult(143, "was stopped by invoke (exit 143)", "see what it had done: invoke logs --project shop"),
            id="by a user",
        ),
        pytest.param(
            task(137, "UserInitiated", "Task stopped\nby ann"),
            TaskResult(
                137,
                "was stopped: Task stopped by ann; it had not ended 30 s after SIGTERM, and was killed (exit 137)",
                "give it longer: projects/shop/project.yml, deploy: {stop_timeout: 120}",
            ),
            id="by a user, too slow",
        ),
        pytest.param(
            task(143, "SpotInterruption", "Your Spot Task was interrupted."),
            TaskResult(
                143,
                "was interrupted: AWS took the Spot capacity back (exit 143)",
                "start it again: invoke run --project shop; to pay for no interruption: projects/shop/project.yml, "
                "deploy: {spot: false}",
            ),
            id="Spot",
        ),
        pytest.param(
            task(0, "SpotInterruption", "Your Spot Task was interrupted."),
            TaskResult(0, "succeeded (exit 0)"),
            id="Spot, after all was done",
        ),
        pytest.param(
            task(143, "TerminationNotice", "ECS is performing maintenance on the underlying infrastructure"),
            TaskResult(
                143, "was stopped by AWS for maintenance (exit 143)", "start it again: invoke run --project shop"
            ),
            id="maintenance",
        ),
    ],
)
def test_stopped(found: dict[str, Any], expected: TaskResult) -> None:
    assert explain_stop(found, KNOWN) == expected


ECR = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/handoff-dev-shop"
DEPLOY = "invoke deploy --project shop"
REPAIR = "invoke deploy --repair --project shop"
RUN = "invoke run --project shop"
FILE = "projects/shop/project.yml"
NEVER = [
    pytest.param(
        f'CannotPullContainerError: pull image manifest has been retried 5 time(s): failed to resolve ref {ECR}: failed to do request: Head "https://{ECR}": dial tcp 10.0.0.1:443: i/o timeout',
        "its subnet cannot reach the registry of its image (ECR)",
        GATEWAY,
        True,
        id="pull, no route",
    ),
    pytest.param(
        f"CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref {ECR}@sha256:00: not found",
        "its image does not exist any more",
        f"build and push it again: {DEPLOY}",
        False,
        id="pull, image gone",
    ),
    pytest.param(
        "CannotPullContainerError: inspect image has been retried 1 time(s): failed to resolve ref: unexpected status code https://x: 403 Forbidden",
        "it may not pull its image",
        f"its execution role or the policy of the repository was changed: {REPAIR}",
        False,
        id="pull, access",
    ),
    pytest.param(
        "CannotPullContainerError: Error response from daemon: pull access denied for x, repository does not exist or may require 'docker login': denied: not authorized",
        "it may not pull its image",
        f"its execution role or the policy of the repository was changed: {REPAIR}",
        False,
        id="pull, denied by docker",
    ),
    pytest.param(
        "CannotPullContainerError: httpReaderSeeker: failed open: unexpected status code 429 Too Many Requests - toomanyrequests: You have reached your pull rate limit.",
        "the registry of its image lets no more pulls through",
        f"wait a while, then: {RUN}; or {FILE}: image: {{base: ...}} from a registry without such a limit",
        True,
        id="pull, rate limit",
    ),
    pytest.param(
        "CannotPullContainerError: image Manifest does not contain descriptor matching platform 'linux/arm64'",
        "its image is built for another processor",
        f"{FILE}: deploy: {{architecture: ...}} as the image is built, then: {DEPLOY}",
        False,
        id="pull, platform",
    ),
    pytest.param(
        "CannotPullContainerError: failed to register layer: write /x: no space left on device",
        "its image does not fit on its disk",
        f"{FILE}: deploy: {{storage: 50}}, then: {DEPLOY}",
        False,
        id="pull, disk",
    ),
    pytest.param(
        "CannotPullContainerError: something new",
        "its image could not be pulled",
        f"try again: {RUN}; else: {DEPLOY}",
        True,
        id="pull, otherwise",
    ),
    pytest.param(
        'ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve ecr registry auth: service call has been retried 3 time(s): RequestError: send request failed caused by: Post "https://api.ecr.eu-central-1.amazonaws.com/": dial tcp 52.1.1.1:443: i/o timeout. Please check your task network configuration.',
        "its subnet cannot reach the registry of its image (ECR)",
        GATEWAY,
        True,
        id="initialization, ECR",
    ),
    pytest.param(
        "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secrets from ssm: service call has been retried 5 time(s): RequestCanceled: request context canceled caused by: context deadline exceeded",
        "its subnet cannot reach Parameter Store or Secrets Manager",
        GATEWAY,
        True,
        id="initialization, SSM",
    ),
    pytest.param(
        "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: failed to create Cloudwatch log stream: RequestError: send request failed caused by: dial tcp 1.2.3.4:443: i/o timeout : exit status 1",
        "its subnet cannot reach CloudWatch Logs",
        GATEWAY,
        True,
        id="initialization, Logs",
    ),
    pytest.param(
        "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: failed to create Cloudwatch log stream: ResourceNotFoundException: The specified log group does not exist. : exit status 1",
        "its log group does not exist",
        REPAIR,
        False,
        id="initialization, log group",
    ),
    pytest.param(
        "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve ecr registry auth: AccessDeniedException: User: arn:aws:sts::1:assumed-role/x is not authorized to perform: ecr:GetAuthorizationToken",
        "its execution role lacks a permission",
        f"the role was changed, or a policy of the organization forbids it; create it again: {REPAIR}",
        False,
        id="initialization, permission",
    ),
    pytest.param(
        "ECS was unable to assume the role 'arn:aws:iam::1:role/x' that was provided for this task.",
        "ECS may not take on its roles",
        f"create them again: {REPAIR}",
        False,
        id="role",
    ),
    pytest.param(
        'CannotStartContainerError: failed to create task: exec: "python": executable file not found in $PATH: unknown',
        "its image lacks the program that the container executes",
        f"build it again: {DEPLOY}",
        False,
        id="no python",
    ),
    pytest.param(
        "CannotStartContainerError: exec /usr/local/bin/python: exec format error",
        "its image is built for another processor",
        f"{FILE}: deploy: {{architecture: ...}} as the image is built, then: {DEPLOY}",
        False,
        id="processor",
    ),
    pytest.param(
        "Unexpected EC2 error while attempting to Create Network Interface with public IP assignment enabled in subnet 'subnet-1': InsufficientFreeAddressesInSubnet",
        "its subnet has no free address left",
        f"when others have ended: {RUN}; or name other subnets: {FILE}, deploy: {{subnets: [...]}}",
        True,
        id="addresses",
    ),
    pytest.param(
        "Timeout waiting for network interface provisioning to complete.",
        "it got no address in its subnet",
        f"try again: {RUN}",
        True,
        id="network interface",
    ),
    pytest.param(
        "Timeout waiting for EphemeralStorage provisioning to complete.",
        "it got no disk in time",
        f"try again: {RUN}",
        True,
        id="storage",
    ),
    pytest.param(
        "Capacity is unavailable at this time. Please try again later or in a different availability zone",
        "AWS has no capacity free at present",
        f"later, or not on Spot ({FILE}: deploy: {{spot: false}}): {RUN}",
        True,
        id="capacity",
    ),
    pytest.param(
        "You've reached the limit on the number of vCPUs you can run concurrently",
        "the account's limit of Fargate tasks is reached",
        f"when others have ended: {RUN}; raise it: aws service-quotas list-service-quotas --service-code fargate",
        True,
        id="quota",
    ),
    pytest.param("InternalError: please retry", "AWS could not prepare its container", f"try again: {RUN}", True, id="internal"),
    pytest.param(
        "The moon is full",
        "",
        f"try again: {RUN}; what its service says: https://health.aws.amazon.com",
        True,
        id="unknown to us",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("reason", "words", "hint", "again"), NEVER)
@pytest.mark.parametrize("where", ["stoppedReason", "reason"])
def test_never_started(reason: str, words: str, hint: str, again: bool, where: str) -> None:  # noqa: FBT001
    found = (
        task(None, "TaskFailedToStart", reason)
        if where == "stoppedReason"
        else task(None, "TaskFailedToStart", container=reason)
    )
    result = reason if where == "stoppedReason" else f"Essential container in task exited {reason}"
    expected = f"never started: {words}" if words else "never started"
    assert explain_stop(found, KNOWN) == TaskResult(1, f"{expected}: {result}", hint, again, ran=False)


def test_a_network_without_public_addresses_gets_other_advice() -> None:
    found = task(None, "TaskFailedToStart", "CannotPullContainerError: dial tcp: i/o timeout")
    assert explain_stop(found, PRIVATE).hint == ENDPOINTS


def test_stopped_before_it_ran() -> None:
    found = task(None, "UserInitiated", "stopped by invoke")
    assert explain_stop(found, KNOWN) == TaskResult(
        1, "never started: it was stopped before: stopped by invoke", f"start it again: {RUN}", ran=False
    )


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param({"lastStatus": "RUNNING", "containers": [{"name": "handoff"}]}, False, id="running"),
        pytest.param({"lastStatus": "STOPPED", "containers": []}, True, id="stopped"),
        pytest.param(task(0) | {"lastStatus": "DEPROVISIONING"}, True, id="its address is still given back"),
        pytest.param(task(None) | {"lastStatus": "DEPROVISIONING"}, False, id="its exit code is not known yet"),
        pytest.param(task(0) | {"lastStatus": "STOPPING"}, False, id="stopping"),
    ],
)
def test_over(found: dict[str, Any], expected: bool) -> None:  # noqa: FBT001
    assert is_stopped(found) is expected


def test_the_container_of_ours_counts() -> None:
    found = task(3)
    assert exit_code({**found, "containers": [{"name": "agent", "exitCode": 9}, *found["containers"]]}) == 3
