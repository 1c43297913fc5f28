"""A project's whole life in AWS, on real parts: each task told first and then done, and at each step what is really there."""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from doubles.runtime_project import until

from handoff_kit import resource_names

if TYPE_CHECKING:
    from doubles.account import Account
    from doubles.checkout import Checkout, InvokeResult

pytestmark = pytest.mark.takes(115)


STACK = "handoff-dev-counter"
DEPLOYED_BY_0_1 = Path(__file__).parents[1] / "golden/deployed_by_0.1"
BUCKET = "handoff-dev-{}-eu-central-1"
COUNTS = """\
description: Counts how often it has run
commands:
  - shell: "cat .artifacts/state 2>/dev/null || echo 0"
  - shell: "read n; echo counted to {step} more than $n >&2; echo $((n + {step}))"
deploy:
  cpu: 256
  memory: 512
  stop_timeout: 5
alerts: ["mailto:oncall@example.com"]
schedules:
  - name: daily
    cron: "0 6 * * *"
    timezone: Europe/Berlin
    data: {greeting: hello}
"""


IMPL = """\
import time


def linger(params, data):
    time.sleep(60)
"""


def project(checkout: Checkout, step: int = 1) -> None:
    """What the author writes."""
    checkout.project("counter", COUNTS.replace("{step}", str(step)), {"files/step.txt": "by one\n", "impl.py": IMPL})


STEP = re.compile(
    r"((create|update|replace|delete) stack|write build/|run docker|store parameter|upload |start a task|stop task|"
    r"delete (\d+ (image|object|version)|s3:|parameter|bucket)|  [+~-] )"
)


def invoke(checkout: Checkout, account: Account, *words: str) -> InvokeResult:
    """A task that must go well."""
    result = checkout.invoke(*words, env=account.environ)
    assert result.exit == 0, f"invoke {' '.join(words)}\n{result.stdout}\n{result.stderr}"
    return result


def steps(result: InvokeResult) -> list[str]:
    """What was done, or would be: the lines that tell a step, from their verb on.

    Before the push of an image nobody can tell its digest, and what is replaced CloudFormation alone.
    """
    lines = [line.removeprefix("would ") for line in result.stderr.splitlines()]
    unknown = re.compile(r"  \((may be )?replaced\)$|(?<=  ~ Image).*")
    return [unknown.sub("", line) for line in lines if STEP.match(line)]


def done(checkout: Checkout, account: Account, *words: str, asks: bool = True, alone: bool = True) -> InvokeResult:
    """A task told first, which must change nothing, and then done: what was told is what is done.

    `alone`: nothing else is under way in the account.
    """
    before = seen(account)
    dry = invoke(checkout, account, "--dry", *words)
    assert not alone or seen(account) == before
    assert dry.stderr.splitlines()[-1] == "nothing was done: --dry"
    real = invoke(checkout, account, *words, *(["--yes"] if asks else []))
    assert steps(dry) == steps(real)
    assert steps(real)
    return real


def seen(account: Account) -> Any:
    """What there is in the account, as far as a task may change it."""
    changes = account.boto("cloudformation").describe_stacks()["Stacks"]
    buckets = [bucket["Name"] for bucket in account.boto("s3").list_buckets()["Buckets"]]
    return (
        sorted((stack["StackName"], stack["StackStatus"], str(stack.get("LastUpdatedTime"))) for stack in changes),
        {bucket: account.objects(bucket) for bucket in buckets},
        [
            (found["Name"], found["Version"])
            for found in account.boto("ssm").describe_parameters().get("Parameters", ())
        ],
        [task["taskArn"] for task in account.tasks()],
        account.boto("ecr").describe_repositories()["repositories"],
    )


def state(account: Account) -> str:
    """What the last run left for the next."""
    return account.objects(BUCKET.format(account.number), f"{STACK}/.artifacts/")["state"].decode()


def records(account: Account) -> list[Any]:
    """What each run has told of itself, the oldest first."""
    found = account.objects(BUCKET.format(account.number), f"{STACK}/runs/")
    result = [
        json.loads(content) for name, content in found.items() if name.count("/") == 1 and name.endswith("/run.json")
    ]
    return sorted(result, key=lambda record: record["started_at"])


@pytest.mark.network
def test_a_whole_life(checkout: Checkout, account: Account) -> None:
    project(checkout)
    deployed(checkout, account)
    migrated(checkout, account)
    run_once(checkout, account)
    scheduled(checkout, account)
    changed(checkout, account)
    rolled_back(checkout, account)
    failed_night(checkout, account)
    stopped(checkout, account)
    begun_again(checkout, account)
    done(checkout, account, "schedule", "--project", "counter")
    destroyed(checkout, account)
    assert account.refused() == []


