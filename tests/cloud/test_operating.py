"""Tasks that operate a deployed project: with errors in its project file, an edited one, or without any."""

from __future__ import annotations

import json
import shutil
import time
from typing import TYPE_CHECKING

import pytest
from doubles.checkout import InvokeResult
from doubles.ecs import ACCOUNT, Ecs, Life
from doubles.moto_bucket import HURRIED, REGION
from doubles.stub_project import MotoProject, new_name

from handoff_kit import resource_names
from handoff_kit.project.execution_input import execution_input
from handoff_kit.project.schedule_settings import schedule_input

if TYPE_CHECKING:
    from collections.abc import Callable

    from doubles.checkout import Checkout
    from doubles.moto_bucket import MotoBucket

pytestmark = pytest.mark.takes(25)

PROJECT = "commands: [{command: echo}]\ndeploy: {cluster: batch}\n"
RUNNING = Life(("RUNNING",))


@pytest.fixture
def shop(checkout: Checkout, moto_bucket: MotoBucket, ecs: Ecs) -> MotoProject:
    """A project that is deployed with a cluster and a bucket of its own, as far as its task stack says so."""
    name = new_name()
    checkout.project(
        name, PROJECT, {".local/tap.json": '{"token": "hunter2-secret"}', "impl.py": "def report(): ...\n"}
    )
    env = {"AWS_ENDPOINT_URL_ECS": ecs.url, "AWS_ENDPOINT_URL_SFN": ecs.url, "S3_BUCKET_NAME": "", **HURRIED}
    replacements = (
        (moto_bucket.bucket, "BUCKET"),
        (r"[0-9a-f]{32}", "TASK"),
        (r"[0-9a-f]{8}-[0-9a-f-]{27}", "VERSION"),
    )
    created = MotoProject(checkout, moto_bucket, name, env, replacements)
    assert created.invoke("params.push").exit == 0
    created.put(".artifacts/state", '{"a": 1}')
    ecs.cluster = "cluster/batch"
    outputs = {
        "TaskDefinition": f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/{created.stack}:1",
        "Source": "aaaaaaaaaaaa",
        "Bucket": moto_bucket.bucket,
        "Machine": f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{created.stack}-run",
        "Cluster": f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/batch",
        "Subnets": "subnet-9",
        "SecurityGroups": "sg-9",
        "PublicIp": "DISABLED",
        "Spot": "false",
        "StopTimeout": "77",
        "Cpu": "512",
        "Memory": "2048",
    }
    created.create_stack(created.stack, outputs, tags=resource_names.owner_tags(name, "dev"))
    logs, group = moto_bucket.boto("logs"), {"logGroupName": resource_names.log_group(created.stack)}
    logs.create_log_group(**group)
    logs.create_log_stream(**group, logStreamName=f"run/handoff/{1:032x}")
    return created


def has_typo(shop: MotoProject) -> None:
    (shop.directory / "project.yml").write_text("commands: [{comand: echo}]\n", encoding="utf-8")


def is_edited(shop: MotoProject) -> None:
    text = "commands: [{command: echo}]\ndeploy: {cluster: edited, bucket: edited}\n"
    (shop.directory / "project.yml").write_text(text, encoding="utf-8")


def is_gone(shop: MotoProject) -> None:
    shutil.rmtree(shop.checkout.root / "projects")


TYPO = (
    "note: projects/shop/project.yml has errors; using what stack handoff-dev-shop is deployed with\n"
    "hint: see them: invoke check --project shop\n"
)
GONE = "note: found no projects/shop/project.yml; using what stack handoff-dev-shop is deployed with\n"
BUCKET = (
    "note: project shop is deployed with bucket BUCKET; deploy.bucket in projects/shop/project.yml says edited;"
    " BUCKET is used\n"
)
CLUSTER = "note: project shop is deployed with cluster batch; projects/shop/project.yml says edited; batch is used\n"


