"""The tasks run, stop and logs, as a person types them: against moto, and an ECS whose tasks do as they are told."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import string
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from doubles.checkout import Team, Told
from doubles.ecs import ACCOUNT, CLUSTER, Ecs, Life, NoTask, Refused
from doubles.fault_proxy import Proxy
from doubles.moto_bucket import HURRIED
from doubles.terminal import Shown, show

from handoff_kit.aws.ecs.cluster import Hints, ProjectTasks
from handoff_kit.aws.ecs.log_stream import LogFormatter
from handoff_kit.aws.ecs.logs import LogQuery, LogSink, follow_logs
from handoff_kit.aws.ecs.run_task import TaskHooks, start_task
from handoff_kit.aws.ecs.stop_reasons import TaskResult
from handoff_kit.aws.ecs.task_observer import Absence
from handoff_kit.aws.ecs.watch import InterruptPrompt, TaskWatch, Timeouts
from handoff_kit.aws.target import Target
from handoff_kit.errors import AWSError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from doubles.moto_bucket import Cloud

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


@dataclass
class Desk:
    """A team's checkout with one project, deployed to a cloud."""

    team: Team
    cloud: Cloud
    ecs: Ecs
    name: str
    more: dict[str, str] = field(default_factory=dict)

    @property
    def stack(self) -> str:
        return f"handoff-dev-{self.name}"

    @property
    def group(self) -> str:
        return f"/handoff/{self.stack}"

    @property
    def environ(self) -> dict[str, str]:
        kept = {name: value for name, value in self.cloud.environ.items() if name != "STACK_NAME"}
        return {**kept, "AWS_ENDPOINT_URL_ECS": self.ecs.url, "TZ": "UTC", **HURRIED, **self.more}

    def invoke(self, *words: str) -> Told:
        told = self.team.invoke(*words, "--project", self.name, env=self.environ)
        return Told(told.exit, self.stable(told.stdout), self.stable(told.stderr))

    def start(self, *words: str, **popen: Any) -> subprocess.Popen[bytes]:
        return self.team.start(*words, "--project", self.name, env=self.environ, **popen)

    def show(self, *words: str) -> Shown:
        return show(self.team, *words, "--project", self.name, env=self.environ)

    def stable(self, text: str) -> str:
        text = text.replace(self.name, "shop").replace(FIRST, "TASK")
        text = re.sub(r"\d\d:\d\d:\d\d", "CLOCK", text)
        return re.sub(r"after \d+ s", "after N s", text)

    def deploy(self, source: str = "aaaaaaaaaaaa") -> None:
        """The stacks, as far as running looks at them."""
        outputs = {
            "TaskDefinition": f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/{self.stack}:1",
            "Source": source,
        }
        shared = {"Subnets": "subnet-1,subnet-2", "SecurityGroup": "sg-1", "Bucket": self.cloud.bucket}
        cloudformation = self.cloud.boto("cloudformation")
        pages = cloudformation.get_paginator("describe_stacks").paginate()
        there = {stack["StackName"] for page in pages for stack in page["Stacks"]}
        for name, values in (("handoff-dev", shared), (self.stack, outputs)):
            if name not in there:
                bucket = [{"ParameterKey": "Bucket", "ParameterValue": self.cloud.bucket}]
                cloudformation.create_stack(StackName=name, TemplateBody=template(values), Parameters=bucket)
        self.cloud.boto("logs").create_log_group(logGroupName=self.group)

    def logs(self, task: str, *messages: str, stage: str = "handoff", at: float | None = None) -> None:
        """What the runtime of a task writes to its log."""
        logs, stream = self.cloud.boto("logs"), f"run/handoff/{task}"
        if not logs.describe_log_streams(logGroupName=self.group, logStreamNamePrefix=stream)["logStreams"]:
            logs.create_log_stream(logGroupName=self.group, logStreamName=stream)
        now = at or time.time()
        lines = [{"time": "2026-01-01T00:00:00.000Z", "stage": stage, "message": message} for message in messages]
        events = [
            {"timestamp": int(now * 1000) + number, "message": json.dumps(line)} for number, line in enumerate(lines)
        ]
        logs.put_log_events(logGroupName=self.group, logStreamName=stream, logEvents=events)


def template(outputs: dict[str, str]) -> str:
    return json.dumps(
        {
            "Parameters": {"Bucket": {"Type": "String"}},
            "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
            "Outputs": {name: {"Value": text} for name, text in outputs.items()},
        }
    )


@pytest.fixture
def desk(team: Team, cloud: Cloud, ecs: Ecs) -> Desk:
    """A project of a name nobody has used, deployed."""
    name = "shop-" + "".join(random.choices(string.ascii_lowercase, k=8))
    team.project(name, PROJECT, CONFIG)
    made = Desk(team, cloud, ecs, name)
    made.deploy()
    return made


