"""Stacks made, changed and removed by a real CloudFormation, as far as LocalStack's is one.

Where it differs from AWS, and what the kit asks of AWS alone is tested with answers in its shape (tests/unit/test_stack_*):
DescribeChangeSet tells no Details, so no properties, and a Replacement only as True or False; events carry no
ClientRequestToken and no reason on the stack's own; a failed creation ends in ROLLBACK_COMPLETE with what it made still there,
and so does a failed change, after which every other change ends so too; removing a stack whose creation stopped half way
fails at what was never made; a change of outputs alone is done without an event of any resource; a stack under review has
no template and no tags; nothing is validated before a change set is made; RetainExceptOnCreate is taken and not heeded;
RetentionInDays of a log group is lost; the change sets that were not executed outlive one that was;
a DeleteStack during another begins a second removal.
"""

from __future__ import annotations

import fcntl
import os
import pty
import subprocess
import sys
import termios
import textwrap
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from doubles.checkout import ROOT, heed_interrupts
from doubles.fault_proxy import Proxy
from doubles.terminal import Shown

from handoff_kit.aws.cloudformation.deploy_stack import delete_stack, deploy_stack
from handoff_kit.aws.cloudformation.stack import StackDescription, describe_existing, describe_stack, resolve_parameters
from handoff_kit.aws.cloudformation.wait import PollPolicy
from handoff_kit.errors import ProjectError
from handoff_kit.steps import DeleteStack, DeployStack, ImageTag
from handoff_runtime.aws import session as connections
from handoff_runtime.errors import HandoffError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from doubles.localstack import AwsAccount
    from doubles.moto_bucket import MotoBucket

    from handoff_runtime.aws.session import Session

pytestmark = pytest.mark.takes(80)


REGION = "eu-central-1"
NAME = "handoff-dev-shop"
AGAIN = "invoke deploy --project shop"
TAGS = {"handoff:project": "shop", "handoff:environment": "dev"}
ONE = """
Parameters:
  Group: {Type: String}
Resources:
  Logs: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: !Ref Group, RetentionInDays: 7}}
  Missed: {Type: AWS::SQS::Queue, Properties: {QueueName: shop-missed, VisibilityTimeout: 10}}
Outputs:
  Group: {Value: !Ref Logs}
"""
TWO = ONE.replace("Timeout: 10", "Timeout: 20").replace("Outputs:", "  Topic: {Type: AWS::SNS::Topic}\nOutputs:")
BAD = ONE.replace("Outputs:", "  Z: {Type: AWS::S3::Bucket, Properties: {BucketName: NOT_A_NAME}}\nOutputs:")
QUICK = PollPolicy(shortest=0.5, longest=2, patience=60)  # a tenth of it, by HANDOFF_TEST_SPEED