@pytest.mark.parametrize(
    ("change", "note", "of_tasks"),
    [
        pytest.param(has_typo, TYPO, "", id="a typo"),
        pytest.param(is_edited, BUCKET, CLUSTER, id="an edited cluster and bucket"),
        pytest.param(is_gone, GONE, "", id="not in this checkout"),
    ],
)
def test_what_is_deployed_is_operated(
    shop: MotoProject, ecs: Ecs, change: Callable[[MotoProject], None], note: str, of_tasks: str
) -> None:
    change(shop)
    task = ecs.add(RUNNING)
    assert shop.invoke("stop") == InvokeResult(
        0,
        "",
        f"{note}{of_tasks}stop task TASK (RUNNING)\nstop requested; it has 77 s\nSTOPPED after 0 s\n"
        "task TASK was stopped by invoke (exit 143)\nnext: invoke logs --project shop\n",
    )
    assert task.stopped_by == "stopped by invoke"
    after = "next: invoke state.history --project shop\n"
    shown = shop.invoke("state.show")
    assert (shown.exit, shown.stdout) == (0, '{"a": 1}')
    assert (shown.stderr.startswith(note), shown.stderr.endswith(after)) == (True, True)
    planned = shop.invoke("--dry", "run", "--data", '{"base": "EUR"}', "--memory", "4GB")
    assert (planned.exit, planned.stderr.startswith(f"{note}{of_tasks}")) == (0, True), planned
    assert "in cluster batch (Fargate, 512 CPU units, 4,096 MiB; " in planned.stderr


def test_each_task_that_operates(shop: MotoProject, ecs: Ecs) -> None:
    """Of a project without files, which is the hardest."""
    is_gone(shop)
    ecs.add(RUNNING)
    failed, after = {}, []
    for words in (
        ["logs"],
        ["state.history"],
        ["state.edit", "--file", "new.json"],
        ["state.clear", "--yes"],
        ["artifacts.list"],
        ["artifacts.get"],
        ["artifacts.clear"],
        ["files.list"],
        ["params.dump"],
        ["params.history"],
        ["history", "--remote"],
        ["unschedule"],
        ["status"],
        ["--dry", "destroy"],
    ):
        (shop.checkout.root / "new.json").write_text("{}\n", encoding="utf-8")
        result = shop.invoke(*words)
        if result.exit:
            failed[words[0]] = result
        after.append(result.stderr.splitlines()[-1])
    assert failed == {}
    assert after == [
        "next: invoke status --project shop",
        "next: invoke state.restore --version VERSION --project shop",
        "next: invoke state.show --project shop",
        "next: invoke state.restore --version VERSION --project shop",
        *["next: invoke history --remote --project shop"] * 2,
        "next: invoke artifacts.list --project shop",
        "next: invoke status --project shop",
        "next: invoke params.history --project shop",
        "next: invoke params.dump --version N --project shop",
        "next: invoke run --project shop",
        "next: invoke schedule.list --project shop",
        "next: invoke run --project shop",
        "nothing was done: --dry",
    ]


def test_what_cannot_be_compared_is_said(shop: MotoProject) -> None:
    has_typo(shop)
    secret = shop.invoke("--dry", "run", "--env", "X=hunter2-secret")
    assert (
        secret.exit,
        "error: --env X looks like a secret (its value is in the project's .local)" in secret.stderr,
    ) == (
        2,
        True,
    )
    assert shop.invoke("--dry", "run", "--command", "reprt").stderr.endswith("hint: did you mean: --command report\n")
    is_gone(shop)
    result = shop.invoke("--dry", "run", "--env", "X=1", "--command", "report")
    assert (result.exit, result.stderr.splitlines()[1:4]) == (
        0,
        [
            "note: --command report is not checked: projects/shop/impl.py cannot be read",
            "note: --env is not compared with `envs` of projects/shop/project.yml, which would override it",
            "note: --data and --env are not compared with projects/shop/.local, which is not in this checkout",
        ],
    )
    similar = shop.checkout.invoke("stop", "--project", f"{shop.name}x", env=shop.environ)
    assert shop.stable(similar.stderr) == (
        "error: found no project 'shopx' under projects/\nhint: did you mean: --project shop\n"
    )