def deployed(checkout: Checkout, account: Account) -> None:
    """Three stacks, an image that the task names by its digest, params and a file."""
    done(checkout, account, "deploy", "--project", "counter")
    assert account.stacks() == dict.fromkeys(
        ("handoff-dev", resource_names.registry_stack(STACK), STACK), "CREATE_COMPLETE"
    )
    (digest,) = account.images(resource_names.repository(STACK)).values()
    (definition,) = account.boto("ecs").list_task_definitions(familyPrefix=STACK)["taskDefinitionArns"]
    described = account.boto("ecs").describe_task_definition(taskDefinition=definition)["taskDefinition"]
    image = described["containerDefinitions"][0]["image"]
    assert image == account.outputs(STACK)["Image"]
    assert image.endswith(f"{resource_names.repository(STACK)}@{digest}")
    assert account.outputs(STACK)["TaskDefinition"] == definition
    bucket = BUCKET.format(account.number)
    stored = account.objects(bucket)
    deployment = json.loads(stored.pop(f"{STACK}/deployments.jsonl"))
    assert (stored, deployment["image_digest"]) == ({f"{STACK}/.env/files/step.txt": b"by one\n"}, digest)
    parameter = account.boto("ssm").get_parameter(Name=f"{STACK}__params", WithDecryption=True)["Parameter"]
    assert parameter["Type"] == "SecureString"
    again = invoke(checkout, account, "deploy", "--project", "counter")
    assert "no changes: the deployment is up to date" in again.stderr


def migrated(checkout: Checkout, account: Account) -> None:
    """The task and schedule stacks of handoff 0.1, whose state machine lies among the schedules: a deploy moves it."""
    place, outputs = f"eu-central-1:{account.number}", account.outputs(STACK)
    task = {name: outputs[name] for name in ("Image", "Source", "Bucket")}
    network = {"Subnets": "subnet-1", "SecurityGroups": "sg-1", "Cluster": f"arn:aws:ecs:{place}:cluster/handoff-dev"}
    cloudformation, tags = account.boto("cloudformation"), resource_names.owner_tags("counter", "dev")
    for name, file, parameters in ((STACK, "task", task), (f"{STACK}-schedule", "schedule", network)):
        call = cloudformation.update_stack if file == "task" else cloudformation.create_stack
        call(
            StackName=name,
            TemplateBody=(DEPLOYED_BY_0_1 / f"{file}.yml").read_text(encoding="utf-8"),
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
            Capabilities=["CAPABILITY_IAM"],
            Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
        )
        account.settled(name)
    assert "Machine" not in account.outputs(STACK)
    result = done(checkout, account, "deploy", "--project", "counter")
    changes = [line.partition("  AWS::")[0].rstrip() for line in result.stderr.splitlines()]
    assert (changes.count("  + Machine"), changes.count("  - Machine")) == (1, 1)
    assert account.outputs(STACK)["Machine"].endswith(f":stateMachine:{STACK}-run")
    template = str(cloudformation.get_template(StackName=f"{STACK}-schedule")["TemplateBody"])
    assert f":stateMachine:{STACK}-run" in template  # LocalStack leaves the target of the schedule itself alone
    assert (
        "no changes: the deployment is up to date" in invoke(checkout, account, "deploy", "--project", "counter").stderr
    )
    done(checkout, account, "unschedule", "--project", "counter")


def run_once(checkout: Checkout, account: Account) -> None:
    """A task that ran with its files, left a state, and logged."""
    ran = done(checkout, account, "run", "--project", "counter", asks=False)
    assert "counted to 1 more than 0" in ran.stderr
    assert state(account) == "1\n"
    (task,) = account.tasks()
    assert (task["stopCode"], task["containers"][0]["exitCode"]) == ("EssentialContainerExited", 0)
    logged = invoke(checkout, account, "logs", "--project", "counter").stdout
    assert "counted to 1 more than 0" in logged
    assert [record["trigger"] for record in records(account)] == ["run"]


