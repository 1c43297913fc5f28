"""The tasks run, stop and logs, as a person types them: against moto, and an ECS whose tasks do as they are told."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from doubles.checkout import InvokeResult
from doubles.ecs import ACCOUNT, CLUSTER, MACHINE, Ecs, Life, NoTask, Refused
from doubles.fault_proxy import Proxy
from doubles.moto_bucket import HURRIED
from doubles.stub_project import MotoProject, new_name

from handoff_kit.aws.ecs.cluster import ProjectTasks
from handoff_kit.aws.ecs.executions import TaskHooks, start_execution
from handoff_kit.aws.ecs.log_stream import LogFormatter
from handoff_kit.aws.ecs.logs import LogQuery, LogSink, follow_logs
from handoff_kit.aws.ecs.overrides import RunOptions
from handoff_kit.aws.ecs.stop_reasons import TaskResult
from handoff_kit.aws.ecs.task_observer import Absence
from handoff_kit.aws.ecs.watch import InterruptPrompt, TaskWatch, Timeouts
from handoff_kit.aws.target import Target
from handoff_kit.errors import AWSError
from handoff_kit.resource_names import owner_tags

if TYPE_CHECKING:
    from collections.abc import Iterator

    from doubles.checkout import Checkout
    from doubles.moto_bucket import MotoBucket
    from doubles.terminal import Shown

pytestmark = pytest.mark.takes(220)


GOLDEN = Path(__file__).parents[1] / "golden/help"
REGION = "eu-central-1"
PROJECT = """
    vars: {base: EUR}
    envs: {TZ: UTC}
    commands:
      - command: echo
        args: "{{ base }}"
      - command: cat
"""
SECRET = "hunter2-secret"  # noqa: S105  # what shall be seen nowhere
CONFIG = {".local/tap.json": json.dumps({"token": SECRET})}
DONE = "succeeded after 1.0 s"
FIRST = f"{1:032x}"


def deploy(shop: MotoProject, source: str = "aaaaaaaaaaaa") -> None:
    """The stacks, as far as running looks at them."""
    outputs = {
        "TaskDefinition": f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/{shop.stack}:1",
        "Source": source,
        "Machine": MACHINE,
        "Cluster": CLUSTER,
        "Spot": "false",
        "Cpu": "256",
        "Memory": "512",
    }
    shared = {"Subnets": "subnet-1,subnet-2", "SecurityGroup": "sg-1", "Bucket": shop.aws.bucket}
    existing = shop.stack_names()
    for name, values in (("handoff-dev", shared), (shop.stack, outputs)):
        if name not in existing:
            tags = owner_tags(shop.name, "dev") if name == shop.stack else {}
            shop.create_stack(name, values, parameters={"Bucket": shop.aws.bucket}, tags=tags)
    shop.aws.boto("logs").create_log_group(logGroupName=group_of(shop))


def group_of(shop: MotoProject) -> str:
    return f"/handoff/{shop.stack}"


def write_log(shop: MotoProject, task: str, *messages: str, stage: str = "handoff", at: float | None = None) -> None:
    """What the runtime of a task writes to its log."""
    logs, group, stream = shop.aws.boto("logs"), group_of(shop), f"run/handoff/{task}"
    if not logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=stream)["logStreams"]:
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
    now = at or time.time()
    lines = [{"time": "2026-01-01T00:00:00.000Z", "stage": stage, "message": message} for message in messages]
    events = [{"timestamp": int(now * 1000) + number, "message": json.dumps(line)} for number, line in enumerate(lines)]
    logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


@pytest.fixture
def shop(checkout: Checkout, moto_bucket: MotoBucket, ecs: Ecs) -> MotoProject:
    """A project with stub stacks, whose ECS is `ecs`."""
    name = new_name()
    checkout.project(name, PROJECT, CONFIG)
    env = {"AWS_ENDPOINT_URL_ECS": ecs.url, "AWS_ENDPOINT_URL_SFN": ecs.url, "TZ": "UTC", **HURRIED}
    replacements = (
        (FIRST, "TASK"),
        (r"run-\d{8}T\d{6}Z-[0-9a-f]{6}", "EXECUTION"),
        (r"\d\d:\d\d:\d\d", "CLOCK"),
        (r"after \d+ s", "after N s"),
    )
    created = MotoProject(checkout, moto_bucket, name, env, replacements)
    deploy(created)
    return created


@pytest.mark.parametrize("task", ["run", "stop", "logs", "exec"])
def test_the_help_of(checkout: Checkout, task: str) -> None:
    """UPDATE_GOLDENS=1 writes them anew; `--help` must not run the task."""
    result = checkout.invoke(task, "--help")
    if os.environ.get("UPDATE_GOLDENS"):
        (GOLDEN / f"{task}.txt").write_text(result.stdout, encoding="utf-8")
    assert result == InvokeResult(0, (GOLDEN / f"{task}.txt").read_text(encoding="utf-8"), "")


# a run


def test_a_run_is_watched_to_its_end(shop: MotoProject, ecs: Ecs) -> None:
    ecs.will(Life(then=lambda task: write_log(shop, task, DONE)))
    assert shop.invoke("run", "--var", "base=JPY", "--env", "LEVEL=debug", "--memory", "1GB") == InvokeResult(
        0,
        "",
        """\
start a task of handoff-dev-shop in cluster handoff-dev (Fargate, 256 CPU units, 1,024 MiB; data {"base": "JPY"}; env LEVEL)
started task TASK
PROVISIONING after N s
PENDING after N s
RUNNING after N s
STOPPED after N s
CLOCK handoff | succeeded after 1.0 s
task TASK succeeded (exit 0)
next: invoke artifacts.get --project shop
""",
    )
    (execution,) = ecs.executions
    assert (execution.status, execution.input) == (
        "RUNNING",  # nobody has looked since
        {
            "environment": [
                {"Name": "COMMAND", "Value": "run"},
                {"Name": "TRIGGER", "Value": "run"},
                {"Name": "LEVEL", "Value": "debug"},
                {"Name": "DATA", "Value": '{"base":"JPY"}'},
            ],
            "size": {"Cpu": "256", "Memory": "1024"},
        },
    )


def test_dry_tells_the_same_and_starts_nothing(shop: MotoProject, ecs: Ecs) -> None:
    ecs.will(Life())
    assert shop.invoke("--dry", "run", "--command", "show_commands") == InvokeResult(
        0,
        "",
        """\