def test_status_shows_what_is_deployed(shop: MotoProject, ecs: Ecs) -> None:
    ecs.add(RUNNING)
    has_typo(shop)
    page = shop.invoke("status")
    assert [line.split()[:2] for line in page.stdout.splitlines() if line.startswith(("stack", "task"))] == [
        ["stack", "handoff-dev-shop:"],
        ["task", "TASK"],
    ]
    is_gone(shop)
    page = shop.invoke("status")
    assert page.stdout.startswith("project    shop (dev)\nstack      handoff-dev-shop: CREATE_COMPLETE\n")
    assert page.stderr.startswith("note: found no projects/shop/project.yml in this checkout\n")
    shop.checkout.project("other", PROJECT)
    table = shop.checkout.invoke("status", env=shop.environ)
    rows = {line.split()[0]: line.split()[1] for line in table.stdout.splitlines()[1:]}
    assert (rows[shop.name], rows["other"]) == ("deployed", "none")
    absent = table.stderr.partition("note: deployed, and not in this checkout: ")[2].splitlines()[0].split(", ")
    assert (shop.name in absent, "other" in absent) == (True, False)


def send_dead_letter(shop: MotoProject, scheduled_at: str, **data: str) -> str:
    """The URL of a project's dead-letter queue, into which the Scheduler has put a run that it could not start."""
    sqs = shop.aws.boto("sqs")
    url = str(sqs.create_queue(QueueName=resource_names.dead_letters(shop.stack))["QueueUrl"])
    attributes = {
        "SCHEDULE_ARN": f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/{shop.stack}/nightly",
        "SCHEDULED_TIME": scheduled_at,
        "ERROR_CODE": "StateMachineDoesNotExist",
        "ERROR_MESSAGE": "State Machine Does Not Exist",
    }
    sqs.send_message(
        QueueUrl=url,
        MessageBody=json.dumps(schedule_input("nightly", data)),
        MessageAttributes={name: {"DataType": "String", "StringValue": text} for name, text in attributes.items()},
    )
    return url


MISSED = """\
schedule  nightly, due 2026-11-29T01:00:00Z, given up TIME
error     StateMachineDoesNotExist: State Machine Does Not Exist
run it    invoke run --project shop --data '{"base": "EUR", "scheduled_at": "2026-11-29T01:00:00Z"}'

schedule  nightly, due 2026-11-30T01:00:00Z, given up TIME
error     StateMachineDoesNotExist: State Machine Does Not Exist
run it    invoke run --project shop --data DATA, in place of *** the value of .local: {"user": "***", "scheduled_at": \
"2026-11-30T01:00:00Z"}
"""
AFTER_MISSED = """\
2 missed runs; to clear the list: invoke missed --clear --project shop
next: invoke run --project shop --data '{"base": "EUR", "scheduled_at": "2026-11-29T01:00:00Z"}'
"""