@dataclass
class StackOperator:
    """Deploys and deletes the stack NAME in this process; `said` is what is printed, `calls` those of CloudFormation."""

    aws_account: AwsAccount
    session: Session
    said: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)

    def step(self, template: str = ONE, group: str = "/shop", **changed: Any) -> DeployStack:
        made = DeployStack(NAME, Path("task.yml"), template, {"Group": group}, TAGS, AGAIN)
        return replace(made, **changed)

    def execute(self, step: DeployStack, *, dry: bool = False, yes: bool = True) -> bool:
        return deploy_stack(step, self.session, dry=dry, yes=yes, say=self.said.append, policy=QUICK)

    def remove(self, *, dry: bool = False) -> bool:
        step = DeleteStack(NAME, "invoke destroy --project shop")
        return delete_stack(step, self.session, dry=dry, yes=True, say=self.said.append, policy=QUICK)

    def error(self, act: Callable[[], object]) -> HandoffError:
        with pytest.raises(HandoffError) as caught:
            act()
        return caught.value

    @property
    def stack(self) -> StackDescription:
        found = describe_existing(self.session, NAME, template=True)
        assert found is not None
        return found

    @property
    def resources(self) -> dict[str, Any]:
        """The log groups, timeouts of queues, and number of topics of the account."""
        sqs, logs, sns = (self.aws_account.boto(name) for name in ("sqs", "logs", "sns"))
        queues = sqs.list_queues().get("QueueUrls", ())
        timeouts = [sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"] for url in queues]
        return {
            "logs": sorted(one["logGroupName"] for one in logs.describe_log_groups()["logGroups"]),
            "queues": [found["VisibilityTimeout"] for found in timeouts],
            "topics": len(sns.list_topics()["Topics"]),
        }

    @property
    def change_sets(self) -> list[str]:
        """The names of those that are available to be executed."""
        found = self.aws_account.boto("cloudformation").list_change_sets(StackName=NAME)["Summaries"]
        return [one["ChangeSetName"] for one in found if one.get("ExecutionStatus") == "AVAILABLE"]


@pytest.fixture
def operator(aws_account: AwsAccount, monkeypatch: pytest.MonkeyPatch) -> Iterator[StackOperator]:
    made = make_operator(aws_account, monkeypatch)
    yield made
    made.session.close()


def make_operator(aws_account: AwsAccount, monkeypatch: pytest.MonkeyPatch) -> StackOperator:
    for name, value in aws_account.environ.items():
        monkeypatch.setenv(name, value)
    said: list[str] = []
    made = StackOperator(aws_account, connections.connect(os.environ, said.append), said)
    events = made.session.client("cloudformation").meta.events
    events.register("before-call", lambda model, **_: made.calls.append(model.name))
    return made


# made, changed, left as it is, removed


def test_the_life_of_a_stack(operator: StackOperator) -> None:
    assert operator.execute(operator.step(), dry=True)
    assert operator.said == [
        "would create stack handoff-dev-shop:",
        "  + Logs    AWS::Logs::LogGroup",
        "  + Missed  AWS::SQS::Queue",
    ]
    assert operator.resources == {"logs": [], "queues": [], "topics": 0}
    assert operator.execute(operator.step())
    assert operator.resources == {"logs": ["/shop"], "queues": ["10"], "topics": 0}
    assert (operator.stack.status, operator.stack.tags, operator.stack.outputs) == (
        "CREATE_COMPLETE",
        TAGS,
        {"Group": "/shop"},
    )
    operator.said.clear()
    assert operator.execute(operator.step(TWO, "/other"), dry=True)
    dry = operator.said[:]
    operator.said.clear()
    assert operator.execute(operator.step(TWO, "/other"))
    assert (
        [f"would {operator.said[0]}", *operator.said[1 : len(dry)]]
        == dry
        == [
            "would update stack handoff-dev-shop:",
            "  ~ Logs    AWS::Logs::LogGroup  LogGroupName (replaced)",
            "  ~ Missed  AWS::SQS::Queue      VisibilityTimeout",
            "  + Topic   AWS::SNS::Topic",
            "  ~ Group   parameter            /shop -> /other",
            "warning: Logs (AWS::Logs::LogGroup) is replaced by an empty one, and the logs in it are lost",
        ]
    )
    assert operator.resources["topics"] == 1
    assert operator.resources["queues"] == ["20"]
    assert "/other" in operator.resources["logs"]
    assert operator.remove()
    assert operator.resources == {"logs": [], "queues": [], "topics": 0}
    assert not operator.remove()


def test_nothing_to_change_costs_two_calls(operator: StackOperator) -> None:
    operator.execute(operator.step())
    operator.calls.clear()
    assert not operator.execute(operator.step())
    assert not operator.execute(operator.step(ONE.replace("Resources:", "# a comment\nResources:")))
    assert operator.calls == ["DescribeStacks", "GetTemplate"] * 2
    assert operator.said[-2:] == ["stack handoff-dev-shop is up to date"] * 2


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        pytest.param(
            {"template": ONE.replace("!Ref Logs", "!GetAtt Logs.Arn")},
            "  ~ Group  output  ${Logs} -> Logs.Arn",
            id="output",
        ),
        pytest.param({"tags": {**TAGS, "cost": "1"}}, "  + cost  tag  1", id="tag"),
    ],
)
def test_what_is_no_resource_is_changed_too(operator: StackOperator, changed: Mapping[str, Any], expected: str) -> None:
    operator.execute(operator.step())
    operator.said.clear()
    assert operator.execute(operator.step(**changed), dry=True)
    assert operator.said == ["would update stack handoff-dev-shop:", expected]
    operator.execute(operator.step(**changed))
    assert expected in operator.said[2:] or "stack handoff-dev-shop is up to date" in operator.said