would start a task of handoff-dev-shop in cluster handoff-dev (Fargate, 256 CPU units, 512 MiB; command show_commands)
nothing was done: --dry
""",
    )
    assert (ecs.calls, ecs.tasks) == ([], [])


def test_a_failed_run_ends_with_the_exit_code_of_its_container(shop: MotoProject, ecs: Ecs) -> None:
    words = "failed after 1.0 s: stage cat ended with exit 3"
    ecs.will(Life(code=3, then=lambda task: write_log(shop, task, "run X of shop: echo | cat", words)))
    result = shop.invoke("run")
    assert (result.exit, result.stdout, len(ecs.tasks)) == (3, "", 1)
    assert result.stderr.endswith(
        f"""\
CLOCK handoff | run X of shop: echo | cat
CLOCK handoff | {words}
task TASK failed: stage cat ended with exit 3 (exit 3)
hint: see its log: invoke logs --project shop
next: invoke logs --project shop --run TASK
"""
    )


def test_lines_that_arrive_after_the_end_are_shown(shop: MotoProject, ecs: Ecs) -> None:
    def late(task: str) -> None:
        write_log(shop, task, "not the last", stage="echo")
        threading.Timer(3, lambda: write_log(shop, task, DONE)).start()

    ecs.will(Life(then=late))
    result = shop.invoke("run")
    assert result.stderr.endswith(
        """\
STOPPED after N s
CLOCK echo    | not the last
CLOCK handoff | succeeded after 1.0 s
task TASK succeeded (exit 0)
next: invoke artifacts.get --project shop
"""
    )


def test_killed_for_memory_names_the_next_size(shop: MotoProject, ecs: Ecs) -> None:
    ecs.will(Life(code=137, container="OutOfMemoryError: Container killed due to memory usage"))
    result = shop.invoke("run")
    assert result.exit == 137
    assert result.stderr.endswith(
        """\
task TASK ran out of memory: it needed more than its 512 MiB (exit 137)
hint: for one run: invoke run --project shop --cpu 256 --memory 1024; for all: projects/shop/project.yml, deploy: \
{cpu: 256, memory: 1024}, then: invoke deploy --project shop
next: invoke logs --project shop --run TASK
"""
    )


NOT_STARTED = Life(
    ("PENDING", "STOPPED"), None, "TaskFailedToStart", "Timeout waiting for network interface provisioning"
)
NO_IMAGE = Life(("PENDING", "STOPPED"), None, "TaskFailedToStart", "CannotPullContainerError: x: not found")


def test_a_task_that_fails_to_start_is_started_again(shop: MotoProject, ecs: Ecs) -> None:
    ecs.will(NOT_STARTED, NOT_STARTED, Life(then=lambda task: write_log(shop, task, DONE)))
    result = shop.invoke("run")
    reason = "never started: it got no address in its subnet: Timeout waiting for network interface provisioning"
    assert (result.exit, len(ecs.tasks)) == (0, 3)
    assert [line for line in result.stderr.splitlines() if "start" in line][1:] == [
        "started task TASK",
        reason,
        "starting it again in 10 s (attempt 2)",
        f"started task {2:032x}",
        reason,
        "starting it again in 10 s (attempt 3)",
        f"started task {3:032x}",
    ]
    assert len(ecs.executions) == 1


def test_a_task_that_never_starts_is_given_up(shop: MotoProject, ecs: Ecs) -> None:
    ecs.will(NOT_STARTED)
    result = shop.invoke("run")
    assert (result.exit, len(ecs.tasks), ecs.executions[0].status) == (1, 7, "FAILED")
    assert result.stderr.endswith(
        f"""\