def scheduled(checkout: Checkout, account: Account) -> None:
    """A schedule whose target, started by hand, hands over when it was due and data, and finds the state."""
    result = done(checkout, account, "schedule", "--project", "counter")
    assert result.stdout.count("daily") == 5
    due = datetime(2026, 7, 1, 4, tzinfo=timezone.utc)
    fired = account.fire("daily", STACK, at=due)
    assert (fired.status, fired.error) == ("SUCCEEDED", "")
    assert (account.fire("daily", STACK, at=due).status, state(account)) == ("SUCCEEDED", "2\n")  # delivered twice
    assert "duplicate" in invoke(checkout, account, "history", "--remote", "--project", "counter").stdout
    record = records(account)[-1]
    found = (record["trigger"], record["scheduled_at"][:19], record["data"]["greeting"])
    assert found == ("schedule", "2026-07-01T04:00:00", "hello")


def changed(checkout: Checkout, account: Account) -> None:
    """Another image, another revision; the schedule starts it without having been touched."""
    schedule = seen_schedule(account)
    project(checkout, step=10)
    checkout.project("counter", COUNTS.replace("{step}", "10"), {"extra.txt": "makes another image\n"})
    result = done(checkout, account, "deploy", "--project", "counter")
    assert f"stack {STACK} is up to date" not in result.stderr
    assert len(account.images(resource_names.repository(STACK))) == 2
    assert seen_schedule(account) == schedule
    assert account.fire("daily", STACK).status == "SUCCEEDED"
    assert state(account) == "12\n"
    used = [task["taskDefinitionArn"] for task in account.tasks()]
    assert used[-1] == account.outputs(STACK)["TaskDefinition"] != used[0]


def rolled_back(checkout: Checkout, account: Account) -> None:
    """The image and the params of the first runs, which count as they did; then what the author wrote again."""
    later, before = account.outputs(STACK), len(deployments(account))
    done(checkout, account, "rollback", "--project", "counter")
    assert account.outputs(STACK)["Source"] != later["Source"]
    ran = invoke(checkout, account, "run", "--project", "counter")
    assert ("counted to 1 more than 12" in ran.stderr, state(account)) == (True, "13\n")
    assert (
        "no changes: image and params of run"
        in invoke(checkout, account, "rollback", "--project", "counter", "--to", records(account)[0]["run_id"]).stderr
    )
    listed = invoke(checkout, account, "images", "--remote", "--json", "--project", "counter").stdout
    images = [json.loads(line) for line in listed.splitlines()]
    assert [(image["deployed"], image["schedules"]) for image in images] == [(False, []), (True, ["daily"])]
    assert "image      out of date: deployed" in invoke(checkout, account, "status", "--project", "counter").stdout
    done(checkout, account, "deploy", "--project", "counter")
    assert account.outputs(STACK)["Source"] == later["Source"]
    recorded = [line["source"] for line in deployments(account)[before - 1 :]]
    assert recorded == [later["Source"], images[1]["tags"][0].partition("-")[0], later["Source"]]


def deployments(account: Account) -> list[Any]:
    """What each deployment has recorded."""
    content = account.objects(BUCKET.format(account.number), f"{STACK}/")["deployments.jsonl"]
    return [json.loads(line) for line in content.splitlines()]


def failed_night(checkout: Checkout, account: Account) -> None:
    """A change that fails, and a log group that is deleted by hand: message, history, verify, repair, rollback, recovery."""
    assert (account.fire("daily", STACK).status, state(account)) == ("SUCCEEDED", "23\n")
    good, told = account.outputs(STACK)["Source"], len(account.mails(STACK))
    broken = COUNTS.replace("echo $((n + {step}))", "exit 3").replace("{step}", "10")
    checkout.project("counter", broken, {"extra.txt": "makes a third image\n"})
    done(checkout, account, "deploy", "--project", "counter")
    assert account.fire("daily", STACK).status == "FAILED"
    failed = records(account)[-1]["run_id"]
    until(lambda: len(account.mails(STACK)) > told, "a message", 30)
    ((subject, text),) = account.mails(STACK)[told:]
    assert subject == "handoff dev/counter: failed, stage read ended with exit 3"
    assert f"\n  invoke history.show --remote --run {failed} --project counter --environment dev\n" in text
    listed = invoke(
        checkout, account, "history", "--remote", "--failed", "--json", "--last", "1", "--project", "counter"
    )
    line = json.loads(listed.stdout)
    assert (line["run_id"], line["exit"], line["schedule"]) == (failed, 3, "daily")

    account.boto("logs").delete_log_group(logGroupName=f"/handoff/{STACK}")
    verified = checkout.invoke("verify", "--project", "counter", env=account.environ)
    wrong = re.findall(r"^  FAILED   ([^:]*): .*; fix: (.*)$", verified.stdout, re.MULTILINE)
    assert verified.exit == 1, verified
    assert wrong == [
        ("LogGroup", "invoke deploy --repair --project counter"),
        ("last run", "invoke logs --project counter"),
    ]
    invoke(checkout, account, "deploy", "--repair", "--project", "counter", "--yes")
    done(checkout, account, "rollback", "--project", "counter")
    assert account.outputs(STACK)["Source"] == good
    assert (account.fire("daily", STACK).status, state(account)) == ("SUCCEEDED", "33\n")
    until(lambda: len(account.mails(STACK)) > told + 1, "a message", 30)
    assert account.mails(STACK)[-1][0] == "handoff dev/counter: recovered, a run succeeded"
    assert len(account.mails(STACK)) == told + 2
    assert "FAILED" not in invoke(checkout, account, "verify", "--project", "counter").stdout
    checkout.project("counter", COUNTS.replace("{step}", "10"), {"extra.txt": "makes another image\n"})
    invoke(checkout, account, "deploy", "--project", "counter", "--yes")