def test_a_long_template_goes_by_the_bucket(operator: StackOperator) -> None:
    bucket = f"bucket-{operator.aws_account.account}"
    operator.aws_account.boto("s3").create_bucket(
        Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    long = f"{ONE}# {'x' * 60_000}\n"
    assert operator.execute(operator.step(long, bucket=bucket))
    (found,) = operator.aws_account.boto("s3").list_objects_v2(Bucket=bucket)["Contents"]
    assert found["Key"].startswith(".templates/handoff-dev-shop-")
    assert (operator.stack.template, operator.resources["queues"]) == (long, ["10"])
    assert not operator.execute(operator.step(long, bucket=bucket))


# failing


def test_a_failed_creation_and_the_next_one(operator: StackOperator) -> None:
    error = operator.error(lambda: operator.execute(operator.step(BAD)))
    assert error.message == (
        "stack handoff-dev-shop: AWS::S3::Bucket Z could not be created: Resource provider operation failed: An error occurred "
        "(InvalidBucketName) when calling the CreateBucket operation: The specified bucket is not valid; "
        "what had been created was deleted again"
    )
    assert error.hint == f"correct the value in project.yml or in templates/; then: {AGAIN}"
    operator.said.clear()
    assert operator.execute(operator.step())
    assert operator.said[0].startswith("delete stack handoff-dev-shop, whose creation failed")
    assert (operator.stack.status, operator.resources) == (
        "CREATE_COMPLETE",
        {"logs": ["/shop"], "queues": ["10"], "topics": 0},
    )


def test_a_template_that_is_refused(operator: StackOperator) -> None:
    error = operator.error(
        lambda: operator.execute(
            operator.step("Resources: {A: {Type: AWS::SNS::Topic, Properties: {TopicName: !Ref B}}}")
        )
    )
    assert error.message.startswith("stack handoff-dev-shop: CloudFormation rejected task.yml: Template format error: ")
    assert error.message.endswith("; nothing was changed")
    assert describe_stack(operator.session, NAME) is None


def test_a_stack_of_another_project(operator: StackOperator) -> None:
    operator.execute(operator.step())
    error = operator.error(lambda: operator.execute(operator.step(TWO, tags={**TAGS, "handoff:project": "other"})))
    assert error.message == (
        "stack handoff-dev-shop: found tags (handoff:project shop, handoff:environment dev), "
        "expected (handoff:project other, handoff:environment dev)"
    )
    assert operator.stack.template == ONE


def test_no_terminal_and_no_yes(operator: StackOperator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert isinstance(operator.error(lambda: operator.execute(operator.step(), yes=False)), ProjectError)
    assert describe_stack(operator.session, NAME) is None
    operator.execute(operator.step())
    assert isinstance(operator.error(lambda: operator.execute(operator.step(TWO), yes=False)), ProjectError)
    assert (operator.stack.template, operator.change_sets) == (ONE, [])


# interrupted, and two at once


class Killed(BaseException):
    """The end of our process."""


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("there", [False, True], ids=["nothing there", "one there"])
def test_killed_at_any_call_it_can_be_run_again(operator: StackOperator, when: str, *, there: bool) -> None:
    calls_left = [sys.maxsize]

    def count(**_: Any) -> None:
        calls_left[0] -= 1
        if calls_left[0] < 0:
            raise Killed

    def cut(**_: Any) -> None:
        if calls_left[0] == 0 and when == "after":
            raise Killed

    events = operator.session.client("cloudformation").meta.events
    events.register("before-call", count)
    events.register("after-call", cut)
    for number in range(1, 60):
        calls_left[0] = sys.maxsize
        operator.remove()
        if there:
            operator.execute(operator.step())
        calls_left[0] = number
        try:
            operator.execute(operator.step(TWO))
        except Killed:
            calls_left[0] = sys.maxsize
            operator.execute(operator.step(TWO))
            assert (operator.stack.template, operator.resources["queues"]) == (TWO, ["20"])
        else:
            assert number > 6
            return
    pytest.fail("it never came to its end")


def test_two_at_once_both_end_well(operator: StackOperator, monkeypatch: pytest.MonkeyPatch) -> None:
    """One waits for the other, or compares again; what stands at the end is what one of them asked for."""
    operator.execute(operator.step())
    others = [make_operator(operator.aws_account, monkeypatch) for _ in range(3)]
    ended: list[object] = []

    def deploy(number: int, other: StackOperator) -> None:
        try:
            ended.append(other.execute(other.step(ONE.replace("Timeout: 10", f"Timeout: {20 + number}"))))
        except HandoffError as error:
            ended.append(str(error))

    threads = [threading.Thread(target=deploy, args=pair) for pair in enumerate(others)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for other in others:
        other.session.close()
    assert ended == [True] * 3
    assert operator.stack.status == "UPDATE_COMPLETE"
    assert operator.resources["queues"][0] in ("20", "21", "22")


# on a terminal

PROGRAM = """
    import os, sys
    sys.path[:0] = [{root!r}, {tests!r}]
    from pathlib import Path
    from handoff_kit.errors import HandoffError
    from handoff_kit.aws.cloudformation.deploy_stack import deploy_stack
    from handoff_kit.steps import DeployStack
    from handoff_runtime.aws import session
    say = lambda line: print(line, file=sys.stderr, flush=True)
    step = DeployStack({name!r}, Path("task.yml"), {template!r}, {parameters}, {tags!r}, {again!r})
    try:
        deploy_stack(step, session.connect(os.environ, say), dry=False, yes=False, say=say)
    except HandoffError as error:
        say(error)
        sys.exit(error.exit_code)
"""


MANY = "Resources:\n" + "".join(
    f"  R{number}: {{Type: AWS::IAM::Role, Properties: {{AssumeRolePolicyDocument: {{}}}}}}\n" for number in range(60)
)


def on_terminal(aws_account: AwsAccount, template: str = ONE, parameters: str = "{'Group': '/shop'}") -> Shown:
    """A deployment whose questions are answered by typing."""
    words = {"root": str(ROOT), "tests": str(Path(__file__).parent)}
    code = textwrap.dedent(PROGRAM).format(
        **words, name=NAME, template=template, parameters=parameters, tags=TAGS, again=AGAIN
    )
    master, slave = pty.openpty()
    environ = {name: value for name, value in os.environ.items() if name != "CI"}
    popen: dict[str, Any] = {"start_new_session": True, "preexec_fn": _own_terminal}
    popen |= {"stdin": slave, "stdout": slave, "stderr": slave}
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**environ, **aws_account.environ, "TERM": "xterm-256color", "COLUMNS": "100"},
        **popen,
    )
    os.close(slave)
    return Shown(process, master, 100)


def _own_terminal() -> None:
    """Its Ctrl-C goes to the process group in its foreground, which is ours."""
    heed_interrupts()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@pytest.mark.parametrize(
    ("typed", "end", "exit_code", "stacks"),
    [
        pytest.param(b"no\n", "error: not done: the answer was no", 1, [], id="no"),
        pytest.param(b"yes\n", "stack handoff-dev-shop: created in ", 0, [NAME], id="yes"),
    ],
)
def test_a_question_on_a_terminal(
    aws_account: AwsAccount, typed: bytes, end: str, exit_code: int, stacks: list[str]
) -> None:
    shown = on_terminal(aws_account)
    shown.read_until(lambda: "[y/N]" in shown.text)
    assert [line for line in shown.lines if line] == [
        "create stack handoff-dev-shop:",
        "  + Logs    AWS::Logs::LogGroup",
        "  + Missed  AWS::SQS::Queue",
        "create stack handoff-dev-shop (2 resources)? [y/N]",
    ]
    shown.type(typed)
    assert shown.finish() == exit_code
    last = [line for line in shown.lines if line][-1]
    assert last.startswith(end)
    found = aws_account.boto("cloudformation").describe_stacks()["Stacks"]
    assert [one["StackName"] for one in found if one["StackStatus"] != "DELETE_COMPLETE"] == stacks


def test_ctrl_c_leaves_cloudformation_at_work(aws_account: AwsAccount, operator: StackOperator) -> None:
    shown = on_terminal(aws_account, MANY, "{}")
    shown.read_until(lambda: "[y/N]" in shown.text)
    shown.type(b"yes\n")
    shown.read_until(lambda: "create in progress" in shown.text)
    assert any(line.split() == ["resource", "type", "status", "s"] for line in shown.lines)
    shown.type(b"\x03")
    assert shown.finish() == 130
    error, hint = [line for line in shown.text.replace("\r", "").splitlines() if line][-2:]
    assert error.endswith(f"error: stack {NAME}: interrupted; CloudFormation continues, handoff stops waiting")
    assert hint == f"hint: to wait again: {AGAIN}"
    assert not operator.execute(operator.step(MANY, parameters={}))
    assert operator.stack.status == "CREATE_COMPLETE"


# on bad days


@pytest.fixture
def proxy(operator: StackOperator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """Between the operator and CloudFormation, and at first without faults."""
    with Proxy.to(operator.aws_account.endpoint) as started:
        monkeypatch.setenv("AWS_ENDPOINT_URL", started.url)
        operator.session.close()
        operator.session = connections.connect(os.environ, operator.said.append, pause=lambda _: None)
        yield started


def test_throttled_at_every_other_call(operator: StackOperator, proxy: Proxy) -> None:
    proxy.fault("answer", every=2, status=503, code="Throttling")
    assert operator.execute(operator.step())
    assert operator.execute(operator.step(TWO))
    assert (operator.stack.template, operator.resources["queues"]) == (TWO, ["20"])
    assert any(line.startswith("CloudFormation CreateChangeSet: 503") for line in operator.said)
    assert operator.remove()


@pytest.mark.parametrize("every", [2, 3])
def test_answers_that_are_lost(operator: StackOperator, proxy: Proxy, every: int) -> None:
    """CloudFormation did it, and nobody was told: it is asked for once more."""
    proxy.fault("lose", every=every)
    operator.execute(operator.step())
    operator.execute(operator.step(TWO))
    assert (operator.stack.template, operator.resources["queues"]) == (TWO, ["20"])
    proxy.faults.clear()  # LocalStack would begin to remove twice what it is asked for twice, and fail at what is gone
    assert operator.remove()
    assert operator.resources == {"logs": [], "queues": [], "topics": 0}


MANIFEST = '{"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json", "layers": []}'


def test_an_image_by_its_digest(moto_bucket: MotoBucket) -> None:
    image = ImageTag("shop", "abc", "1.dkr/shop")
    assert resolve_parameters({"A": "x", "Image": image}, moto_bucket.session(), AGAIN, dry=True) == {
        "A": "x",
        "Image": "1.dkr/shop:abc (by its digest once pushed)",
    }
    ecr = moto_bucket.boto("ecr")
    ecr.create_repository(repositoryName="shop")
    with pytest.raises(HandoffError, match=r"image 1\.dkr/shop:abc: not found in ECR"):
        resolve_parameters({"Image": image}, moto_bucket.session(), AGAIN)
    made = ecr.put_image(repositoryName="shop", imageManifest=MANIFEST, imageTag="abc")["image"]["imageId"][
        "imageDigest"
    ]
    assert resolve_parameters({"Image": image}, moto_bucket.session(), AGAIN) == {"Image": f"1.dkr/shop@{made}"}