task {7:032x} never started: it got no address in its subnet: Timeout waiting for network interface provisioning
hint: try again: invoke run --project shop
next: invoke status --project shop
"""
    )


def test_what_would_fail_again_is_not_started_again(shop: MotoProject, ecs: Ecs) -> None:
    ecs.will(NO_IMAGE)
    result = shop.invoke("run")
    assert (result.exit, len(ecs.tasks), ecs.executions[0].status) == (1, 1, "ABORTED")
    assert "never started: its image does not exist any more: CannotPullContainerError: x: not found" in result.stderr


def test_a_run_that_spot_interrupted_is_started_again(shop: MotoProject, ecs: Ecs) -> None:
    ecs.will(Life(code=143, stop="SpotInterruption", reason="Your Spot Task was interrupted."), Life(code=3))
    result = shop.invoke("run")
    assert (result.exit, len(ecs.tasks)) == (3, 2)
    assert (
        "was interrupted: AWS took the Spot capacity back (exit 143)\nstarting it again in 10 s (attempt 2)\n"
        in result.stderr
    )


@pytest.mark.parametrize(
    ("coming", "expected"),
    [
        pytest.param(
            [Refused("InvalidParameterException", "Rate exceeded")] * 2,
            [
                "not started: InvalidParameterException: Rate exceeded",
                "starting it again in 10 s (attempt 2)",
                "not started: InvalidParameterException: Rate exceeded",
                "starting it again in 10 s (attempt 3)",
            ],
            id="throttled under another name",
        ),
        pytest.param(
            [Refused("ThrottlingException", "slow down")],
            ["not started: AmazonECSException: slow down"],
            id="throttled",
        ),
        pytest.param([Refused("ServerException", "", 500)], ["not started: ServerException"], id="broken"),
        pytest.param(
            [NoTask("Capacity is unavailable at this time. Please try again later")],
            ["not started: Capacity is unavailable at this time. Please try again later"],
            id="no capacity",
        ),
        pytest.param(
            [Refused("ClientException", "You've reached the limit on the number of tasks you can run concurrently")],
            ["not started: ClientException: You've reached the limit on the number of tasks you can run concurrently"],
            id="too many",
        ),
    ],
)
def test_a_start_that_is_refused_for_now_is_tried_again(
    shop: MotoProject, ecs: Ecs, coming: list[Refused | NoTask], expected: list[str]
) -> None:
    ecs.will(*coming, Life(then=lambda task: write_log(shop, task, DONE)))
    found = shop.invoke("run")
    assert (found.exit, len(ecs.tasks)) == (0, 1)
    assert found.stderr.splitlines()[1 : 1 + len(expected)] == expected


@pytest.mark.parametrize(
    ("coming", "message", "hint"),
    [
        pytest.param(
            NoTask("MISSING"),
            "task of handoff-dev-shop: not started: MISSING",
            "invoke deploy --repair --project shop",
            id="no such definition",
        ),
        pytest.param(
            Refused("ClusterNotFoundException", "Cluster not found."),
            "task of handoff-dev-shop: not started: ClusterNotFoundException: Cluster not found.",
            "its cluster does not exist: invoke deploy --repair --project shop",
            id="no cluster",
        ),
        pytest.param(
            Refused("InvalidParameterException", "The subnet ID 'subnet-1' does not exist"),
            "task of handoff-dev-shop: not started: InvalidParameterException: The subnet ID 'subnet-1' does not exist",
            "invoke deploy --repair --project shop; with projects/shop/project.yml: deploy: {subnets: [...]} these must be "
            "subnets of this region, then: invoke deploy --project shop",
            id="no subnet",
        ),
        pytest.param(
            Refused("AccessDeniedException", "User: a-role is not authorized to perform: ecs:RunTask"),
            "task of handoff-dev-shop: not started: AccessDeniedException: User: a-role is not authorized to perform: "
            "ecs:RunTask",
            "the role of its state machine was changed, or a policy of the organization forbids it: "
            "invoke deploy --repair --project shop",
            id="not allowed",
        ),
    ],
)
def test_a_start_that_is_refused(
    shop: MotoProject, ecs: Ecs, coming: Refused | NoTask, message: str, hint: str
) -> None:
    ecs.will(coming)
    result = shop.invoke("run")
    assert (result.exit, result.stderr.splitlines()[-2:]) == (1, [f"error: {message}", f"hint: {hint}"])
    assert (len(ecs.tasks), ecs.executions[0].status) == (0, "FAILED")


def test_no_permission_to_start(shop: MotoProject, ecs: Ecs) -> None:
    with Proxy.to(ecs.url) as proxy:
        proxy.fault("answer", path="StartExecution", status=400, code="AccessDeniedException")
        shop.env["AWS_ENDPOINT_URL_SFN"] = proxy.url
        result = shop.invoke("run")
    assert (result.exit, ecs.calls) == (1, ["ListExecutions"])
    assert f"AccessDeniedException found, the permission states:StartExecution on {MACHINE} expected" in result.stderr


@pytest.mark.parametrize(
    ("coming", "code", "tasks"),
    [
        pytest.param(Life(), 0, 1, id="that runs"),
        pytest.param(Refused("ClusterNotFoundException", "Cluster not found."), 1, 0, id="that has ended meanwhile"),
    ],
)
def test_an_answer_that_is_lost_starts_no_second_execution(
    shop: MotoProject, ecs: Ecs, coming: Life | Refused, code: int, tasks: int
) -> None:
    ecs.will(coming)
    with Proxy.to(ecs.url) as proxy:
        proxy.fault("lose", path="StartExecution", times=1)
        shop.env["AWS_ENDPOINT_URL_SFN"] = proxy.url
        result = shop.invoke("run")
    assert (result.exit, ecs.calls.count("StartExecution"), len(ecs.executions)) == (code, 2, 1)
    assert (len(ecs.tasks), ecs.calls.count("RunTask")) == (tasks, 1)


def test_a_stack_of_an_earlier_version_is_to_be_deployed(shop: MotoProject, ecs: Ecs) -> None:
    """It has no machine for runs by hand."""
    definition = "arn:aws:ecs:eu-central-1:123456789012:task-definition/x:1"
    shop.create_stack(f"handoff-old-{shop.name}", {"TaskDefinition": definition}, tags=owner_tags(shop.name, "old"))
    result = shop.invoke("run", "--environment", "old")
    assert (result.exit, ecs.calls) == (1, [])
    assert result.stderr.splitlines()[-2:] == [
        "error: stack handoff-old-shop: found no state machine, expected the one that starts runs; an earlier version "
        "deployed it",
        "hint: invoke deploy --project shop --environment old",
    ]


@pytest.mark.parametrize("task", ["run", "stop", "logs", "status"])
def test_a_project_that_is_not_deployed(shop: MotoProject, task: str) -> None:
    shop.checkout.project("fresh", PROJECT)
    result = shop.checkout.invoke(task, "--project", "fresh", "--environment", "prod", env=shop.environ)
    if task == "status":
        assert (result.exit, "handoff-prod-fresh: not deployed" in result.stdout) == (0, True)
    else:
        assert (result.exit, result.stderr.splitlines()[-1]) == (
            1,
            "hint: invoke deploy --project fresh --environment prod",
        )


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("--env", f"X={SECRET}"), id="a secret"),
        pytest.param(("--env", "DATA=1"), id="a name of ours"),
        pytest.param(("--env", "TZ=CET"), id="a variable without effect"),
        pytest.param(("--var", f"base={SECRET}"), id="a secret in the data"),
        pytest.param(("--cpu", "256", "--memory", "8GB"), id="no such size"),
        pytest.param(("--command", "nothing"), id="no such command"),
        pytest.param(("--data", "{"), id="no JSON"),
        pytest.param(("--var", f"base={'x' * 9000}"), id="too long"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_started(shop: MotoProject, ecs: Ecs, words: tuple[str, ...]) -> None:
    result = shop.invoke("run", *words)
    assert (result.exit, result.stdout, {*ecs.calls} - {"ListExecutions"}) == (2, "", set())
    assert result.stderr.splitlines()[-2].startswith("error: --")
    assert SECRET not in result.stderr


def test_detached(shop: MotoProject, ecs: Ecs) -> None:
    ecs.will(Life())
    result = shop.invoke("run", "--detach")
    calls = ["ListExecutions", "StartExecution", "GetExecutionHistory", "RunTask"]
    assert (result.exit, result.stdout, ecs.calls) == (0, "TASK\n", calls)
    assert result.stderr.splitlines()[1:] == [
        "started task TASK",
        "to stop it: invoke stop --project shop --task TASK",
        "next: invoke logs --project shop --run TASK --follow",
    ]


# a shell in a task


AWS = '#!/bin/sh\nfor word; do printf "[%s]" "$word"; done\nexit 7\n'


@pytest.mark.parametrize(
    ("life", "programs", "exit_code", "stdout", "stderr"),
    [
        pytest.param(
            Life(("RUNNING",), agent="RUNNING"),
            ("aws", "session-manager-plugin"),
            7,
            "[ecs][execute-command][--region][eu-central-1][--cluster][handoff-dev][--task][TASK][--container][handoff]"
            "[--interactive][--command][ls -l]",
            "run aws ecs execute-command --region eu-central-1 --cluster handoff-dev --task TASK --container handoff "
            "--interactive --command 'ls -l'\n",
            id="a session",
        ),
        pytest.param(
            Life(("RUNNING",), agent="RUNNING"),
            ("aws",),
            127,
            "",
            "error: found no program session-manager-plugin\n"
            "hint: install it: https://docs.aws.amazon.com/systems-manager/latest/userguide/session-manager-working-with-"
            "install-plugin.html; or paste where both are: aws ecs execute-command --region eu-central-1 --cluster "
            "handoff-dev --task TASK --container handoff --interactive --command 'ls -l'\n",
            id="no plugin",
        ),
        pytest.param(
            Life(("RUNNING",), agent="PENDING"),
            (),
            1,
            "",
            "error: task TASK: its ExecuteCommandAgent is PENDING, expected RUNNING\n"
            "hint: it starts within a minute; it needs a way to ssmmessages: a public address, a NAT gateway or an "
            "endpoint\n",
            id="too early",
        ),
        pytest.param(
            Life(("RUNNING",)),
            (),
            1,
            "",
            "error: task TASK: started without `deploy.exec`, which lets `invoke exec` into it\n"
            "hint: projects/shop/project.yml: deploy: {exec: true}, then: invoke deploy --project shop, and start another "
            "run\n",
            id="not allowed",
        ),
        pytest.param(
            Life(("STOPPED",)),
            (),
            1,
            "",
            "error: no task of handoff-dev-shop runs\n"
            "hint: see which runs: invoke status --project shop; to start one: invoke run --project shop\n",
            id="none",
        ),
    ],
)
def test_a_shell_in_the_newest_task(
    shop: MotoProject,
    ecs: Ecs,
    tmp_path: Path,
    life: Life,
    programs: tuple[str, ...],
    exit_code: int,
    stdout: str,
    stderr: str,
) -> None:
    for name in programs:
        (tmp_path / name).write_text(AWS)
        (tmp_path / name).chmod(0o755)
    ecs.add(life)
    found = shop.invoke("exec", "--shell", "ls -l", PATH=f"{tmp_path}:/usr/bin:/bin")
    said = tuple(text.replace(CLUSTER, "handoff-dev") for text in (found.stdout, found.stderr))
    assert (found.exit, *said) == (exit_code, stdout, stderr)


# signals

FOREVER = Life(("RUNNING",))


@pytest.fixture
def watching(shop: MotoProject, ecs: Ecs) -> Iterator[Shown]:
    """A run that is watched on a terminal."""
    ecs.will(FOREVER)
    shown = shop.show("run")
    shown.read_until(lambda: "RUNNING" in shown.text)
    yield shown
    if shown.process.poll() is None:
        shown.process.kill()
        shown.process.wait()


ASKED = "keep watching (Enter)? "


def test_ctrl_c_asks_and_detaches(ecs: Ecs, watching: Shown) -> None:
    watching.type(b"\x03")
    watching.read_until(lambda: ASKED in watching.text)
    watching.type(b"d\n")
    assert watching.finish() == 130
    assert f"detached: task {FIRST} continues" in watching.text
    assert "StopTask" not in ecs.calls


def test_a_second_ctrl_c_detaches(shop: MotoProject, ecs: Ecs, watching: Shown) -> None:
    watching.type(b"\x03")
    watching.read_until(lambda: ASKED in watching.text)
    watching.type(b"\x03")
    assert watching.finish() == 130
    assert f"invoke stop --project {shop.name} --task {FIRST}" in watching.text
    assert "StopTask" not in ecs.calls


def test_ctrl_c_asks_and_stops(ecs: Ecs, watching: Shown) -> None:
    watching.type(b"\x03")
    watching.read_until(lambda: ASKED in watching.text)
    watching.type(b"s\n")
    assert watching.finish() == 143
    assert "was stopped by invoke (exit 143)" in watching.text
    assert (ecs.calls.count("StopTask"), ecs.executions[0].status) == (1, "ABORTED")


def test_ctrl_c_by_mistake(ecs: Ecs, watching: Shown) -> None:
    watching.type(b"\x03")
    watching.read_until(lambda: ASKED in watching.text)
    watching.type(b"\n")
    looks = ecs.calls.count("DescribeTasks")
    watching.read_until(lambda: ecs.calls.count("DescribeTasks") > looks)
    watching.type(b"\x03")
    watching.read_until(lambda: watching.text.count(ASKED) == 2)
    watching.type(b"\x04")
    assert watching.finish() == 130


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_without_a_terminal_a_signal_detaches(shop: MotoProject, ecs: Ecs, number: signal.Signals, code: int) -> None:
    ecs.will(FOREVER)
    with shop.start("run", stderr=subprocess.PIPE) as process:
        assert process.stderr
        said = b""
        while b"RUNNING" not in said:
            said += process.stderr.readline()
        process.send_signal(number)
        rest = process.stderr.read().decode()
    assert (process.returncode, shop.stable(rest)) == (
        code,
        """\