def stopped(checkout: Checkout, account: Account) -> None:
    """A run that is told to stop stores what it has and leaves the state alone."""
    invoke(checkout, account, "run", "--project", "counter", "--command", "linger", "--detach")
    account.running()
    done(checkout, account, "stop", "--project", "counter", alone=False)
    task = account.tasks()[-1]
    assert (task["stopCode"], task["containers"][0]["exitCode"]) == ("UserInitiated", 143)
    aborted = account.boto("stepfunctions").list_executions(
        stateMachineArn=account.outputs(STACK)["Machine"], statusFilter="ABORTED"
    )
    assert (len(aborted["executions"]), state(account)) == (1, "33\n")


def destroyed(checkout: Checkout, account: Account) -> None:
    """The schedule first, then all but data; then data; then what was shared."""
    done(checkout, account, "unschedule", "--project", "counter")
    assert account.stacks().get(resource_names.schedule_stack(STACK)) is None
    done(checkout, account, "destroy", "--project", "counter")
    assert account.stacks() == {"handoff-dev": "CREATE_COMPLETE"}
    assert account.boto("ecr").describe_repositories()["repositories"] == []
    assert state(account) == "43\n"
    done(checkout, account, "destroy", "--project", "counter", "--data")
    assert account.objects(BUCKET.format(account.number)) == {}
    assert account.boto("s3").list_object_versions(Bucket=BUCKET.format(account.number)).get("Versions", []) == []
    done(checkout, account, "destroy", "--shared", "--data")
    assert (account.stacks(), account.boto("s3").list_buckets()["Buckets"]) == ({}, [])


def begun_again(checkout: Checkout, account: Account) -> None:
    """What is shared goes without its bucket, and the next deployment goes on with that."""
    invoke(checkout, account, "run", "--project", "counter", "--command", "linger", "--detach")
    account.running()
    refused = checkout.invoke("destroy", "--project", "counter", "--yes", env=account.environ)
    assert (refused.exit, "1 run under way (execution " in refused.stderr) == (1, True)
    done(checkout, account, "destroy", "--project", "counter", "--running", "stop", alone=False)
    done(checkout, account, "destroy", "--shared")
    assert account.stacks() == {}
    assert state(account) == "33\n"
    result = done(checkout, account, "deploy", "--project", "counter")
    assert "+ BucketPolicy" in result.stderr
    assert "+ Bucket " not in result.stderr
    assert account.outputs("handoff-dev")["Bucket"] == BUCKET.format(account.number)
    invoke(checkout, account, "run", "--project", "counter")
    assert state(account) == "43\n"
    # LocalStack loses the error of a stopped execution, so that people are notified of it, and of the recovery
    place = {"Bucket": BUCKET.format(account.number), "Prefix": f"{STACK}/alerts/open.json"}
    until(lambda: not account.boto("s3").list_objects_v2(**place)["KeyCount"], "the recovery", 30)
    assert "no changes" in invoke(checkout, account, "deploy", "--project", "counter").stderr


def seen_schedule(account: Account) -> Any:
    """The schedule and its target as they are."""
    found = account.boto("scheduler").get_schedule(Name="daily", GroupName=STACK)
    stack = account.boto("cloudformation").describe_stacks(StackName=resource_names.schedule_stack(STACK))["Stacks"][0]
    return found["Target"], found["ScheduleExpression"], str(stack.get("LastUpdatedTime"))