def test_missed_runs(shop: MotoProject) -> None:
    """A look leaves them in the queue; what is cleared is what was printed, and nothing else."""
    none = (
        "project shop: it has no schedules, and so no queue of missed ones\nnext: invoke schedule.list --project shop\n"
    )
    assert shop.invoke("missed") == InvokeResult(0, "", none)
    shop.replacements = (*shop.replacements, (r"(?<=given up )\S+", "TIME"))
    send_dead_letter(shop, "2026-11-30T01:00:00Z", user="hunter2-secret")
    url = send_dead_letter(shop, "2026-11-29T01:00:00Z", base="EUR")
    for _ in range(2):
        assert shop.invoke("missed") == InvokeResult(0, MISSED, AFTER_MISSED)
    row = json.loads(shop.invoke("missed", "--json").stdout.splitlines()[0])
    assert (row["schedule"], row["scheduled_at"], row["data"]) == ("nightly", "2026-11-29T01:00:00Z", {"base": "EUR"})
    refused = shop.invoke("missed", "--clear")
    assert (refused.exit, refused.stderr.splitlines()[-2:]) == (
        2,
        [
            "error: missed: clear 2 missed runs: needs --yes without a terminal",
            "hint: invoke missed --clear --project shop --yes",
        ],
    )
    after = "next: invoke history --remote --project shop\n"
    assert shop.invoke("missed", "--clear", "--yes") == InvokeResult(0, MISSED, f"cleared 2 missed runs\n{after}")
    left = shop.aws.boto("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert {left[f"ApproximateNumberOfMessages{more}"] for more in ("", "NotVisible")} == {"0"}


def test_runs_without_a_record(shop: MotoProject, ecs: Ecs) -> None:
    """One that never started, one that waits to be started again, one that was missed; history, its details, status."""
    shop.replacements = (
        *shop.replacements,
        (r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z", "TIME"),
        (r"\bN? ?\d+\.\d s\b", "N s"),
        (r" {2,}", "  "),
    )
    send_dead_letter(shop, "2026-11-29T01:00:00Z", base="EUR")
    given = execution_input({"TRIGGER": "run", "DATA": '{"user": "hunter2-secret"}'})
    failed = ecs.add_execution(given=given)
    failed.add("TaskFailed", error="ECS.ClusterNotFoundException", cause="Cluster not found. (Service: AmazonECS)")
    failed.end("FAILED", error="ECS.ClusterNotFoundException", cause="Cluster not found.")
    waiting = ecs.add_execution(given=given, wait=600)
    waiting.add("TaskFailed", error="AmazonECS.Unknown", cause='{"Failures": [{"Reason": "RESOURCE:CPU"}]}')
    waiting.add("WaitStateEntered", name="Wait", input='{"retry": {"tries": 1, "wait": 10}}')
    listed = shop.invoke("history", "--remote")
    assert listed == InvokeResult(
        0,
        """\
START  TRIGGER  OUTCOME  CULPRIT  ROWS  DATA  RUN
TIME  run  waiting  -  -  {"user"...  run-20260131T020000Z-000001
TIME  run  not started  -  -  {"user"...  run-20260131T020000Z-000000
TIME  schedule nightly  missed  StateMachineDoesN...  -  {"base"...  -
""",
        """\
run-20260131T020000Z-000001 waiting: RESOURCE:CPU
run-20260131T020000Z-000000 not started: ClusterNotFoundException: Cluster not found.
schedule nightly of TIME was missed: StateMachineDoesNotExist: State Machine Does Not Exist
next: invoke history.show --run run-20260131T020000Z-000001 --remote --project shop
""",
    )
    shown = shop.invoke("history.show", "--remote", "--run", "run-20260131T020000Z-000000")
    assert shown == InvokeResult(
        0,
        """\
run  run-20260131T020000Z-000000
project  shop (dev)
started  TIME, by run
outcome  not started: ClusterNotFoundException: Cluster not found.
duration  N s
data  {"user": "***"}

TIME  EVENT
TIME  start 1 was refused: ClusterNotFoundException: Cluster not found.
TIME  the execution failed
""",
        "hint: its cluster does not exist: invoke deploy --repair --project shop\nnext: invoke status --project shop\n",
    )
    as_json = json.loads(shop.raw("history.show", "--remote", "--run", "run-20260131T020000Z-000000", "--json").stdout)
    assert (as_json["outcome"], as_json["data"], len(as_json["events"])) == ("not started", {"user": "***"}, 2)
    unknown = shop.invoke("history.show", "--remote", "--run", "run-20260131T020000Z-00000f")
    assert (unknown.exit, unknown.stderr.splitlines()[0].partition(": found none")[0]) == (
        1,
        "error: run 'run-20260131T020000Z-00000f'",
    )
    page = shop.invoke("status")
    assert page.stdout.splitlines()[-3:] == [
        "last run  run-20260131T020000Z-000001 of TIME (run): waiting: RESOURCE:CPU",
        "missed  1 run of its schedules: invoke missed --project shop",
        "execution  run-20260131T020000Z-000001 waiting since TIME, started by run: RESOURCE:CPU",
    ]


def test_the_cost(shop: MotoProject) -> None:
    """Of a project by name, also one that is not in this checkout, and of all: those deployed."""
    started = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time.time() - 86_400))
    lines = [
        {"run_id": "a", "started_at": started, "seconds": 570.0, "trigger": "run"},
        {"run_id": "b", "started_at": started, "seconds": 570.0, "trigger": "local"},
        {"run_id": "c", "started_at": started, "seconds": None, "trigger": "schedule", "outcome": "killed"},
    ]
    shop.put(f"history/{started[:10]}.jsonl", "".join(f"{json.dumps(line)}\n" for line in lines))
    result = shop.invoke("cost", "--json")
    found = json.loads(result.stdout)
    assert {name: found[name] for name in ("project", "cpu", "memory", "spot", "runs", "average_seconds", "run")} == {
        "project": "shop",
        "cpu": 512,
        "memory": 2048,
        "spot": False,
        "runs": 1,
        "average_seconds": 570.0,
        "run": {"lowest": 0.004855, "highest": 0.004855},
    }
    assert result.stderr.splitlines()[-1] == "next: invoke history --remote --project shop"
    is_gone(shop)
    assert json.loads(shop.invoke("cost", "--json").stdout) == found
    every = shop.checkout.invoke("cost", env=shop.environ)
    assert (every.exit, every.stdout.split()[0], shop.name in every.stdout) == (0, "PROJECT", True)
    none = shop.checkout.invoke("cost", "--environment", "unused", env=shop.environ)
    assert (none.exit, none.stderr) == (
        1,
        "error: environment unused: found no deployment of any project\n"
        "hint: invoke deploy --all --environment unused\n",
    )