detached: task TASK continues
to stop it: invoke stop --project shop --task TASK
next: invoke logs --project shop --run TASK --follow
""",
    )
    assert "StopTask" not in ecs.calls


@pytest.mark.parametrize("detach", [pytest.param((), id="watched"), pytest.param(("--detach",), id="to be detached")])
def test_a_signal_before_there_is_a_task(shop: MotoProject, ecs: Ecs, detach: tuple[str, ...]) -> None:
    ecs.wait = 600
    ecs.will(NoTask("Capacity is unavailable at this time."))
    with shop.start("run", *detach, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        assert process.stderr
        while b"starting it again" not in process.stderr.readline():
            pass
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read().decode()
    assert (process.returncode, shop.stable(rest).splitlines()[-2:]) == (
        130,
        [
            "to stop it: invoke stop --project shop --task EXECUTION",
            "next: invoke logs --project shop --run EXECUTION --follow",
        ],
    )
    (execution,) = ecs.executions
    name = execution.arn.rpartition(":")[2]
    assert "no task that it has started" in shop.invoke("logs", "--run", name).stderr
    assert shop.invoke("stop", "--task", name).stderr.startswith(
        "stop execution EXECUTION (it has no task at present)\n"
    )
    assert execution.status == "ABORTED"
    assert shop.invoke("stop", "--task", name).stderr.startswith("execution EXECUTION has ended\n")


def test_ctrl_c_stops_a_run_that_has_no_task(shop: MotoProject, ecs: Ecs) -> None:
    ecs.wait = 600
    ecs.will(NOT_STARTED)
    shown = shop.show("run")
    shown.read_until(lambda: "starting it again" in shown.text)
    shown.type(b"\x03")
    shown.read_until(lambda: ASKED in shown.text)
    shown.type(b"s\n")
    assert (shown.finish(), ecs.executions[0].status) == (143, "ABORTED")
    assert re.search(r"execution run-\S+ was stopped while it had no task", shown.text)


# timeouts


def cluster_of(shop: MotoProject) -> ProjectTasks:
    """The tasks of the shop's project, for a test that calls us itself."""
    stack = Target(shop.name, "dev", shop.stack, "", f"--project {shop.name}", shop.aws.session())
    return ProjectTasks(stack, CLUSTER, stop_timeout=0, machine=MACHINE)


