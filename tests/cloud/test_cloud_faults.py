"""Failures on the way from a checkout to its account, end to end: what a user reads, and that the next try mends it."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from doubles import protocols
from doubles.checkout import InvokeResult
from doubles.moto_bucket import REGION
from doubles.moto_proxy import Refused

from handoff_kit import resource_names

if TYPE_CHECKING:
    from collections.abc import Callable

    from doubles.deployed_project import DeployedProject
    from doubles.moto_proxy import Request

pytestmark = [pytest.mark.network, pytest.mark.takes(350)]

TASKS = ("deploy", "schedule", "schedule.list", "run", "stop", "logs", "status", "unschedule", "destroy")
OTHER = "999999999999"
ABSENT = "unix:///nowhere/docker.sock"


def error(result: InvokeResult) -> tuple[int, list[str]]:
    """The exit code, and the error with its hint."""
    lines = result.stderr.splitlines()
    start = next((at for at, line in enumerate(lines) if line.startswith("error: ")), len(lines))
    return result.exit, lines[start:]


def is_told(result: InvokeResult, code: int, message: str, hint: str) -> None:
    assert error(result) == (code, [f"error: {message}", f"hint: {hint}"])


# who we are

FIRST = {"deploy": "STS GetCallerIdentity", "schedule.list": "CloudFormation DescribeStacks"}
KEYS = "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; aws sts get-caller-identity tries them"
LOGIN = "sign in again (aws sso login), or export new keys; aws sts get-caller-identity shows who you are"


@pytest.mark.parametrize("task", TASKS)
def test_no_credentials(clean_account: DeployedProject, task: str) -> None:
    result = clean_account.invoke(task, AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")
    is_told(result, 1, "AWS credentials: no credentials found (Unable to locate credentials)", KEYS)


@pytest.mark.parametrize("task", TASKS)
def test_no_region(clean_account: DeployedProject, task: str) -> None:
    message, hint = "no AWS region configured", "export AWS_REGION=eu-central-1, or choose a profile"
    is_told(clean_account.invoke(task, AWS_REGION=""), 1, message, hint)


@pytest.mark.parametrize("task", TASKS)
def test_credentials_that_have_expired(clean_account: DeployedProject, task: str) -> None:
    clean_account.proxy.fault("answer", refusal=protocols.expired)
    first = FIRST.get(task, "stack handoff-dev-shop")
    message = f"{first}: the credentials have expired (ExpiredToken), valid ones expected"
    is_told(clean_account.invoke(task), 1, message, LOGIN)


def test_credentials_that_expire_while_a_stack_is_changed(clean_account: DeployedProject) -> None:
    clean_account.write(memory=1024)
    fault = clean_account.proxy.fault("answer", wants=after_execution(), refusal=protocols.expired)
    is_told(
        clean_account.invoke("deploy"),
        1,
        "stack handoff-dev-shop: the credentials have expired (ExpiredToken), valid ones expected; "
        "CloudFormation continues with stack handoff-dev-shop, handoff stops waiting",
        "to wait again: invoke deploy --project shop",
    )
    clean_account.proxy.faults.remove(fault)
    clean_account.must("deploy")
    assert clean_account.account.stacks()[clean_account.stack] == "UPDATE_COMPLETE"


NOWHERE = f"found none in account {OTHER}, region {REGION}, expected the project deployed"
DEPLOY = "invoke deploy --project shop"


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        ("schedule", (1, [f"error: stack handoff-dev-shop: {NOWHERE}", f"hint: {DEPLOY}"])),
        ("run", (1, [f"error: stack handoff-dev-shop: {NOWHERE}", f"hint: {DEPLOY}"])),
        ("stop", (1, [f"error: cluster handoff-dev: {NOWHERE}", f"hint: {DEPLOY}"])),
        ("logs", (1, [f"error: cluster handoff-dev: {NOWHERE}", f"hint: {DEPLOY}"])),
    ],
)
def test_an_account_other_than_the_deployed_one(
    clean_account: DeployedProject, task: str, expected: tuple[int, list[str]]
) -> None:
    assert error(clean_account.invoke(task, AWS_ACCESS_KEY_ID=OTHER)) == expected


def test_an_account_where_nothing_is(clean_account: DeployedProject) -> None:
    direct = (
        clean_account.account.aws_account.endpoint
    )  # the proxy would refuse buckets that are not of its one account
    result = clean_account.invoke("destroy", AWS_ACCESS_KEY_ID=OTHER, AWS_ENDPOINT_URL=direct)
    where = f"(account {OTHER}, region {REGION})"
    assert (result.exit, result.stderr) == (0, f"nothing to delete: project shop in dev {where}\nnext: {DEPLOY}\n")
    assert "not deployed" in clean_account.invoke("status", AWS_ACCESS_KEY_ID=OTHER).stdout


# the network


def test_a_network_that_is_cut(clean_account: DeployedProject) -> None:
    result = clean_account.invoke("deploy", AWS_ENDPOINT_URL="http://127.0.0.1:1")
    waits = [line for line in result.stderr.splitlines() if "; attempt " in line]
    assert waits == [f"STS GetCallerIdentity: EndpointConnectionError; attempt {n} of 8 in N s" for n in range(2, 9)]
    found = 'got no connection (Could not connect to the endpoint URL: "http://127.0.0.1:1/")'
    network = "look at the network, AWS_ENDPOINT_URL, AWS_REGION and HTTPS_PROXY"
    is_told(result, 1, f"STS GetCallerIdentity: {found}", network)


def test_a_network_that_is_cut_while_a_stack_is_changed(clean_account: DeployedProject) -> None:
    clean_account.write(memory=2048)
    clean_account.proxy.fault("cut-upload", wants=after_execution())
    result = clean_account.invoke("deploy")
    code, lines = error(result)
    assert (code, lines[1]) == (1, "hint: to wait again: invoke deploy --project shop")
    assert re.fullmatch(
        r"error: stack handoff-dev-shop: CloudFormation DescribeStackEvents got no whole answer \(.+\); CloudFormation "
        r"continues with stack handoff-dev-shop, handoff stops waiting",
        lines[0],
    ), lines
    clean_account.proxy.faults.clear()
    clean_account.must("deploy")
    assert clean_account.account.stacks()[clean_account.stack] == "UPDATE_COMPLETE"


def after_execution() -> Callable[[protocols.Call], bool]:
    """Every call once a change set is being executed."""
    executed: list[str] = []

    def wants(call: protocols.Call) -> bool:
        executes = call.name == "cloudformation:ExecuteChangeSet"
        executed.extend([call.name] if executes else [])
        return bool(executed) and not executes

    return wants


# whose it is


@pytest.mark.parametrize("task", [task for task in TASKS if task not in ("status", "schedule.list")])
def test_a_stack_name_of_another_project(clean_account: DeployedProject, task: str) -> None:
    clean_account.checkout.project("other", "commands: [{command: echo}]\nschedules: [{name: a, rate: 1 hour}]\n")
    with clean_account.recorded() as calls:
        result = clean_account.invoke(task, project="other", STACK_NAME=clean_account.stack)
    message = "STACK_NAME: handoff-dev-shop is the stack of project 'shop', expected that of 'other'"
    is_told(result, 2, message, "unset STACK_NAME, or name its project: --project shop")
    assert {call.name for call in calls} <= {
        "cloudformation:DescribeStacks",
        "sts:GetCallerIdentity",
        "ssm:GetParameter",
    }


def test_the_status_of_a_stack_of_another_project(clean_account: DeployedProject) -> None:
    clean_account.checkout.project("other", "commands: [{command: echo}]\n")
    is_told(
        clean_account.invoke("status", project="other", STACK_NAME=clean_account.stack),
        1,
        "stack handoff-dev-shop: found tags (handoff:project shop, handoff:environment dev), "
        "expected (handoff:project other, handoff:environment dev)",
        "see its tags: aws cloudformation describe-stacks --stack-name handoff-dev-shop; "
        "then set another STACK_NAME or --environment",
    )


def test_a_bucket_of_another_account(clean_account: DeployedProject) -> None:
    """S3 refuses whatever is asked of it; LocalStack takes any."""
    clean_account.checkout.project("fresh", "commands: [{command: echo}]\n")
    clean_account.proxy.fault("answer", wants=lambda call: call.name.startswith("s3:"), refusal=protocols.denied)
    is_told(
        clean_account.invoke("deploy", project="fresh", S3_BUCKET_NAME="theirs"),
        1,
        "bucket theirs: not one that this account (ACCOUNT) may use; it belongs to another account, or the permission "
        "s3:ListBucket on it is missing",
        "name a bucket of your own: deploy: {bucket: NAME} in project.yml, or export S3_BUCKET_NAME=NAME",
    )


def test_a_bucket_that_is_not_there(clean_account: DeployedProject) -> None:
    clean_account.checkout.project("fresh", "commands: [{command: echo}]\n")
    is_told(
        clean_account.invoke("deploy", project="fresh", S3_BUCKET_NAME="nobodys-bucket"),
        1,
        "bucket nobodys-bucket: not found; deploy.bucket or S3_BUCKET_NAME names it",
        "create it: aws s3 mb s3://nobodys-bucket; or name none, and a shared bucket is created",
    )


def test_a_bucket_of_the_name_that_ours_would_have(clean_account: DeployedProject) -> None:
    bucket = resource_names.bucket("taken", clean_account.account.number, REGION)
    s3 = clean_account.account.boto("s3")
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    is_told(
        clean_account.invoke("deploy", HANDOFF_ENVIRONMENT="taken"),
        1,
        "bucket handoff-taken-ACCOUNT-eu-central-1: exists already, and stack handoff-taken did not create it",
        "to use it: deploy: {bucket: handoff-taken-ACCOUNT-eu-central-1} in project.yml; to have one created: delete it, then: "
        "invoke deploy --project shop --environment taken",
    )
    assert s3.head_bucket(Bucket=bucket)["ResponseMetadata"]["HTTPStatusCode"] == 200
    s3.delete_bucket(Bucket=bucket)


# what is wrong in the file, and on the command line


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        pytest.param(
            "deploy: {cpu: 256, memory: 3000}",
            "2:28: `memory` is `3000`, expected what goes with cpu 256: 512, 1GB or 2GB",
            "the nearest is `2GB`",
            id="no such pair",
        ),
        pytest.param(
            "deploy: {cpu: 300}",
            "2:15: `cpu` is `300`, expected 256, 512, 1024, 2048, 4096, 8192 or 16384",
            "did you mean `256`?",
            id="no such cpu",
        ),
        pytest.param(
            "schedules: [{name: a, cron: '61 * * * *'}]",
            "2:29: `cron`: found minute `61` in `61 * * * *`, expected 0 to 59",
            "did you mean `59`?",
            id="a bad cron",
        ),
        pytest.param(
            "schedules: [{name: a, cron: '0 6 * * *', timezone: Europe/Berln}]",
            "2:52: `timezone`: found `Europe/Berln`, expected an IANA time zone, like Europe/Berlin",
            "did you mean `Europe/Berlin`?",
            id="a bad timezone",
        ),
    ],
)
@pytest.mark.parametrize("task", ["deploy", "schedule"])
def test_a_file_that_is_wrong(clean_account: DeployedProject, task: str, text: str, message: str, hint: str) -> None:
    clean_account.checkout.project("wrong", f"commands: [{{command: echo}}]\n{text}\n")
    with clean_account.recorded() as calls:
        result = clean_account.invoke(task, project="wrong")
    is_told(result, 2, f"projects/wrong/project.yml:{message}", hint)
    assert calls == []


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        pytest.param(
            ("schedule", "--cron", "61 * * * *"),
            "--cron: found minute `61` in `61 * * * *`, expected 0 to 59",
            "did you mean `59`?",
            id="a bad cron",
        ),
        pytest.param(
            ("schedule", "--cron", "0 6 * * *", "--timezone", "Europe/Berln"),
            "--timezone: found `Europe/Berln`, expected an IANA time zone, like Europe/Berlin",
            "did you mean `Europe/Berlin`?",
            id="a bad timezone",
        ),
        pytest.param(
            ("run", "--cpu", "256", "--memory", "3GB"),
            "--cpu 256 and --memory 3GB: found 256 CPU units, 3,072 MiB, expected a memory for 256 CPU units: 512, "
            "1GB or 2GB",
            "for example: --cpu 256 --memory 2048",
            id="no such pair",
        ),
        pytest.param(
            ("run", "--env", "TOKEN=AKIAIOSFODNN7EXAMPLE"),
            "--env TOKEN looks like a secret (its name contains TOKEN); task overrides can be read by anyone with "
            "ecs:DescribeTasks",
            "put it, or a reference to it (ssm:/a/name), into a file of projects/shop/.local/, then: "
            "invoke params.push --project shop",
            id="a secret",
        ),
        pytest.param(
            ("run", "--env", "X=AKIAIOSFODNN7EXAMPLE"),
            "--env X looks like a secret (its value looks like a key of AWS); task overrides can be read by anyone with "
            "ecs:DescribeTasks",
            "put it, or a reference to it (ssm:/a/name), into a file of projects/shop/.local/, then: "
            "invoke params.push --project shop",
            id="a value that looks like one",
        ),
    ],
)
def test_words_that_are_wrong(clean_account: DeployedProject, words: tuple[str, ...], message: str, hint: str) -> None:
    with clean_account.recorded() as calls:
        result = clean_account.invoke(*words)
    is_told(result, 2, message, hint)
    assert {call.name for call in calls} <= {"sts:GetCallerIdentity", "cloudformation:DescribeStacks"}


@pytest.mark.parametrize("written", [True, False], ids=["in the file", "by --at"])
def test_a_schedule_in_the_past(clean_account: DeployedProject, *, written: bool) -> None:
    at = "2020-01-01T00:00:00"
    text = f"commands: [{{command: echo}}]\n{f'schedules: [{{name: default, at: {at}}}]' if written else ''}\n"
    clean_account.checkout.project("late", text)
    code, lines = error(clean_account.invoke("schedule", *(() if written else ("--at", at)), project="late"))
    message = f"error: schedule default: at: found `{at}`, which never comes again, expected a time in the future"
    assert (code, lines[0], lines[1][:20]) == (2, message, "hint: in UTC it is 2")


def test_names_that_are_too_long(clean_account: DeployedProject) -> None:
    name = "p" * 41
    clean_account.checkout.project(name, "commands: [{command: echo}]\n")
    result = clean_account.invoke("deploy", project=name)
    rule = "letters, digits, _ and -, beginning with a letter or digit, at most 40 characters"
    is_told(result, 2, f"project name: found '{name}', expected {rule}", f"for example: --project {'p' * 40}")
    result = clean_account.invoke("deploy", "--environment", "e" * 41)
    rule = "letters, digits and -, beginning with a letter or digit, at most 20 characters"
    is_told(result, 2, f"--environment: found '{'e' * 41}', expected {rule}", "for example: --environment dev")


# docker, and the way of the image


def test_without_docker_what_is_pushed_is_deployed(clean_account: DeployedProject) -> None:
    clean_account.must("deploy")
    clean_account.write(memory=1024)
    result = clean_account.must("deploy", DOCKER_HOST=ABSENT, PATH="")
    assert "docker" not in result.stderr


def test_the_way_of_an_image(deployed_project: DeployedProject) -> None:
    """Docker that does not run, a push cut off for good, an image pushed by half; at last it is there."""
    result = deployed_project.invoke("deploy", "--builder", "docker", DOCKER_HOST=ABSENT)
    is_told(
        result,
        1,
        f"docker does not work: Cannot connect to the Docker daemon at {ABSENT}. Is the docker daemon running?",
        f"start it: sudo systemctl start docker, or Docker Desktop; tried DOCKER_HOST={ABSENT}",
    )
    registry, number = deployed_project.account.registry, deployed_project.account.number
    what = f"could not push ACCOUNT.dkr.ecr.{REGION}.amazonaws.com/handoff-dev-shop:TAG: docker ended with exit 1"
    may = (
        "allow it to the role or user that deploys: ecr:BatchCheckLayerAvailability, ecr:InitiateLayerUpload, ecr:UploadLayerPart, "
        "ecr:CompleteLayerUpload, ecr:PutImage on the repository"
    )
    registry.cut_pushes(number, 1000)
    cut = untagged(deployed_project.invoke("deploy"))
    registry.cuts.clear()
    is_told(cut, 1, f"{what}: EOF", f"uploaded layers are not sent again: {DEPLOY}")
    registry.deny_manifests(number)
    is_told(
        untagged(deployed_project.invoke("deploy")), 1, f"{what}: denied: the test says so", f"{may}; then: {DEPLOY}"
    )
    assert deployed_project.account.images(resource_names.repository(deployed_project.stack)) == {}
    assert deployed_project.stack not in deployed_project.account.stacks()
    registry.cut_pushes(number, 1)
    deployed_project.must("deploy")
    assert len(deployed_project.account.images(resource_names.repository(deployed_project.stack))) == 1
    assert set(deployed_project.account.stacks().values()) == {"CREATE_COMPLETE"}


def untagged(result: InvokeResult) -> InvokeResult:
    return replace(result, stderr=re.sub(r"shop:[0-9a-f]{12}(-base[0-9]{8})?", "shop:TAG", result.stderr))


# stacks that fail


def test_a_stack_that_cannot_be_made(clean_account: DeployedProject) -> None:
    group, environ = "/handoff/handoff-log-shop", {"HANDOFF_ENVIRONMENT": "log"}
    logs = clean_account.account.boto("logs")
    logs.create_log_group(logGroupName=group)
    for _ in range(2):
        code, lines = error(clean_account.invoke("deploy", **environ))
        assert (code, lines) == (
            1,
            [
                "error: stack handoff-log-shop: AWS::Logs::LogGroup LogGroup could not be created: Resource provider "
                "operation failed: An error occurred (ResourceAlreadyExistsException) when calling the CreateLogGroup "
                "operation: The specified log group already exists; what had been created was deleted again",
                "hint: a resource of that name exists outside of this stack: delete it, or choose another "
                "name; then: invoke deploy --project shop --environment log",
            ],
        )
        assert clean_account.account.stacks()["handoff-log-shop"] == "ROLLBACK_COMPLETE"
    logs.delete_log_group(logGroupName=group)
    assert "delete stack handoff-log-shop, whose creation failed" in clean_account.must("deploy", **environ).stderr
    assert clean_account.account.stacks()["handoff-log-shop"] == "CREATE_COMPLETE"


def test_a_stack_that_cannot_be_changed(clean_account: DeployedProject) -> None:
    clean_account.write(memory=1024)
    clean_account.must("deploy")
    moto_proxy = clean_account.account.fargate.moto_proxy
    define = moto_proxy.operations["ecs", "RegisterTaskDefinition"]
    moto_proxy.operations["ecs", "RegisterTaskDefinition"] = refusing(clean_account.account.number, define)
    try:
        clean_account.write(memory=2048)
        code, lines = error(clean_account.invoke("deploy"))
    finally:
        moto_proxy.operations["ecs", "RegisterTaskDefinition"] = define
    assert code == 1
    start = "error: stack handoff-dev-shop: AWS::ECS::TaskDefinition TaskDefinition could not be updated: "
    assert lines[0].startswith(start)
    assert lines[0].endswith("; the stack was rolled back")
    assert lines[1] == f"hint: correct the value in project.yml or in templates/; then: {DEPLOY}"
    assert clean_account.account.stacks()[clean_account.stack] == "UPDATE_ROLLBACK_COMPLETE"
    clean_account.must("deploy")
    assert clean_account.account.stacks()[clean_account.stack] == "UPDATE_COMPLETE"


def refusing(account: str, define: Callable[[Request], object]) -> Callable[[Request], object]:
    """ECS lets no revision be made, in one account."""

    def refused(request: Request) -> object:
        if request.account == account:
            raise Refused("ClientException", "Too many concurrent attempts to create a new revision of the family.")
        return define(request)

    return refused


# two at once


def together(deployed_project: DeployedProject, *several: tuple[str, ...]) -> list[InvokeResult]:
    """Tasks that are started at once, each to its end."""
    pipe = subprocess.PIPE
    words = [("deploy", "--yes", "--project", *each) for each in several]
    started = [
        deployed_project.checkout.start(*each, env=deployed_project.environ, stdout=pipe, stderr=pipe) for each in words
    ]
    found = []
    for process in started:
        with process:
            out, said = process.communicate(timeout=120)
        found.append(type_told(deployed_project, process.returncode, out, said))
    return found


def type_told(deployed_project: DeployedProject, code: int, out: bytes, said: bytes) -> InvokeResult:
    assert b"Traceback" not in said, said.decode()
    return InvokeResult(code, deployed_project.stable(out.decode()), deployed_project.stable(said.decode()))


@pytest.mark.parametrize("others", [("shop", "shop"), ("shop", "beside")], ids=["of one project", "of two projects"])
def test_two_first_deployments_at_once(clean_account: DeployedProject, others: tuple[str, str]) -> None:
    clean_account.write(name="beside")
    environment = f"both-{others[1]}"
    result = together(clean_account, *((name, "--environment", environment) for name in others))
    assert [each.exit for each in result] == [0, 0], result
    found = {
        name: status
        for name, status in clean_account.account.stacks().items()
        if name.startswith(f"handoff-{environment}")
    }
    assert found == dict.fromkeys(stacks(environment, set(others)), "CREATE_COMPLETE")
    assert clean_account.leftovers() == {}


def stacks(environment: str, projects: set[str]) -> list[str]:
    """What is there of projects that are deployed."""
    own = [resource_names.stack_name(project, environment) for project in projects]
    return [resource_names.shared_stack(environment), *own, *map(resource_names.registry_stack, own)]


def test_two_changes_at_once(clean_account: DeployedProject) -> None:
    clean_account.write(memory=1024 if clean_account.turn % 2 else 512)
    result = together(clean_account, ("shop",), ("shop",))
    assert [each.exit for each in result] == [0, 0], result
    assert clean_account.must("deploy").stderr.splitlines()[-2] == "no changes: the deployment is up to date"
    assert clean_account.leftovers() == {}


# tasks that do not start (test_runs_on_fargate.py has one that is killed for memory)


def test_a_task_that_never_starts(clean_account: DeployedProject) -> None:
    clean_account.account.faults.fail_start("CannotPullContainerError: failed to resolve ref: dial tcp: i/o timeout", 7)
    result = clean_account.invoke("run")
    words = (
        "never started: its subnet cannot reach the registry of its image (ECR): CannotPullContainerError: failed to "
    )
    assert (result.exit, result.stderr.splitlines()[-3:]) == (
        1,
        [
            f"task TASK {words}resolve ref: dial tcp: i/o timeout",
            "hint: projects/shop/project.yml: deploy: {subnets: [...]} must be subnets with a route to an internet "
            "gateway (public_ip gives the address), and security groups must let HTTPS out",
            "next: invoke status --project shop",
        ],
    )
    assert result.stderr.count("starting it again") == 6


def test_a_task_that_hangs(clean_account: DeployedProject) -> None:
    """With less patience than a quarter of an hour."""
    clean_account.account.faults.hang()
    impatient = (
        'from handoff_kit.aws.ecs.watch import TaskWatch\nobject.__setattr__(TaskWatch.timeouts, "start", 2.0)\n'
    )
    with clean_account.patched(impatient):
        result = clean_account.invoke("run")
    is_told(
        result,
        1,
        "task TASK: still PENDING after N s, and so stopped; expected it to run",
        "if it stays so: do its subnets have a route to the internet (public_ip, or a NAT gateway), and how large is "
        "its image? invoke status --project shop",
    )
    assert clean_account.account.tasks()[-1]["stoppedReason"] == "did not start in time"