@pytest.mark.parametrize("task", ["run", "stop", "logs"])
def test_the_help_of(team: Team, task: str) -> None:
    """UPDATE_GOLDENS=1 writes them anew; `--help` must not run the task."""
    told = team.invoke(task, "--help")
    if os.environ.get("UPDATE_GOLDENS"):
        (GOLDEN / f"{task}.txt").write_text(told.stdout, encoding="utf-8")
    assert told == Told(0, (GOLDEN / f"{task}.txt").read_text(encoding="utf-8"), "")


# a run


def test_a_run_is_watched_to_its_end(desk: Desk) -> None:
    desk.ecs.will(Life(then=lambda task: desk.logs(task, DONE)))
    assert desk.invoke("run", "--var", "base=JPY", "--env", "LEVEL=debug", "--memory", "1GB") == Told(
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
    request = desk.ecs.tasks[0].request
    assert {**request, "clientToken": "TOKEN"} == {
        "cluster": CLUSTER,
        "taskDefinition": desk.stack,
        "count": 1,
        "clientToken": "TOKEN",
        "launchType": "FARGATE",
        "networkConfiguration": {
            "awsvpcConfiguration": {
                "subnets": ["subnet-1", "subnet-2"],
                "securityGroups": ["sg-1"],
                "assignPublicIp": "ENABLED",
            }
        },
        "overrides": {
            "containerOverrides": [
                {
                    "name": "handoff",
                    "environment": [
                        {"name": "COMMAND", "value": "run"},
                        {"name": "TRIGGER", "value": "run"},
                        {"name": "LEVEL", "value": "debug"},
                        {"name": "DATA", "value": '{"base":"JPY"}'},
                    ],
                }
            ],
            "cpu": "256",
            "memory": "1024",
        },
        "startedBy": "handoff-run",
        "propagateTags": "TASK_DEFINITION",
        "enableECSManagedTags": True,
    }


def test_dry_tells_the_same_and_starts_nothing(desk: Desk) -> None:
    desk.ecs.will(Life())
    assert desk.invoke("--dry", "run", "--command", "show_commands") == Told(
        0,
        "",
        """\
would start a task of handoff-dev-shop in cluster handoff-dev (Fargate, 256 CPU units, 512 MiB; command show_commands)
nothing was done: --dry
""",
    )
    assert (desk.ecs.calls, desk.ecs.tasks) == ([], [])


def test_a_failed_run_ends_with_the_exit_code_of_its_container(desk: Desk) -> None:
    words = "failed after 1.0 s: stage cat ended with exit 3"
    desk.ecs.will(Life(code=3, then=lambda task: desk.logs(task, "run X of shop: echo | cat", words)))
    told = desk.invoke("run")
    assert (told.exit, told.stdout) == (3, "")
    assert told.stderr.endswith(
        f"""\
CLOCK handoff | run X of shop: echo | cat
CLOCK handoff | {words}
task TASK failed: stage cat ended with exit 3 (exit 3)
hint: see its log: invoke logs --project shop
next: invoke logs --project shop --run TASK
"""
    )


def test_lines_that_arrive_after_the_end_are_shown(desk: Desk) -> None:
    def late(task: str) -> None:
        desk.logs(task, "not the last", stage="echo")
        threading.Timer(3, lambda: desk.logs(task, DONE)).start()

    desk.ecs.will(Life(then=late))
    told = desk.invoke("run")
    assert told.stderr.endswith(
        """\
STOPPED after N s
CLOCK echo    | not the last
CLOCK handoff | succeeded after 1.0 s
task TASK succeeded (exit 0)
next: invoke artifacts.get --project shop
"""
    )


def test_killed_for_memory_names_the_next_size(desk: Desk) -> None:
    desk.ecs.will(Life(code=137, container="OutOfMemoryError: Container killed due to memory usage"))
    told = desk.invoke("run")
    assert told.exit == 137
    assert told.stderr.endswith(
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


def test_a_task_that_fails_to_start_is_started_again(desk: Desk) -> None:
    desk.ecs.will(NOT_STARTED, NOT_STARTED, Life(then=lambda task: desk.logs(task, DONE)))
    told = desk.invoke("run")
    reason = "never started: it got no address in its subnet: Timeout waiting for network interface provisioning"
    assert (told.exit, len(desk.ecs.tasks)) == (0, 3)
    assert [line for line in told.stderr.splitlines() if "start" in line][1:] == [
        "started task TASK",
        reason,
        "starting it again (2 of 3)",
        f"started task {2:032x}",
        reason,
        "starting it again (3 of 3)",
        f"started task {3:032x}",
    ]
    assert len({task.request["clientToken"] for task in desk.ecs.tasks}) == 3


def test_a_task_that_never_starts_is_given_up(desk: Desk) -> None:
    desk.ecs.will(NOT_STARTED)
    told = desk.invoke("run")
    assert (told.exit, len(desk.ecs.tasks)) == (1, 3)
    assert told.stderr.endswith(
        f"""\
task {3:032x} never started: it got no address in its subnet: Timeout waiting for network interface provisioning
hint: try again: invoke run --project shop
next: invoke status --project shop
"""
    )


def test_what_would_fail_again_is_not_started_again(desk: Desk) -> None:
    desk.ecs.will(NO_IMAGE)
    told = desk.invoke("run")
    assert (told.exit, len(desk.ecs.tasks)) == (1, 1)
    assert "never started: its image does not exist any more: CannotPullContainerError: x: not found" in told.stderr


def test_a_run_that_has_begun_is_not_started_again(desk: Desk) -> None:
    desk.ecs.will(Life(code=143, stop="SpotInterruption", reason="Your Spot Task was interrupted."))
    told = desk.invoke("run")
    assert (told.exit, len(desk.ecs.tasks)) == (143, 1)
    assert "was interrupted: AWS took the Spot capacity back (exit 143)" in told.stderr


@pytest.mark.parametrize(
    ("coming", "told"),
    [
        pytest.param(
            [Refused("InvalidParameterException", "Rate exceeded")] * 2,
            [
                "ECS RunTask: 400 InvalidParameterException; attempt 2 of 8",
                "ECS RunTask: 400 InvalidParameterException; attempt 3 of 8",
            ],
            id="throttled under another name",
        ),
        pytest.param(
            [Refused("ThrottlingException", "slow down")],
            ["ECS RunTask: 400 ThrottlingException; attempt 2 of 8"],
            id="throttled",
        ),
        pytest.param(
            [Refused("ServerException", "", 500)], ["ECS RunTask: 500 ServerException; attempt 2 of 8"], id="broken"
        ),
        pytest.param(
            [NoTask("Capacity is unavailable at this time. Please try again later")],
            ["not started: Capacity is unavailable at this time. Please try again later"],
            id="no capacity",
        ),
        pytest.param(
            [Refused("ClientException", "You've reached the limit on the number of tasks you can run concurrently")],
            [
                "not started: ECS RunTask: answered 400 ClientException (You've reached the limit on the number of tasks you can run concurrently)"
            ],
            id="too many",
        ),
    ],
)
def test_a_start_that_is_refused_for_now_is_tried_again(
    desk: Desk, coming: list[Refused | NoTask], told: list[str]
) -> None:
    desk.ecs.will(*coming, Life(then=lambda task: desk.logs(task, DONE)))
    found = desk.invoke("run")
    assert (found.exit, len(desk.ecs.tasks)) == (0, 1)
    lines = [re.sub(r"(; retry)? in [0-9.]+ s$", "", line) for line in found.stderr.splitlines()]
    assert lines[1 : 1 + len(told)] == told


@pytest.mark.parametrize(
    ("coming", "message", "hint"),
    [
        pytest.param(
            NoTask("MISSING"),
            "task of handoff-dev-shop: not started: MISSING",
            "invoke deploy --project shop",
            id="no such definition",
        ),
        pytest.param(
            Refused("ClusterNotFoundException", "Cluster not found."),
            "ECS RunTask: answered 400 ClusterNotFoundException (Cluster not found.)",
            "its cluster does not exist: invoke deploy --project shop",
            id="no cluster",
        ),
        pytest.param(
            Refused("InvalidParameterException", "The subnet ID 'subnet-1' does not exist"),
            "ECS RunTask: answered 400 InvalidParameterException (The subnet ID 'subnet-1' does not exist)",
            "projects/shop/project.yml: deploy: {subnets: [...]} must name subnets of this region",
            id="no subnet",
        ),
    ],
)
def test_a_start_that_is_refused(desk: Desk, coming: Refused | NoTask, message: str, hint: str) -> None:
    desk.ecs.will(coming)
    told = desk.invoke("run")
    assert (told.exit, told.stderr.splitlines()[1:]) == (1, [f"error: {message}", f"hint: {hint}"])
    assert desk.ecs.calls == ["RunTask"]


def test_no_permission_to_start(desk: Desk) -> None:
    desk.ecs.will(Refused("AccessDeniedException", "User is not authorized to perform: ecs:RunTask"))
    told = desk.invoke("run")
    assert told.exit == 1
    assert "AccessDeniedException found, the permission ecs:RunTask on " in told.stderr


def test_an_answer_that_is_lost_starts_no_second_task(desk: Desk) -> None:
    desk.ecs.will(Life(then=lambda task: desk.logs(task, DONE)))
    with Proxy.to(desk.ecs.url) as proxy:
        proxy.fault("lose", path="RunTask", times=1)
        desk.more["AWS_ENDPOINT_URL_ECS"] = proxy.url
        told = desk.invoke("run")
    assert (told.exit, desk.ecs.calls.count("RunTask"), len(desk.ecs.tasks)) == (0, 2, 1)


@pytest.mark.parametrize("task", ["run", "stop", "logs", "status"])
def test_a_project_that_is_not_deployed(desk: Desk, task: str) -> None:
    desk.team.project("fresh", PROJECT)
    told = desk.team.invoke(task, "--project", "fresh", "--environment", "prod", env=desk.environ)
    if task == "status":
        assert (told.exit, "handoff-prod-fresh: not deployed" in told.stdout) == (0, True)
    else:
        assert (told.exit, told.stderr.splitlines()[-1]) == (
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
def test_what_is_wrong_is_told_before_anything_is_started(desk: Desk, words: tuple[str, ...]) -> None:
    told = desk.invoke("run", *words)
    assert (told.exit, told.stdout, desk.ecs.calls) == (2, "", [])
    assert told.stderr.splitlines()[-2].startswith("error: --")
    assert SECRET not in told.stderr


def test_detached(desk: Desk) -> None:
    desk.ecs.will(Life())
    told = desk.invoke("run", "--detach")
    assert (told.exit, told.stdout, desk.ecs.calls) == (0, "TASK\n", ["RunTask"])
    assert told.stderr.splitlines()[1:] == [
        "to stop it: invoke stop --project shop --task TASK",
        "next: invoke logs --project shop --run TASK --follow",
    ]


# signals

FOREVER = Life(("RUNNING",))


@pytest.fixture
def watching(desk: Desk) -> Iterator[Shown]:
    """A run that is watched on a terminal."""
    desk.ecs.will(FOREVER)
    shown = desk.show("run")
    shown.read_until(lambda: "RUNNING" in shown.text)
    yield shown
    if shown.process.poll() is None:
        shown.process.kill()
        shown.process.wait()


ASKED = "keep watching (Enter)? "


def test_ctrl_c_asks_and_detaches(desk: Desk, watching: Shown) -> None:
    watching.type(b"\x03")
    watching.read_until(lambda: ASKED in watching.text)
    watching.type(b"d\n")
    assert watching.finish() == 130
    assert f"detached: task {FIRST} continues" in watching.text
    assert "StopTask" not in desk.ecs.calls


def test_a_second_ctrl_c_detaches(desk: Desk, watching: Shown) -> None:
    watching.type(b"\x03")
    watching.read_until(lambda: ASKED in watching.text)
    watching.type(b"\x03")
    assert watching.finish() == 130
    assert f"invoke stop --project {desk.name} --task {FIRST}" in watching.text
    assert "StopTask" not in desk.ecs.calls


def test_ctrl_c_asks_and_stops(desk: Desk, watching: Shown) -> None:
    watching.type(b"\x03")
    watching.read_until(lambda: ASKED in watching.text)
    watching.type(b"s\n")
    assert watching.finish() == 143
    assert "was stopped by invoke (exit 143)" in watching.text
    assert desk.ecs.calls.count("StopTask") == 1


def test_ctrl_c_by_mistake(desk: Desk, watching: Shown) -> None:
    watching.type(b"\x03")
    watching.read_until(lambda: ASKED in watching.text)
    watching.type(b"\n")
    looks = desk.ecs.calls.count("DescribeTasks")
    watching.read_until(lambda: desk.ecs.calls.count("DescribeTasks") > looks)
    watching.type(b"\x03")
    watching.read_until(lambda: watching.text.count(ASKED) == 2)
    watching.type(b"\x04")
    assert watching.finish() == 130


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_without_a_terminal_a_signal_detaches(desk: Desk, number: signal.Signals, code: int) -> None:
    desk.ecs.will(FOREVER)
    with desk.start("run", stderr=subprocess.PIPE) as process:
        assert process.stderr
        said = b""
        while b"RUNNING" not in said:
            said += process.stderr.readline()
        process.send_signal(number)
        rest = process.stderr.read().decode()
    assert (process.returncode, desk.stable(rest)) == (
        code,
        """\
detached: task TASK continues
to stop it: invoke stop --project shop --task TASK
next: invoke logs --project shop --run TASK --follow
""",
    )
    assert "StopTask" not in desk.ecs.calls


def test_a_signal_before_there_is_a_task(desk: Desk) -> None:
    desk.ecs.will(NoTask("Capacity is unavailable at this time."))
    with desk.start("run", stderr=subprocess.PIPE) as process:
        assert process.stderr
        while b"not started" not in process.stderr.readline():
            pass
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read().decode()
    assert (process.returncode, desk.stable(rest).splitlines()) == (
        130,
        [
            "error: interrupted before a task was started",
            "hint: if its answer was lost, a task may run anyway: invoke status --project shop",
        ],
    )


# timeouts


def cluster_of(desk: Desk) -> ProjectTasks:
    """The tasks of the desk's project, for a test that calls us itself."""
    stack = Target(desk.name, "dev", desk.stack, "", f"--project {desk.name}", desk.cloud.session())
    known = Hints(stack.options, f"projects/{desk.name}/project.yml", desk.stack, stop_timeout=0)
    return ProjectTasks(stack, CLUSTER, known)


def watched(desk: Desk, timeouts: Timeouts | None = None, step: float = 0.0) -> tuple[TaskWatch, list[str]]:
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
    return TaskWatch(cluster_of(desk), desk.ecs.tasks[0].arn, effects, prompt, None, timeouts or Timeouts()), said


class Quiet:
    """Signals that never come."""

    fd = -1

    def take(self) -> bytes:
        return b""


def test_a_task_that_stays_pending_is_told_of_and_given_up(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECS", desk.ecs.url)
    task = desk.ecs.add(Life(("PENDING",)))
    watch, said = watched(desk, Timeouts(report_start=0.5, start=1.5))
    with pytest.raises(AWSError) as error:
        watch.wait()
    look = "if it stays so: do its subnets have a route to the internet (public_ip, or a NAT gateway), and how large is its image?"
    assert list(map(desk.stable, said)) == [
        "PENDING after N s",
        f"still PENDING after N s; {look} invoke status --project shop",
    ]
    assert desk.stable(error.value.message) == "task TASK: still PENDING after N s, and so stopped; expected it to run"
    assert task.stopped_by == "did not start in time"


def test_a_task_that_does_not_stop_is_given_up(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECS", desk.ecs.url)
    desk.ecs.add(Life(("RUNNING",), stops=False))
    watch, _ = watched(desk, Timeouts(stopping=0.5))
    watch.stop()
    with pytest.raises(AWSError) as error:
        watch.wait()
    assert desk.stable(error.value.message) == "task TASK: still RUNNING 1 s after its stop was requested"


# what ECS does not know

RUN_ID = "20260131T020000Z-abcdef"
BEGUN = {"run_id": RUN_ID, "started_at": "2026-01-31T02:00:00.000Z"}
BRIEFLY = Absence(0.1, 0.2)
RAN = ("PENDING", "RUNNING", "RUNNING")


def remember(desk: Desk, outcome: str | None, code: int | None = None, lock: dict[str, Any] | None = None) -> None:
    """What the run of the first task left: the head of its log; its record; its lock."""
    desk.logs(FIRST, f"run {RUN_ID} of shop: echo | cat")
    entry = {**BEGUN, "outcome": outcome, "exit": code, "reason": "stage tap failed" if code else None}
    if outcome:
        desk.cloud.put(f"{desk.stack}/runs/{RUN_ID}/run.json", json.dumps(entry).encode())
    if lock is not None:
        claim = {"run_id": RUN_ID, "holder": "a", "lease_seconds": 90, "released": False, "entry": entry, **lock}
        desk.cloud.put(f"{desk.stack}/.lock", json.dumps(claim).encode())


@pytest.mark.parametrize("absent", ["MISSING", "EMPTY", "REFUSED"])
def test_a_task_that_runs_is_not_stopped_for_an_answer_without_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, absent: str
) -> None:
    """Just after its start; after twenty minutes, when the start limit is long over; and several times on end."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECS", desk.ecs.url)
    states = (absent, absent, *RAN, *["RUNNING"] * 60, absent, "RUNNING", absent, absent, "RUNNING", "STOPPED")
    task = desk.ecs.add(Life(states))
    watch, said = watched(desk, step=20)
    assert (watch.wait(), task.stopped_by) == (TaskResult(0, "succeeded (exit 0)"), "")
    assert list(map(desk.stable, said)) == ["PENDING after N s", "RUNNING after N s", "STOPPED after N s"]


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
    desk: Desk,
    monkeypatch: pytest.MonkeyPatch,
    outcome: str | None,
    code: int | None,
    lock: dict[str, Any] | None,
    expected: TaskResult,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECS", desk.ecs.url)
    task = desk.ecs.add(Life((*RAN, "MISSING")))
    remember(desk, outcome, code, lock)
    watch, _ = watched(desk, step=60)
    found = watch.wait()
    assert isinstance(found, TaskResult)
    words = re.sub(r"\d+ s ago", "N s ago", found.sentence)
    assert (found.code, words, found.hint and desk.stable(found.hint)) == (
        expected.code,
        expected.sentence,
        expected.hint,
    )
    assert task.stopped_by == ""


def test_a_lock_that_is_held_keeps_a_forgotten_task_watched(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECS", desk.ecs.url)
    desk.ecs.add(Life((*RAN, "MISSING")))
    remember(desk, "running", None, {})
    watch, said = watched(desk, step=60)
    threading.Timer(2.0, lambda: remember(desk, "succeeded", 0)).start()
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
    desk: Desk, monkeypatch: pytest.MonkeyPatch, messages: tuple[str, ...], facts: str
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECS", desk.ecs.url)
    desk.ecs.add(Life((*RAN, "MISSING")))
    if messages:
        desk.logs(FIRST, *messages)
    watch, _ = watched(desk, step=60)
    with pytest.raises(AWSError) as error:
        watch.wait()
    said = re.sub(r"for \d+ s", "for N s", desk.stable(error.value.message)).replace(desk.cloud.bucket, "BUCKET")
    assert said == f"task TASK: ECS has not known it for N s, and {facts}; it may still run"
    assert desk.stable(str(error.value.hint)) == (
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
    desk: Desk, monkeypatch: pytest.MonkeyPatch, fault: dict[str, Any]
) -> None:
    """For more tries than one call has."""
    desk.ecs.add(Life(("RUNNING", "RUNNING", "STOPPED")))
    with Proxy.to(desk.ecs.url) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL_ECS", proxy.url)
        proxy.fault(**{"kind": "answer", "path": "DescribeTasks", "times": 20, **fault})
        watch, _ = watched(desk, step=20)
        assert watch.wait() == TaskResult(0, "succeeded (exit 0)")


def test_a_service_that_never_answers_is_given_up(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    task = desk.ecs.add(FOREVER)
    with Proxy.to(desk.ecs.url) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL_ECS", proxy.url)
        proxy.fault("answer", path="DescribeTasks", status=400, code="ThrottlingException")
        watch, _ = watched(desk, step=60)
        with pytest.raises(AWSError) as error:
            watch.wait()
    assert "throttled (ThrottlingException), still after 8 attempts" in error.value.message
    assert desk.stable(str(error.value.hint)).startswith("see what runs: invoke status --project shop; its log: ")
    assert task.stopped_by == ""


def test_a_task_that_ran_and_has_no_exit_code(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECS", desk.ecs.url)
    desk.ecs.add(Life((*RAN, "STOPPED"), None, "TaskFailedToStart", "Host failure"))
    watch, _ = watched(desk, step=20)
    assert watch.wait() == TaskResult(
        1, "stopped without an exit code: Host failure", f"see its log: invoke logs --project {desk.name}"
    )


def test_a_forgotten_task_in_the_words_of_stop(desk: Desk) -> None:
    desk.ecs.add(Life((*RAN, "MISSING"))).looks = 9
    remember(desk, "failed", 3)
    told = desk.invoke("stop", "--task", FIRST)
    assert (told.exit, told.stderr) == (
        0,
        f"""\
stop task TASK (UNKNOWN)
ECS does not know the task at present; it is stopped as soon as it does
task TASK failed: stage tap failed (exit 3), by the record of run {RUN_ID}
next: invoke logs --project shop
""",
    )


def test_ctrl_c_before_ecs_knows_the_task_to_stop(desk: Desk) -> None:
    desk.ecs.add(Life(("MISSING",)))
    with desk.start("stop", "--task", FIRST, stderr=subprocess.PIPE) as process:
        assert process.stderr
        while b"as soon as" not in process.stderr.readline():
            pass
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read().decode()
    assert desk.stable(rest) == (
        "task TASK was not stopped, since ECS does not know it at present, and may still run\n"
        "next: invoke logs --project shop\n"
    )


def test_a_task_that_is_not_listed_yet_is_stopped(desk: Desk) -> None:
    """StopTask and DescribeTasks do not know it either, at first."""
    task = desk.ecs.add(Life(("MISSING", "MISSING", "PENDING")))
    told = desk.invoke("stop", "--task", FIRST)
    assert (told.exit, task.stopped_by) == (0, "stopped by invoke")
    assert "task TASK was stopped by invoke (exit 143)" in told.stderr


def test_a_task_that_has_ended_is_not_stopped(desk: Desk) -> None:
    task = desk.ecs.add(Life(("STOPPED",)))
    assert desk.invoke("stop", "--task", FIRST) == Told(
        0, "", "task TASK has ended\nnext: invoke logs --project shop\n"
    )
    assert task.stopped_by == ""


def test_a_task_that_is_listed_and_not_described_is_stopped_and_shown(desk: Desk) -> None:
    task = desk.ecs.add(Life(("MISSING", "RUNNING")))
    assert f"{FIRST} UNKNOWN" in desk.team.invoke("status", "--project", desk.name, env=desk.environ).stdout
    task.looks = 0
    told = desk.invoke("stop")
    assert (told.exit, task.stopped_by) == (0, "stopped by invoke")


def test_a_start_whose_answer_stays_lost(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may have begun a task: to run it again would be a second one."""
    desk.ecs.will(Life())
    with Proxy.to(desk.ecs.url) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL_ECS", proxy.url)
        proxy.fault("lose", path="RunTask")
        effects = TaskHooks(lambda _: None, lambda _: None, time.monotonic, lambda: None)
        with pytest.raises(AWSError) as error:
            start_task(cluster_of(desk), {"taskDefinition": desk.stack}, effects)
    assert len(desk.ecs.tasks) == 1
    assert desk.stable(str(error.value.hint)) == (
        "a task may have started anyway: invoke status --project shop; if none runs: invoke run --project shop"
    )


def follow(desk: Desk, said: list[str], absence: Absence) -> str:
    """The log of the first task, followed in little time."""
    shown: list[str] = []
    cluster = cluster_of(desk)
    effects = LogSink(shown.append, said.append, lambda _: time.sleep(0.05), absence=absence)
    follow_logs(cluster, LogQuery(cluster.log_stream(FIRST)), LogFormatter(), effects, on=False)
    return desk.stable("".join(shown))


@pytest.mark.parametrize("absent", ["MISSING", "EMPTY", "REFUSED"])
def test_a_silent_task_is_followed_over_an_answer_without_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, absent: str
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECS", desk.ecs.url)
    desk.ecs.add(Life(("RUNNING", absent, absent, "RUNNING"), then=lambda _: None))
    desk.logs(FIRST, "first")
    threading.Timer(2.5, lambda: desk.logs(FIRST, DONE)).start()
    assert follow(desk, [], Absence()) == f"CLOCK handoff | first\nCLOCK handoff | {DONE}\n"


def test_a_forgotten_task_is_followed_to_what_its_record_says(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECS", desk.ecs.url)
    desk.ecs.add(Life(("MISSING",)))
    remember(desk, "running", None, {"lease_seconds": -5})
    said: list[str] = []
    follow(desk, said, BRIEFLY)
    assert re.sub(r"\d+ s", "N s", desk.stable(said[-1])) == (
        f"task TASK is over: run {RUN_ID} was killed (last heartbeat N s ago)"
    )


# stop


def test_stop_where_nothing_runs(desk: Desk) -> None:
    desk.ecs.add(Life(("STOPPED",)))
    assert desk.invoke("stop") == Told(
        0,
        "",
        """\
no task of handoff-dev-shop runs; one just started may not be listed yet: invoke stop --project shop --task ID
next: invoke logs --project shop
""",
    )


def test_stop(desk: Desk) -> None:
    task = desk.ecs.add(FOREVER)
    assert desk.invoke("--dry", "stop") == Told(0, "", "would stop task TASK (RUNNING)\nnothing was done: --dry\n")
    assert not task.stopped_by
    assert desk.invoke("stop") == Told(
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


def test_several_are_not_stopped_without_being_asked_for(desk: Desk) -> None:
    found = [desk.ecs.add(FOREVER) for _ in range(2)]
    assert desk.invoke("stop") == Told(
        2,
        "",
        """\
error: stop: stop 2 tasks of project shop: needs --yes without a terminal
hint: invoke stop --project shop --yes
""",
    )
    assert [task.stopped_by for task in found] == ["", ""]
    assert desk.invoke("stop", "--task", found[1].id).exit == 0
    assert [task.stopped_by for task in found] == ["", "stopped by invoke"]
    found.append(desk.ecs.add(FOREVER))
    assert desk.invoke("stop", "--yes").exit == 0
    assert [task.stopped_by for task in found] == ["stopped by invoke"] * 3


def test_a_task_that_does_not_run_is_not_stopped(desk: Desk) -> None:
    desk.ecs.add(FOREVER)
    told = desk.invoke("stop", "--task", "nothing")
    assert (told.exit, told.stderr) == (
        2,
        "error: --task: found nothing, expected one that runs: TASK\nhint: invoke status --project shop\n",
    )


# logs


def test_the_log_of_the_newest_task(desk: Desk) -> None:
    for number, words in enumerate(("old", "new")):
        desk.logs(desk.ecs.add(Life(("RUNNING",))).id, f"run {number}", words)
    desk.ecs.add(NOT_STARTED)
    assert desk.invoke("logs") == Told(
        0, "CLOCK handoff | run 1\nCLOCK handoff | new\n", "next: invoke status --project shop\n"
    )
    assert desk.invoke("logs", "--lines", "1").stdout == "CLOCK handoff | new\n"
    assert desk.invoke("logs", "--run", FIRST).stdout == "CLOCK handoff | run 0\nCLOCK handoff | old\n"


def test_the_log_of_a_task_that_ecs_has_forgotten(desk: Desk) -> None:
    desk.logs("a" * 32, "old")
    assert desk.invoke("logs").stdout == "CLOCK handoff | old\n"


def test_the_log_of_a_run(desk: Desk) -> None:
    run = time.strftime("%Y%m%dT%H%M%SZ-abcdef", time.gmtime())
    desk.logs("a" * 32, f"run {run} of shop: echo | cat", DONE)
    desk.logs("b" * 32, "another")
    assert (
        desk.invoke("logs", "--run", run).stdout
        == f"CLOCK handoff | run {run} of shop: echo | cat\nCLOCK handoff | {DONE}\n"
    )
    told = desk.invoke("logs", "--run", "nightly")
    assert (told.exit, told.stderr) == (
        1,
        "error: run nightly: found in no stream of log group /handoff/handoff-dev-shop, expected the id of a run on Fargate\n"
        "hint: invoke history --remote --project shop\n",
    )


def test_the_log_of_all_tasks_since_a_time(desk: Desk) -> None:
    desk.logs("a" * 32, "long ago", at=time.time() - 7200)
    desk.logs("b" * 32, "before", at=time.time() - 1000)
    desk.logs("c" * 32, "now")
    assert desk.invoke("logs", "--since", "1h").stdout == "CLOCK handoff | before\nCLOCK handoff | now\n"
    assert desk.invoke("logs", "--since", "1h", "--lines", "1").stdout == "CLOCK handoff | now\n"
    assert desk.invoke("logs", "--since", "1m", "--json").stdout == (
        '{"time": "2026-01-01TCLOCK.000Z", "stage": "handoff", "message": "now"}\n'
    )


def test_a_long_log_comes_in_pages(desk: Desk) -> None:
    """One answer of CloudWatch holds 10,000 lines."""
    lines, began = [f"line {number}" for number in range(12_000)], time.time() - 600
    for first in (0, 6_000):
        desk.logs("a" * 32, *lines[first : first + 6_000], at=began + first / 100)
    expected = [f"CLOCK handoff | {line}" for line in lines]
    assert desk.invoke("logs", "--run", "a" * 32).stdout.splitlines() == expected
    assert desk.invoke("logs", "--since", "1h").stdout.splitlines() == expected
    assert desk.invoke("logs", "--lines", "3").stdout.splitlines() == expected[-3:]


def test_there_is_no_log_yet(desk: Desk) -> None:
    told = desk.invoke("logs")
    assert (told.exit, told.stderr) == (
        1,
        "error: log group /handoff/handoff-dev-shop: found no log, expected the log of a run\n"
        "hint: start one: invoke run --project shop; not deployed yet: invoke deploy --project shop\n",
    )
    told = desk.invoke("logs", "--run", "f" * 32)
    assert told.stderr.startswith("error: log group /handoff/handoff-dev-shop: found no stream run/handoff/ffff")


def test_a_log_is_followed_to_the_end_of_its_task(desk: Desk) -> None:
    task = desk.ecs.add(Life(("RUNNING",)))
    desk.logs(task.id, "first")
    threading.Timer(4, lambda: desk.logs(task.id, DONE)).start()
    told = desk.invoke("logs", "--follow", "--run", task.id)
    assert told == Told(
        0,
        f"CLOCK handoff | first\nCLOCK handoff | {DONE}\n",
        "following run/handoff/TASK\nnext: invoke status --project shop\n",
    )


def test_a_log_is_followed_over_silence_to_what_comes_after_the_end(desk: Desk) -> None:
    desk.more["HANDOFF_TEST_SPEED"] = "1"  # it is given up after so many looks without a line
    task = desk.ecs.add(Life(("RUNNING",)))
    desk.logs(task.id, "first")

    def stop() -> None:
        desk.ecs.answer("StopTask", {"task": task.id, "reason": "by a test"})
        threading.Timer(6, lambda: desk.logs(task.id, DONE)).start()

    threading.Timer(13, stop).start()
    told = desk.invoke("logs", "--follow", "--run", task.id)
    assert told.stdout == f"CLOCK handoff | first\nCLOCK handoff | {DONE}\n"


def test_a_log_is_followed_until_ctrl_c(desk: Desk) -> None:
    task = desk.ecs.add(Life(("RUNNING",)))
    desk.logs(task.id, DONE)
    with desk.start("logs", "--follow", stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline().endswith(b"succeeded after 1.0 s\n")
        task = desk.ecs.add(Life(("RUNNING",)))
        desk.logs(task.id, "the next run")
        assert process.stdout.readline().endswith(b"the next run\n")
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=30)
    assert (process.returncode, stderr.decode().splitlines()[-1]) == (0, f"next: invoke status --project {desk.name}")