def watched(
    shop: MotoProject, ecs: Ecs, timeouts: Timeouts | None = None, step: float = 0.0
) -> tuple[TaskWatch, list[str]]:
    """A task that is watched by us, in little time; with a `step`, each pause counts as so many seconds."""
    said: list[str] = []
    paused: list[float] = []

    def pause(_: float) -> None:
        time.sleep(0.05)
        paused.append(step)

    def clock() -> float:
        return sum(paused) if step else time.monotonic()

    effects = TaskHooks(said.append, pause, clock, lambda: None)
    prompt = InterruptPrompt(Quiet(), None)  # type: ignore[arg-type]
    return TaskWatch(cluster_of(shop), ecs.tasks[0].arn, effects, prompt, None, timeouts or Timeouts()), said


class Quiet:
    """Signals that never come."""

    fd = -1

    def take(self) -> bytes:
        return b""


def test_a_task_that_stays_pending_is_told_of_and_given_up(
    shop: MotoProject, ecs: Ecs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECS", ecs.url)
    task = ecs.add(Life(("PENDING",)))
    watch, said = watched(shop, ecs, Timeouts(report_start=0.5, start=1.5))
    with pytest.raises(AWSError) as error:
        watch.wait()
    look = "if it stays so: do its subnets have a route to the internet (public_ip, or a NAT gateway), and how large is its image?"
    assert list(map(shop.stable, said)) == [
        "PENDING after N s",
        f"still PENDING after N s; {look} invoke status --project shop",
    ]
    assert shop.stable(error.value.message) == "task TASK: still PENDING after N s, and so stopped; expected it to run"
    assert task.stopped_by == "did not start in time"


def test_a_task_that_does_not_stop_is_given_up(shop: MotoProject, ecs: Ecs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECS", ecs.url)
    ecs.add(Life(("RUNNING",), stops=False))
    watch, _ = watched(shop, ecs, Timeouts(stopping=0.5))
    watch.stop()
    with pytest.raises(AWSError) as error:
        watch.wait()
    assert shop.stable(error.value.message) == "task TASK: still RUNNING 1 s after its stop was requested"


# what ECS does not know

RUN_ID = "20260131T020000Z-abcdef"
BEGUN = {"run_id": RUN_ID, "started_at": "2026-01-31T02:00:00.000Z"}
BRIEFLY = Absence(0.1, 0.2)
RAN = ("PENDING", "RUNNING", "RUNNING")


def remember(
    shop: MotoProject, outcome: str | None, code: int | None = None, lock: dict[str, Any] | None = None
) -> None:
    """What the run of the first task left: the head of its log; its record; its lock."""
    write_log(shop, FIRST, f"run {RUN_ID} of shop: echo | cat")
    entry = {**BEGUN, "outcome": outcome, "exit": code, "reason": "stage tap failed" if code else None}
    if outcome:
        shop.aws.put(f"{shop.stack}/runs/{RUN_ID}/run.json", json.dumps(entry).encode())
    if lock is not None:
        claim = {"run_id": RUN_ID, "holder": "a", "lease_seconds": 90, "released": False, "entry": entry, **lock}
        shop.aws.put(f"{shop.stack}/.lock", json.dumps(claim).encode())


@pytest.mark.parametrize("absent", ["MISSING", "EMPTY", "REFUSED"])
def test_a_task_that_runs_is_not_stopped_for_an_answer_without_it(
    shop: MotoProject, ecs: Ecs, monkeypatch: pytest.MonkeyPatch, absent: str
) -> None:
    """Just after its start; after twenty minutes, when the start limit is long over; and several times on end."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECS", ecs.url)
    states = (absent, absent, *RAN, *["RUNNING"] * 60, absent, "RUNNING", absent, absent, "RUNNING", "STOPPED")
    task = ecs.add(Life(states))
    watch, said = watched(shop, ecs, step=20)
    assert (watch.wait(), task.stopped_by) == (TaskResult(0, "succeeded (exit 0)"), "")
    assert list(map(shop.stable, said)) == ["PENDING after N s", "RUNNING after N s", "STOPPED after N s"]


LOOK = f"see its record: invoke history.show --remote --run {RUN_ID} --project shop"


@pytest.mark.parametrize(
    ("outcome", "code", "lock", "expected"),
    [
        pytest.param(
            "succeeded",
            0,
            None,
            TaskResult(0, f"succeeded (exit 0), by the record of run {RUN_ID}"),
            id="a record that succeeded",
        ),
        pytest.param(
            "failed",
            3,
            None,
            TaskResult(3, f"failed: stage tap failed (exit 3), by the record of run {RUN_ID}", LOOK),
            id="a record that failed",
        ),
        pytest.param(
            "killed", None, None, TaskResult(1, f"killed (exit 1), by the record of run {RUN_ID}", LOOK), id="killed"
        ),
        pytest.param(
            None,
            0,
            {"released": True, "entry": {**BEGUN, "outcome": "succeeded", "exit": 0}},
            TaskResult(0, f"succeeded (exit 0), by the record of run {RUN_ID}"),
            id="no record, and a lock that was given back",
        ),
        pytest.param(
            "running",
            None,
            {"lease_seconds": -5},
            TaskResult(1, f"is over: run {RUN_ID} was killed (last heartbeat N s ago)", LOOK),
            id="a lock without heartbeats",
        ),
        pytest.param(
            "running",
            None,
            {"run_id": "another"},
            TaskResult(1, f"is over: run {RUN_ID} lost its lock and never stored how it ended", LOOK),
            id="a lock that another run has taken",
        ),
    ],
)
def test_the_record_decides_of_a_task_that_ecs_has_forgotten(
    shop: MotoProject,
    ecs: Ecs,
    monkeypatch: pytest.MonkeyPatch,
    outcome: str | None,
    code: int | None,
    lock: dict[str, Any] | None,
    expected: TaskResult,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECS", ecs.url)
    task = ecs.add(Life((*RAN, "MISSING")))
    remember(shop, outcome, code, lock)
    watch, _ = watched(shop, ecs, step=60)
    found = watch.wait()
    assert isinstance(found, TaskResult)
    words = re.sub(r"\d+ s ago", "N s ago", found.sentence)
    assert (found.code, words, found.hint and shop.stable(found.hint)) == (
        expected.code,
        expected.sentence,
        expected.hint,
    )
    assert task.stopped_by == ""


def test_a_lock_that_is_held_keeps_a_forgotten_task_watched(
    shop: MotoProject, ecs: Ecs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECS", ecs.url)
    ecs.add(Life((*RAN, "MISSING")))
    remember(shop, "running", None, {})
    watch, said = watched(shop, ecs, step=60)
    threading.Timer(2.0, lambda: remember(shop, "succeeded", 0)).start()
    assert watch.wait() == TaskResult(0, f"succeeded (exit 0), by the record of run {RUN_ID}")
    assert [re.sub(r"\d+ s", "N s", line) for line in said[2:]] == [
        f"ECS does not know the task at present; run {RUN_ID} holds the lock (last heartbeat N s ago); still watching"
    ]


@pytest.mark.parametrize(
    ("messages", "facts"),
    [
        pytest.param((), "it has no log", id="no log"),
        pytest.param(("error: the params are wrong",), "its log names no run", id="no run"),
        pytest.param(
            (f"run {RUN_ID} of shop: echo",),
            f"no record of its run {RUN_ID} is in s3://BUCKET/handoff-dev-shop/runs/{RUN_ID}/",
            id="no record",
        ),
        pytest.param(
            (f"run {RUN_ID} of shop: echo", DONE),
            f"no record of its run {RUN_ID} is in s3://BUCKET/handoff-dev-shop/runs/{RUN_ID}/; its log ends with: {DONE}",
            id="no record, and last words",
        ),
    ],
)
def test_what_nobody_knows_is_said(
    shop: MotoProject, ecs: Ecs, monkeypatch: pytest.MonkeyPatch, messages: tuple[str, ...], facts: str
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECS", ecs.url)
    ecs.add(Life((*RAN, "MISSING")))
    if messages:
        write_log(shop, FIRST, *messages)
    watch, _ = watched(shop, ecs, step=60)
    with pytest.raises(AWSError) as error:
        watch.wait()
    said = re.sub(r"for \d+ s", "for N s", shop.stable(error.value.message)).replace(shop.aws.bucket, "BUCKET")
    assert said == f"task TASK: ECS has not known it for N s, and {facts}; it may still run"
    assert shop.stable(str(error.value.hint)) == (
        "see what runs: invoke status --project shop; its log: invoke logs --project shop --run TASK --follow; "
        "to stop it: invoke stop --project shop --task TASK"
    )


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"status": 400, "code": "ThrottlingException"}, id="throttled"),
        pytest.param({"status": 503, "code": "ServiceUnavailable"}, id="away"),
        pytest.param({"kind": "cut", "after": 9}, id="no whole answer"),
    ],
)
def test_a_service_that_does_not_answer_for_long_ends_no_watch(
    shop: MotoProject, ecs: Ecs, monkeypatch: pytest.MonkeyPatch, fault: dict[str, Any]
) -> None:
    """For more tries than one call has."""
    ecs.add(Life(("RUNNING", "RUNNING", "STOPPED")))
    with Proxy.to(ecs.url) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL_ECS", proxy.url)
        proxy.fault(**{"kind": "answer", "path": "DescribeTasks", "times": 20, **fault})
        watch, _ = watched(shop, ecs, step=20)
        assert watch.wait() == TaskResult(0, "succeeded (exit 0)")


def test_a_service_that_never_answers_is_given_up(shop: MotoProject, ecs: Ecs, monkeypatch: pytest.MonkeyPatch) -> None:
    task = ecs.add(FOREVER)
    with Proxy.to(ecs.url) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL_ECS", proxy.url)
        proxy.fault("answer", path="DescribeTasks", status=400, code="ThrottlingException")
        watch, _ = watched(shop, ecs, step=60)
        with pytest.raises(AWSError) as error:
            watch.wait()
    assert "throttled (ThrottlingException), still after 8 attempts" in error.value.message
    assert shop.stable(str(error.value.hint)).startswith("see what runs: invoke status --project shop; its log: ")
    assert task.stopped_by == ""


def test_a_task_that_ran_and_has_no_exit_code(shop: MotoProject, ecs: Ecs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECS", ecs.url)
    ecs.add(Life((*RAN, "STOPPED"), None, "TaskFailedToStart", "Host failure"))
    watch, _ = watched(shop, ecs, step=20)
    assert watch.wait() == TaskResult(
        1,
        "stopped without an exit code: Host failure",
        f"see its log: invoke logs --project {shop.name}",
        retryable=True,  # the state machine looks at the code
    )


def test_a_forgotten_task_in_the_words_of_stop(shop: MotoProject, ecs: Ecs) -> None:
    ecs.add(Life((*RAN, "MISSING"))).looks = 9
    remember(shop, "failed", 3)
    result = shop.invoke("stop", "--task", FIRST)
    assert (result.exit, result.stderr) == (
        0,
        f"""\
stop task TASK (UNKNOWN)
ECS does not know the task at present; it is stopped as soon as it does
task TASK failed: stage tap failed (exit 3), by the record of run {RUN_ID}
next: invoke logs --project shop
""",
    )


def test_ctrl_c_before_ecs_knows_the_task_to_stop(shop: MotoProject, ecs: Ecs) -> None:
    ecs.add(Life(("MISSING",)))
    with shop.start("stop", "--task", FIRST, stderr=subprocess.PIPE) as process:
        assert process.stderr
        while b"as soon as" not in process.stderr.readline():
            pass
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read().decode()
    assert shop.stable(rest) == (
        "task TASK was not stopped, since ECS does not know it at present, and may still run\n"
        "next: invoke logs --project shop\n"
    )


def test_a_task_that_is_not_listed_yet_is_stopped(shop: MotoProject, ecs: Ecs) -> None:
    """StopTask and DescribeTasks do not know it either, at first."""
    task = ecs.add(Life(("MISSING", "MISSING", "PENDING")))
    result = shop.invoke("stop", "--task", FIRST)
    assert (result.exit, task.stopped_by) == (0, "stopped by invoke")
    assert "task TASK was stopped by invoke (exit 143)" in result.stderr


def test_a_task_that_has_ended_is_not_stopped(shop: MotoProject, ecs: Ecs) -> None:
    task = ecs.add(Life(("STOPPED",)))
    assert shop.invoke("stop", "--task", FIRST) == InvokeResult(
        0, "", "task TASK has ended\nnext: invoke logs --project shop\n"
    )
    assert task.stopped_by == ""


def test_a_task_that_is_listed_and_not_described_is_stopped_and_shown(shop: MotoProject, ecs: Ecs) -> None:
    task = ecs.add(Life(("MISSING", "RUNNING")))
    assert f"{FIRST} UNKNOWN" in shop.checkout.invoke("status", "--project", shop.name, env=shop.environ).stdout
    task.looks = 0
    result = shop.invoke("stop")
    assert (result.exit, task.stopped_by) == (0, "stopped by invoke")


def test_a_start_whose_answer_stays_lost(shop: MotoProject, ecs: Ecs, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may have begun a run: to run it again would be a second one."""
    ecs.will(Life())
    with Proxy.to(ecs.url) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SFN", proxy.url)
        proxy.fault("lose", path="StartExecution")
        effects = TaskHooks(lambda _: None, lambda _: None, time.monotonic, lambda: None)
        with pytest.raises(AWSError) as error:
            start_execution(cluster_of(shop), RunOptions(), effects)
    assert len(ecs.executions) == 1
    assert shop.stable(str(error.value.hint)) == (
        "a run may have started anyway: invoke status --project shop; if none runs: invoke run --project shop"
    )


def follow(shop: MotoProject, said: list[str], absence: Absence) -> str:
    """The log of the first task, followed in little time."""
    shown: list[str] = []
    cluster = cluster_of(shop)
    effects = LogSink(shown.append, said.append, lambda _: time.sleep(0.05), absence=absence)
    follow_logs(cluster, LogQuery(cluster.log_stream(FIRST)), LogFormatter(), effects, on=False)
    return shop.stable("".join(shown))


@pytest.mark.parametrize("absent", ["MISSING", "EMPTY", "REFUSED"])
def test_a_silent_task_is_followed_over_an_answer_without_it(
    shop: MotoProject, ecs: Ecs, monkeypatch: pytest.MonkeyPatch, absent: str
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECS", ecs.url)
    ecs.add(Life(("RUNNING", absent, absent, "RUNNING"), then=lambda _: None))
    write_log(shop, FIRST, "first")
    threading.Timer(2.5, lambda: write_log(shop, FIRST, DONE)).start()
    assert follow(shop, [], Absence()) == f"CLOCK handoff | first\nCLOCK handoff | {DONE}\n"


def test_a_forgotten_task_is_followed_to_what_its_record_says(
    shop: MotoProject, ecs: Ecs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECS", ecs.url)
    ecs.add(Life(("MISSING",)))
    remember(shop, "running", None, {"lease_seconds": -5})
    said: list[str] = []
    follow(shop, said, BRIEFLY)
    assert re.sub(r"\d+ s", "N s", shop.stable(said[-1])) == (
        f"task TASK is over: run {RUN_ID} was killed (last heartbeat N s ago)"
    )


# stop


def test_stop_where_nothing_runs(shop: MotoProject, ecs: Ecs) -> None:
    ecs.add(Life(("STOPPED",)))
    assert shop.invoke("stop") == InvokeResult(
        0,
        "",
        """\
no task of handoff-dev-shop runs; one just started may not be listed yet: invoke stop --project shop --task ID
next: invoke logs --project shop
""",
    )


def test_stop(shop: MotoProject, ecs: Ecs) -> None:
    task = ecs.add(FOREVER)
    assert shop.invoke("--dry", "stop") == InvokeResult(
        0, "", "would stop task TASK (RUNNING)\nnothing was done: --dry\n"
    )
    assert not task.stopped_by
    assert shop.invoke("stop") == InvokeResult(
        0,
        "",
        """\
stop task TASK (RUNNING)
stop requested; it has 30 s
STOPPED after N s
task TASK was stopped by invoke (exit 143)
next: invoke logs --project shop
""",
    )


def test_stop_ends_executions_with_their_tasks_and_without(shop: MotoProject, ecs: Ecs) -> None:
    ecs.add_execution(ecs.add(FOREVER))
    ecs.add_execution(ecs.add(Life(("MISSING", "MISSING", "PENDING"))))  # not listed yet
    ecs.add_execution(ecs.add(Life(("STOPPED",), code=1)))  # about to end
    ecs.add_execution(wait=600)
    result = shop.invoke("stop", "--yes")
    assert (result.exit, result.stderr.splitlines()[:3]) == (
        0,
        [
            "stop task TASK (RUNNING)",
            f"stop task {2:032x} (UNKNOWN)",
            "stop execution EXECUTION (it has no task at present)",
        ],
    )
    assert [task.stopped_by for task in ecs.tasks] == ["stopped by invoke", "stopped by invoke", ""]
    assert [each.status for each in ecs.executions] == ["ABORTED", "ABORTED", "FAILED", "ABORTED"]


def test_several_are_not_stopped_without_being_asked_for(shop: MotoProject, ecs: Ecs) -> None:
    found = [ecs.add(FOREVER) for _ in range(2)]
    assert shop.invoke("stop") == InvokeResult(
        2,
        "",
        """\
error: stop: stop 2 runs of project shop: needs --yes without a terminal
hint: invoke stop --project shop --yes
""",
    )
    assert [task.stopped_by for task in found] == ["", ""]
    assert shop.invoke("stop", "--task", found[1].id).exit == 0
    assert [task.stopped_by for task in found] == ["", "stopped by invoke"]
    found.append(ecs.add(FOREVER))
    assert shop.invoke("stop", "--yes").exit == 0
    assert [task.stopped_by for task in found] == ["stopped by invoke"] * 3


def test_a_task_that_does_not_run_is_not_stopped(shop: MotoProject, ecs: Ecs) -> None:
    ecs.add(FOREVER)
    result = shop.invoke("stop", "--task", "nothing")
    assert (result.exit, result.stderr) == (
        2,
        "error: --task: found nothing, expected one that runs: TASK\nhint: invoke status --project shop\n",
    )


# logs


def test_the_log_of_the_newest_task(shop: MotoProject, ecs: Ecs) -> None:
    for number, words in enumerate(("old", "new")):
        write_log(shop, ecs.add(Life(("RUNNING",))).id, f"run {number}", words)
    ecs.add(NOT_STARTED)
    assert shop.invoke("logs") == InvokeResult(
        0, "CLOCK handoff | run 1\nCLOCK handoff | new\n", "next: invoke status --project shop\n"
    )
    assert shop.invoke("logs", "--lines", "1").stdout == "CLOCK handoff | new\n"
    assert shop.invoke("logs", "--run", FIRST).stdout == "CLOCK handoff | run 0\nCLOCK handoff | old\n"


def test_the_log_of_a_task_that_ecs_has_forgotten(shop: MotoProject) -> None:
    write_log(shop, "a" * 32, "old")
    assert shop.invoke("logs").stdout == "CLOCK handoff | old\n"


def test_the_log_of_a_run(shop: MotoProject) -> None:
    run = time.strftime("%Y%m%dT%H%M%SZ-abcdef", time.gmtime())
    write_log(shop, "a" * 32, f"run {run} of shop: echo | cat", DONE)
    write_log(shop, "b" * 32, "another")
    assert (
        shop.invoke("logs", "--run", run).stdout
        == f"CLOCK handoff | run {run} of shop: echo | cat\nCLOCK handoff | {DONE}\n"
    )
    result = shop.invoke("logs", "--run", "nightly")
    assert (result.exit, result.stderr) == (
        1,
        "error: run nightly: found in no stream of log group /handoff/handoff-dev-shop, expected the id of a run on Fargate\n"
        "hint: invoke history --remote --project shop\n",
    )


def test_the_log_of_all_tasks_since_a_time(shop: MotoProject) -> None:
    write_log(shop, "a" * 32, "long ago", at=time.time() - 7200)
    write_log(shop, "b" * 32, "before", at=time.time() - 1000)
    write_log(shop, "c" * 32, "now")
    assert shop.invoke("logs", "--since", "1h").stdout == "CLOCK handoff | before\nCLOCK handoff | now\n"
    assert shop.invoke("logs", "--since", "1h", "--lines", "1").stdout == "CLOCK handoff | now\n"
    assert shop.invoke("logs", "--since", "1m", "--json").stdout == (
        '{"time": "2026-01-01TCLOCK.000Z", "stage": "handoff", "message": "now"}\n'
    )


def test_a_long_log_comes_in_pages(shop: MotoProject) -> None:
    """One answer of CloudWatch holds 10,000 lines."""
    lines, began = [f"line {number}" for number in range(12_000)], time.time() - 600
    for first in (0, 6_000):
        write_log(shop, "a" * 32, *lines[first : first + 6_000], at=began + first / 100)
    expected = [f"CLOCK handoff | {line}" for line in lines]
    assert shop.invoke("logs", "--run", "a" * 32).stdout.splitlines() == expected
    assert shop.invoke("logs", "--since", "1h").stdout.splitlines() == expected
    assert shop.invoke("logs", "--lines", "3").stdout.splitlines() == expected[-3:]


def test_there_is_no_log_yet(shop: MotoProject) -> None:
    result = shop.invoke("logs")
    assert (result.exit, result.stderr) == (
        1,
        "error: log group /handoff/handoff-dev-shop: found no log, expected the log of a run\n"
        "hint: start one: invoke run --project shop; not deployed yet: invoke deploy --project shop\n",
    )
    result = shop.invoke("logs", "--run", "f" * 32)
    assert result.stderr.startswith("error: log group /handoff/handoff-dev-shop: found no stream run/handoff/ffff")


def test_a_log_is_followed_to_the_end_of_its_task(shop: MotoProject, ecs: Ecs) -> None:
    task = ecs.add(Life(("RUNNING",)))
    write_log(shop, task.id, "first")
    threading.Timer(4, lambda: write_log(shop, task.id, DONE)).start()
    result = shop.invoke("logs", "--follow", "--run", task.id)
    assert result == InvokeResult(
        0,
        f"CLOCK handoff | first\nCLOCK handoff | {DONE}\n",
        "following run/handoff/TASK\nnext: invoke status --project shop\n",
    )


def test_a_log_is_followed_over_silence_to_what_comes_after_the_end(shop: MotoProject, ecs: Ecs) -> None:
    shop.env["HANDOFF_TEST_SPEED"] = "1"  # it is given up after so many looks without a line
    task = ecs.add(Life(("RUNNING",)))
    write_log(shop, task.id, "first")

    def stop() -> None:
        ecs.answer("StopTask", {"task": task.id, "reason": "by a test"})
        threading.Timer(6, lambda: write_log(shop, task.id, DONE)).start()

    threading.Timer(13, stop).start()
    result = shop.invoke("logs", "--follow", "--run", task.id)
    assert result.stdout == f"CLOCK handoff | first\nCLOCK handoff | {DONE}\n"


def test_a_log_is_followed_until_ctrl_c(shop: MotoProject, ecs: Ecs) -> None:
    task = ecs.add(Life(("RUNNING",)))
    write_log(shop, task.id, DONE)
    with shop.start("logs", "--follow", stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline().endswith(b"succeeded after 1.0 s\n")
        task = ecs.add(Life(("RUNNING",)))
        write_log(shop, task.id, "the next run")
        assert process.stdout.readline().endswith(b"the next run\n")
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=30)
    assert (process.returncode, stderr.decode().splitlines()[-1]) == (0, f"next: invoke status --project {shop.name}")