def test_a_killed_run_gets_its_reason_from_its_execution(shop: MotoProject, ecs: Ecs) -> None:
    """Its record ends in its midst, and so does its line, which the next run wrote."""
    name = "run-20260131T020000Z-000000"
    record = {
        "format": 1,
        "run_id": "20260131T020100Z-3fc643",
        "project": "shop",
        "environment": "dev",
        "command": "run",
        "trigger": "schedule",
        "attempt": 1,
        "execution": name,
        "schedule": "nightly",
        "started_at": "2026-01-31T02:01:00.000Z",
        "ended_at": None,
        "seconds": None,
        "outcome": "running",
        "exit": None,
        "culprit": None,
        "reason": None,
        "data": {"base": "EUR"},
        "params_version": "3",
        "image_digest": None,
        "stages": [{"name": "cat", "argv": ["cat"]}],
        "state": {"mode": "all", "before": None, "after": None, "replaced": False},
    }
    shop.put(f"runs/{record['run_id']}/run.json", json.dumps(record))
    line = {**record, "outcome": "killed", "state_replaced": False, "rows": None}
    shop.put("history/2026-01-31.jsonl", f"{json.dumps(line)}\n")
    task = {"Containers": [{"Name": "handoff", "ExitCode": 137}], "StopCode": "EssentialContainerExited"}
    execution = ecs.add_execution()
    execution.add("TaskSubmitted", output=json.dumps({"Tasks": [{"TaskArn": f"task/{1:032x}"}]}))
    execution.add("TaskFailed", error="States.TaskFailed", cause=json.dumps(task))
    execution.end("FAILED", error="Handoff.Failed", cause="{}")
    found = json.loads(shop.raw("history", "--remote", "--json").stdout)
    assert (found["run_id"], found["outcome"], found["reason"], found["schedule"], found["data"]) == (
        "20260131T020100Z-3fc643",
        "killed",
        "was killed (SIGKILL) (exit 137)",
        "nightly",
        {"base": "EUR"},
    )
    reason = "20260131T020100Z-3fc643 killed: was killed (SIGKILL) (exit 137)"
    assert shop.invoke("history", "--remote").stderr.splitlines()[0] == reason
    shown = shop.invoke("history.show", "--remote")
    assert [text.split(maxsplit=1) for text in shown.stdout.splitlines()[2:6]] == [
        ["started", "2026-01-31T02:01:00.000Z, by schedule nightly, attempt 1"],
        ["outcome", "running"],
        ["duration", "-"],
        ["data", '{"base": "EUR"}'],
    ]
    assert shown.stderr == (
        f"its execution {name}: was killed (SIGKILL) (exit 137)\n"
        "hint: see its log: invoke logs --project shop; if it mentions memory: projects/shop/project.yml, deploy:"
        " {memory: ...}\n"
        "next: invoke artifacts.get --run 20260131T020100Z-3fc643 --project shop\n"
    )
