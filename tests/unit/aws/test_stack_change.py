"""Stacks changed and removed, against a small CloudFormation in memory that answers as AWS does.

Requests and answers go through boto3, which checks them against the description of the service.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.validate import ParamValidator

from handoff_kit.aws.cloudformation import deploy_stack
from handoff_kit.aws.cloudformation.stack import describe_existing
from handoff_kit.aws.cloudformation.template import parse_template, template_section
from handoff_kit.aws.cloudformation.wait import PollPolicy
from handoff_kit.errors import AWSError, CommandError, ProjectError
from handoff_kit.steps import DeleteStack, DeployStack, ImageTag
from handoff_runtime.aws.retry import RetryHooks
from handoff_runtime.aws.session import Session
from handoff_runtime.errors import HandoffError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

REGION, ACCOUNT = "eu-central-1", "123456789012"
NAME = "handoff-dev-shop"
AGAIN = "invoke deploy --project shop"
TAGS = {"handoff:project": "shop", "handoff:environment": "dev"}
ONE = """
Parameters:
  Image: {Type: String}
Resources:
  Logs: {Type: AWS::Logs::LogGroup, Properties: {RetentionInDays: 7}}
  Task: {Type: AWS::ECS::TaskDefinition, Properties: {ContainerDefinitions: [{Image: !Ref Image}]}}
"""
TWO = ONE.replace("RetentionInDays: 7", "RetentionInDays: 14")
EVENTS_A_LOOK = 2
DENIED = "Resource handler returned message: User: arn:aws:iam::1:user/a is not authorized to perform: ecs:RegisterTaskDefinition on resource: * (Service: Ecs, Status Code: 400)"


class Refusal(Exception):  # noqa: N818  # an answer, not an error of ours
    """What AWS answers with an error code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass
class Stack:
    """One of the stacks in it; `coming` are events that are still to happen."""

    name: str
    id: str
    status: str = "REVIEW_IN_PROGRESS"
    template: str = ""
    parameters: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    change_set: str = ""
    events: list[dict[str, Any]] = field(default_factory=list)
    coming: list[tuple[str, str, str]] = field(default_factory=list)
    resources: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)


@dataclass
class Cloud:
    """CloudFormation and ECR: `failing` resources fail with a reason, `after` is called when an operation was done."""

    stacks: dict[str, Stack] = field(default_factory=dict)
    gone: dict[str, Stack] = field(default_factory=dict)
    change_sets: dict[str, dict[str, Any]] = field(default_factory=dict)
    failing: dict[str, str] = field(default_factory=dict)
    lasting: dict[str, str] = field(default_factory=dict)
    images: dict[str, str] = field(default_factory=dict)
    refused: str = ""
    modes: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    before: Callable[[str], None] = lambda _operation: None
    after: Callable[[str], None] = lambda _operation: None
    count: int = 0

    def answer(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """What AWS answers."""
        self.calls.append(operation)
        self.before(operation)
        method = re.sub(r"(?<!^)(?=[A-Z])", "_", operation).lower()
        answer = getattr(self, method)(**request)
        self.after(operation)
        return answer or {}

    # what can be called

    def describe_stacks(self, StackName: str) -> dict[str, Any]:  # noqa: N803
        stack = self._stack(StackName)
        about: dict[str, Any] = {"StackId": stack.id, "StackName": stack.name, "StackStatus": stack.status}
        about |= {"CreationTime": self._now(), "ChangeSetId": stack.change_set or None}
        about["Parameters"] = [{"ParameterKey": k, "ParameterValue": v} for k, v in stack.parameters.items()]
        about["Outputs"] = [{"OutputKey": k, "OutputValue": v} for k, v in stack.outputs.items()]
        about["Tags"] = [{"Key": k, "Value": v} for k, v in stack.tags.items()]
        return {"Stacks": [{name: value for name, value in about.items() if value is not None}]}

    def get_template(self, StackName: str) -> dict[str, Any]:  # noqa: N803
        return {"TemplateBody": self._stack(StackName).template}

    def describe_stack_events(self, StackName: str, NextToken: str = "0") -> dict[str, Any]:  # noqa: N803
        stack = self._stack(StackName)
        for _ in range(EVENTS_A_LOOK):
            self._happens(stack)
        at = int(NextToken)
        page = {"StackEvents": stack.events[::-1][at : at + 3]}
        return {**page, "NextToken": str(at + 3)} if at + 3 < len(stack.events) else page

    def create_change_set(self, StackName: str, ChangeSetName: str, ChangeSetType: str, **request: Any) -> Any:  # noqa: N803
        self.modes += filter(None, [request.pop("DeploymentMode", "")])
        if self.refused:
            raise Refusal("ValidationError", self.refused)
        stack = self.stacks.get(StackName)
        if ChangeSetType == "CREATE":
            if stack and stack.status != "REVIEW_IN_PROGRESS":
                raise Refusal(
                    "ValidationError",
                    f"Stack [{StackName}] already exists and cannot be created again with the changeSet [x].",
                )
            stack = stack or self.add(Stack(StackName, self._arn("stack", StackName)))
        if stack is None:
            raise Refusal("ValidationError", f"Stack [{StackName}] does not exist")
        if ChangeSetType == "UPDATE" and stack.status.endswith("_IN_PROGRESS"):
            raise Refusal("ValidationError", f"Stack:{stack.id} is in {stack.status} state and can not be updated.")
        made = {**request, "StackName": StackName, "Name": ChangeSetName, "Type": ChangeSetType, "looks": 0}
        arn = self._arn("changeSet", ChangeSetName)
        self.change_sets[arn] = made
        return {"Id": arn, "StackId": stack.id}

    def describe_change_set(self, ChangeSetName: str, **_: Any) -> dict[str, Any]:  # noqa: N803
        made = self._change_set(ChangeSetName)
        stack = self._stack(made["StackName"])
        made["looks"] += 1
        about = {"ChangeSetId": ChangeSetName, "StackId": stack.id, "StackName": stack.name, "Changes": []}
        if made["looks"] == 1:
            return {**about, "Status": "CREATE_IN_PROGRESS"}
        changes = list(self._changes(stack, made))
        same = (stack.template, stack.parameters, stack.tags) == (made["TemplateBody"], *_given(made))
        if same:
            reason = (
                "The submitted information didn't contain changes. Submit different information to create a change set."
            )
            return {**about, "Status": "FAILED", "StatusReason": reason}
        return {**about, "Status": "CREATE_COMPLETE", "Changes": changes}

    def execute_change_set(self, ChangeSetName: str, **_: Any) -> None:  # noqa: N803
        made = self._change_set(ChangeSetName)
        stack = self._stack(made["StackName"])
        if stack.status.endswith("_IN_PROGRESS") and stack.status != "REVIEW_IN_PROGRESS":
            raise Refusal("InvalidChangeSetStatus", "cannot be executed in its current status of [OBSOLETE]")
        self.begin(stack, made)
        stack.change_set = ChangeSetName
        self.change_sets = {arn: one for arn, one in self.change_sets.items() if one["StackName"] != stack.name}

    def delete_change_set(self, ChangeSetName: str, StackName: str) -> None:  # noqa: N803
        self._stack(StackName)
        for arn, one in list(self.change_sets.items()):
            if ChangeSetName in (arn, one["Name"]):
                del self.change_sets[arn]

    def list_change_sets(self, StackName: str) -> dict[str, Any]:  # noqa: N803
        stack = self._stack(StackName)
        found = {arn: one for arn, one in self.change_sets.items() if one["StackName"] == stack.name}
        return {"Summaries": [{"ChangeSetId": arn, "ChangeSetName": one["Name"]} for arn, one in found.items()]}

    def delete_stack(self, StackName: str) -> None:  # noqa: N803
        stack = self._stack(StackName)
        if stack.status == "REVIEW_IN_PROGRESS":
            self._end(stack, "DELETE_COMPLETE")
            return
        stack.status = "DELETE_IN_PROGRESS"
        stack.coming = [("", "DELETE_IN_PROGRESS", "User Initiated")]
        for name in stack.resources:
            reason = self.lasting.get(name, "")
            stack.coming += [
                (name, "DELETE_IN_PROGRESS", ""),
                (name, "DELETE_FAILED" if reason else "DELETE_COMPLETE", reason),
            ]
        failed = self.lasting.keys() & stack.resources.keys()
        stack.coming.append(("", "DELETE_FAILED" if failed else "DELETE_COMPLETE", ""))

    def list_stack_resources(self, StackName: str) -> dict[str, Any]:  # noqa: N803
        stack, now = self._stack(StackName), self._now()
        kind = {"ResourceType": "AWS::X::Y", "LastUpdatedTimestamp": now}
        rows = [
            {"LogicalResourceId": name, "ResourceStatus": status, **kind} for name, status in stack.resources.items()
        ]
        return {"StackResourceSummaries": rows}

    def continue_update_rollback(self, StackName: str) -> None:  # noqa: N803
        stack = self._stack(StackName)
        stack.status = "UPDATE_ROLLBACK_IN_PROGRESS"
        stack.coming = [("", "UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated")]
        for name, reason in self.lasting.items():
            stack.coming.append((name, "UPDATE_FAILED", reason))
        stack.coming.append(("", "UPDATE_ROLLBACK_FAILED" if self.lasting else "UPDATE_ROLLBACK_COMPLETE", ""))

    def describe_events(self, **_: Any) -> dict[str, Any]:
        return {"OperationEvents": []}

    def describe_images(self, repositoryName: str, imageIds: list[dict[str, str]]) -> dict[str, Any]:  # noqa: N803
        found = self.images.get(f"{repositoryName}:{imageIds[0]['imageTag']}")
        if not found:
            raise Refusal("ImageNotFoundException", "The image does not exist")
        return {"imageDetails": [{"imageDigest": found}]}

    # what happens in it

    def add(self, stack: Stack) -> Stack:
        self.stacks[stack.name] = stack
        return stack

    def begin(self, stack: Stack, made: Mapping[str, Any]) -> None:
        """Make or change a stack as a change set says; what fails is undone."""
        verb = made["Type"]
        parameters, tags = _given(made)
        stack.status = f"{verb}_IN_PROGRESS"
        stack.coming = [("", stack.status, "User Initiated")]
        names = list(template_section(parse_template(made["TemplateBody"]), "Resources"))
        bad = next((name for name in names if name in self.failing), None)
        for name in names[: names.index(bad)] if bad else names:
            stack.coming += [(name, f"{verb}_IN_PROGRESS", ""), (name, f"{verb}_COMPLETE", "")]
        back = "ROLLBACK" if verb == "CREATE" else "UPDATE_ROLLBACK"
        if bad:
            after = names[names.index(bad) + 1 :]
            stack.coming.append((bad, f"{verb}_FAILED", self.failing[bad]))
            stack.coming += [(name, f"{verb}_FAILED", "Resource creation cancelled") for name in after]
            stack.coming += [
                ("", f"{back}_IN_PROGRESS", f"The following resource(s) failed: [{bad}]."),
                ("", f"{back}_COMPLETE", ""),
            ]
        else:
            stack.coming.append(("", f"{verb}_COMPLETE", ""))
        if not bad or verb == "CREATE":
            stack.template, stack.parameters, stack.tags = made["TemplateBody"], parameters, tags
            stack.resources = dict.fromkeys(names, "DELETE_COMPLETE" if bad else f"{verb}_COMPLETE")

    def settle(self) -> None:
        """Let all that is under way come to its end."""
        for stack in list(self.stacks.values()):
            while stack.coming:
                self._happens(stack)

    def _happens(self, stack: Stack) -> None:
        if not stack.coming:
            return
        name, status, reason = stack.coming.pop(0)
        self.count += 1
        event: dict[str, Any] = {
            "StackId": stack.id,
            "StackName": stack.name,
            "EventId": f"e{self.count}",
            "Timestamp": self._now(),
        }
        physical = {"PhysicalResourceId": "" if name else stack.id}
        kinds = template_section(parse_template(stack.template), "Resources")
        kind = {"ResourceType": kinds.get(name, {}).get("Type", "AWS::X::Y") if name else "AWS::CloudFormation::Stack"}
        event |= {"LogicalResourceId": name or stack.name, "ResourceStatus": status, **physical, **kind}
        stack.events.append({**event, "ResourceStatusReason": reason} if reason else event)
        if not name:
            self._end(stack, status)

    def _end(self, stack: Stack, status: str) -> None:
        stack.status = status
        if status == "DELETE_COMPLETE":
            self.gone[stack.id] = self.stacks.pop(stack.name)

    def _changes(self, stack: Stack, made: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        there = template_section(parse_template(stack.template), "Resources")
        for name, one in template_section(parse_template(made["TemplateBody"]), "Resources").items():
            change: dict[str, Any] = {"LogicalResourceId": name, "ResourceType": one["Type"]}
            if name not in there:
                yield {"Type": "Resource", "ResourceChange": {"Action": "Add", **change}}
            elif one != there[name] or (name == "Task" and stack.parameters != _given(made)[0]):
                yield {"Type": "Resource", "ResourceChange": {"Action": "Modify", "Replacement": "False", **change}}

    def _stack(self, name: str) -> Stack:
        found = (
            self.stacks.get(name)
            or self.gone.get(name)
            or next((one for one in self.stacks.values() if one.id == name), None)
        )
        if found is None:
            raise Refusal("ValidationError", f"Stack with id {name} does not exist")
        return found

    def _change_set(self, arn: str) -> dict[str, Any]:
        if arn not in self.change_sets:
            raise Refusal("ChangeSetNotFound", f"ChangeSet [{arn}] does not exist")
        return self.change_sets[arn]

    def _arn(self, kind: str, name: str) -> str:
        self.count += 1
        return f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:{kind}/{name}/{self.count}"

    def _now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=self.count)


def _given(made: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
    parameters = {one["ParameterKey"]: one["ParameterValue"] for one in made["Parameters"]}
    return parameters, {one["Key"]: one["Value"] for one in made["Tags"]}


@dataclass
class CloudSession:
    """boto3's, whose clients ask the cloud above instead of the network."""

    cloud: Cloud
    real: Any

    def get_credentials(self) -> Any:
        return self.real.get_credentials()

    def client(self, service: str, **settings: Any) -> Any:
        made = self.real.client(service, **settings)
        asked: dict[str, Any] = {}
        made.meta.events.register("provide-client-params", lambda params, **_: asked.update(now=params))
        made.meta.events.register("before-call", lambda model, **_: self._answer(model, asked["now"]))
        return made

    def _answer(self, model: Any, request: dict[str, Any]) -> Any:
        try:
            answer = self.cloud.answer(model.name, dict(request))
        except Refusal as refused:
            error = {
                "Error": {"Code": refused.code, "Message": str(refused)},
                "ResponseMetadata": {"HTTPStatusCode": 400},
            }
            return SimpleNamespace(status_code=400), error
        if model.output_shape:
            report = ParamValidator().validate(answer, model.output_shape)
            assert not report.has_errors(), report.generate_report()
        return SimpleNamespace(status_code=200), {**answer, "ResponseMetadata": {"HTTPStatusCode": 200}}


@pytest.fixture(scope="module")
def real() -> Any:
    return boto3.session.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION)  # noqa: S106


@dataclass
class StackOperator:
    """Deploys and deletes the stack NAME; `said` is what is printed, `pauses` how long it waited."""

    cloud: Cloud
    session: Session
    said: list[str] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    now: float = 0.0

    def step(self, template: str = ONE, image: str | ImageTag = "i:1", **changed: Any) -> DeployStack:
        made = DeployStack(NAME, Path("task.yml"), template, {"Image": image}, TAGS, AGAIN)
        return replace(made, **changed)

    def execute(self, step: DeployStack | None = None, *, dry: bool = False, yes: bool = True) -> bool:
        return deploy_stack.deploy_stack(
            step or self.step(), self.session, dry=dry, yes=yes, say=self.said.append, policy=self.waiting
        )

    def remove(self, *, dry: bool = False, yes: bool = True) -> bool:
        step = DeleteStack(NAME, "invoke destroy --project shop")
        return deploy_stack.delete_stack(
            step, self.session, dry=dry, yes=yes, say=self.said.append, policy=self.waiting
        )

    @property
    def waiting(self) -> PollPolicy:
        return PollPolicy(self._pause, lambda: self.now, patience=600)

    def _pause(self, seconds: float) -> None:
        self.now += seconds
        self.pauses.append(seconds)

    def error(self, act: Callable[[], object]) -> HandoffError:
        with pytest.raises(HandoffError) as caught:
            act()
        return caught.value

    @property
    def stack(self) -> Stack:
        return self.cloud.stacks[NAME]


@pytest.fixture
def operator(real: Any) -> StackOperator:
    cloud = Cloud()
    said: list[str] = []
    session = Session(CloudSession(cloud, real), REGION, RetryHooks(said.append))
    return StackOperator(cloud, session, said)


@pytest.fixture
def made(operator: StackOperator) -> StackOperator:
    """With the stack as it is to be."""
    operator.execute()
    operator.said.clear()
    operator.cloud.calls.clear()
    operator.pauses.clear()
    return operator


# made, changed, left as it is


def test_a_stack_is_made(operator: StackOperator) -> None:
    assert operator.execute()
    assert operator.said == [
        "create stack handoff-dev-shop:",
        "  + Logs  AWS::Logs::LogGroup",
        "  + Task  AWS::ECS::TaskDefinition",
        "00:00:03 handoff-dev-shop | create in progress: User Initiated",
        "00:00:04 handoff-dev-shop | Logs (AWS::Logs::LogGroup): create in progress",
        "00:00:05 handoff-dev-shop | Logs (AWS::Logs::LogGroup): create complete",
        "00:00:06 handoff-dev-shop | Task (AWS::ECS::TaskDefinition): create in progress",
        "00:00:07 handoff-dev-shop | Task (AWS::ECS::TaskDefinition): create complete",
        "00:00:08 handoff-dev-shop | create complete",
        "stack handoff-dev-shop: created in 4 s",
    ]
    assert (operator.stack.status, operator.stack.parameters, operator.stack.tags) == (
        "CREATE_COMPLETE",
        {"Image": "i:1"},
        TAGS,
    )


def test_a_repair_creates_a_stack_that_is_not_there(operator: StackOperator) -> None:
    assert operator.execute(replace(operator.step(), reverts_drift=True))
    assert (operator.stack.status, operator.cloud.modes) == ("CREATE_COMPLETE", [])


def test_a_stack_is_changed(made: StackOperator) -> None:
    assert made.execute(made.step(TWO, "i:2"))
    assert made.said[:5] == [
        "update stack handoff-dev-shop:",
        "  ~ Logs   AWS::Logs::LogGroup       RetentionInDays",
        "  ~ Task   AWS::ECS::TaskDefinition  ContainerDefinitions.0.Image",
        "  ~ Image  parameter                 i:1 -> i:2",
        "00:00:10 handoff-dev-shop | update in progress: User Initiated",
    ]
    assert made.said[-1] == "stack handoff-dev-shop: updated in 4 s"
    assert (made.stack.status, made.stack.template) == ("UPDATE_COMPLETE", TWO)


def test_a_shared_stack_keeps_the_tags_it_was_created_with(operator: StackOperator) -> None:
    """Those of the first project; those of others change nothing, and `--shared-tag` changes one."""
    assert operator.execute(operator.step(initial_tags={"team": "a", "cost": "1"}))
    assert operator.stack.tags == {"team": "a", "cost": "1", **TAGS}
    for dry in (True, False):
        assert not operator.execute(operator.step(initial_tags={"team": "b"}), dry=dry)
    assert operator.execute(operator.step(tags={"cost": "2", **TAGS}, initial_tags={}))
    assert operator.stack.tags == {"team": "a", "cost": "2", **TAGS}


def test_nothing_to_change_costs_two_calls(made: StackOperator) -> None:
    assert not made.execute()
    assert made.cloud.calls == ["DescribeStacks", "GetTemplate"]
    assert made.said == ["stack handoff-dev-shop is up to date"]


def test_an_empty_change_set_is_taken_away(made: StackOperator) -> None:
    made.stack.status = "UPDATE_ROLLBACK_COMPLETE"
    assert not made.execute()
    assert made.cloud.calls[2:] == ["CreateChangeSet", "DescribeChangeSet", "DescribeChangeSet", "DeleteChangeSet"]
    assert (made.said, made.cloud.change_sets) == (["stack handoff-dev-shop is up to date"], {})


def test_drift_is_reverted_by_a_change_set_of_its_own_kind(made: StackOperator) -> None:
    """Also where the templates are the same; without such a change set the rest is deployed, and a note says so."""
    step = replace(made.step(), reverts_drift=True)
    assert not made.execute(step)
    assert made.cloud.modes == ["REVERT_DRIFT"]
    made.cloud.refused = "DeploymentMode REVERT_DRIFT is not supported in this region"
    made.said.clear()
    assert not made.execute(step)
    assert made.said == [
        "note: stack handoff-dev-shop: what was changed by hand is not reverted: stack handoff-dev-shop: CloudFormation "
        "rejected task.yml: DeploymentMode REVERT_DRIFT is not supported in this region; nothing was changed",
        "hint: see what was changed: invoke verify --drift; change it back by hand, or delete it and repair again",
        "stack handoff-dev-shop is up to date",
    ]


def test_dry_shows_the_same_and_does_nothing(operator: StackOperator) -> None:
    assert operator.execute(dry=True)
    dry, calls = operator.said[:], operator.cloud.calls[:]
    operator.said.clear()
    operator.execute()
    assert [f"would {operator.said[0]}", *operator.said[1:3]] == dry
    assert calls == ["DescribeStacks"]
    operator.cloud.calls.clear()
    operator.said.clear()
    assert operator.execute(operator.step(TWO), dry=True)
    assert not operator.execute(dry=True)
    assert operator.cloud.calls == ["DescribeStacks", "GetTemplate"] * 2
    assert operator.said == [
        "would update stack handoff-dev-shop:",
        "  ~ Logs  AWS::Logs::LogGroup  RetentionInDays",
        "stack handoff-dev-shop is up to date",
    ]


def test_an_image_is_deployed_by_its_digest(operator: StackOperator) -> None:
    image = ImageTag("shop", "abc", "1.dkr/shop")
    assert operator.execute(operator.step(image=image), dry=True)
    error = operator.error(lambda: operator.execute(operator.step(image=image)))
    assert str(error) == (f"error: image 1.dkr/shop:abc: not found in ECR\nhint: push it: {AGAIN}")
    operator.cloud.images["shop:abc"] = "sha256:1"
    assert operator.execute(operator.step(image=image))
    assert operator.stack.parameters == {"Image": "1.dkr/shop@sha256:1"}
    operator.said.clear()
    assert operator.execute(operator.step(image=replace(image, tag="new")), dry=True)
    assert operator.said[-1].endswith("  1.dkr/shop@sha256:1 -> 1.dkr/shop:new (by its digest once pushed)")


# asked


def test_no_terminal_and_no_yes(operator: StackOperator) -> None:
    error = operator.error(lambda: operator.execute(yes=False))
    assert isinstance(error, ProjectError)
    assert str(error) == (
        "error: deploy: create stack handoff-dev-shop (2 resources): needs --yes without a terminal\n"
        f"hint: {AGAIN} --yes"
    )
    assert (operator.cloud.stacks, operator.cloud.change_sets) == ({}, {})


@pytest.mark.parametrize("creates", [True, False])
def test_a_no_leaves_nothing(operator: StackOperator, monkeypatch: pytest.MonkeyPatch, *, creates: bool) -> None:
    if not creates:
        operator.execute()
    before = dict(operator.cloud.stacks)

    def no(question: str, _command: str, **_: Any) -> None:
        raise HandoffError(question)

    monkeypatch.setattr(deploy_stack, "confirm", no)
    error = operator.error(lambda: operator.execute(operator.step(TWO), yes=False))
    expected = (
        "create stack handoff-dev-shop (2 resources)" if creates else "update stack handoff-dev-shop (1 to update)"
    )
    assert error.message == expected
    assert (operator.cloud.stacks, operator.cloud.change_sets) == (before, {})


def test_a_stack_under_review_by_somebody_else_stays(operator: StackOperator, monkeypatch: pytest.MonkeyPatch) -> None:
    def no(*_: Any, **__: Any) -> None:
        request = {"Parameters": [], "Tags": [], "TemplateBody": ONE}
        operator.cloud.create_change_set(NAME, "of-another", "CREATE", **request)
        raise HandoffError("no")

    monkeypatch.setattr(deploy_stack, "confirm", no)
    operator.error(lambda: operator.execute(yes=False))
    assert [one["Name"] for one in operator.cloud.change_sets.values()] == ["of-another"]
    assert operator.stack.status == "REVIEW_IN_PROGRESS"


# failing


def test_a_failed_creation_is_one_sentence_and_the_next_one_mends_it(operator: StackOperator) -> None:
    operator.cloud.failing["Logs"] = DENIED
    error = operator.error(operator.execute)
    assert (str(error), error.exit_code) == (
        "error: stack handoff-dev-shop: AWS::Logs::LogGroup Logs could not be created: Resource handler returned message: "
        "User: arn:aws:iam::1:user/a is not authorized to perform: ecs:RegisterTaskDefinition on resource: *; "
        "what had been created was deleted again\n"
        f"hint: allow ecs:RegisterTaskDefinition on * to the identity that deploys; then: {AGAIN}",
        1,
    )
    first = operator.stack.id
    operator.cloud.failing.clear()
    operator.said.clear()
    assert operator.execute()
    assert operator.said[0] == "delete stack handoff-dev-shop, whose creation failed (it has no resources)"
    assert (operator.stack.status, operator.stack.id != first) == ("CREATE_COMPLETE", True)


def test_a_failed_change_leaves_the_stack_as_it_was(made: StackOperator) -> None:
    made.cloud.failing["Task"] = "Invalid request provided: Cpu 7"
    error = made.error(lambda: made.execute(made.step(TWO, "i:2")))
    assert str(error) == (
        "error: stack handoff-dev-shop: AWS::ECS::TaskDefinition Task could not be updated: Invalid request provided: Cpu 7; "
        "the stack was rolled back\n"
        f"hint: correct the value in project.yml or in templates/; then: {AGAIN}"
    )
    made.cloud.failing.clear()
    assert made.execute(made.step(TWO, "i:2"))
    assert made.stack.template == TWO


def test_a_template_that_is_refused(operator: StackOperator) -> None:
    operator.cloud.refused = "Template format error: Unresolved resource dependencies [X]"
    assert str(operator.error(operator.execute)) == (
        "error: stack handoff-dev-shop: CloudFormation rejected task.yml: "
        "Template format error: Unresolved resource dependencies [X]; nothing was changed\n"
        f"hint: correct the value in project.yml or in templates/; then: {AGAIN}"
    )


def test_what_cloudformation_finds_before_it_begins(operator: StackOperator, monkeypatch: pytest.MonkeyPatch) -> None:
    reason = "The following hook(s)/validation failed: [AWS::EarlyValidation::ResourceExistenceCheck]. To troubleshoot"
    about = {
        "ChangeSetId": "x",
        "StackName": NAME,
        "StackId": "x",
        "Changes": [],
        "Status": "FAILED",
        "StatusReason": reason,
    }
    why = "Resource of type 'AWS::Logs::LogGroup' with identifier '/handoff/shop' already exists."
    found = {"LogicalResourceId": "Logs", "ResourceType": "AWS::Logs::LogGroup", "ValidationStatusReason": why}
    event = {"EventId": "1", "StackId": "x", "Timestamp": datetime(2026, 1, 1, tzinfo=timezone.utc), **found}
    monkeypatch.setattr(Cloud, "describe_change_set", lambda _self, **_: about)
    monkeypatch.setattr(Cloud, "describe_events", lambda _self, **_: {"OperationEvents": [event]})
    assert str(operator.error(operator.execute)) == (
        f"error: stack handoff-dev-shop: CloudFormation rejected the change set: AWS::Logs::LogGroup Logs: {why}; "
        "nothing was changed\n"
        "hint: a resource of that name exists outside of this stack: delete it, or choose another name; "
        f"then: {AGAIN}"
    )
    assert (operator.cloud.stacks, operator.cloud.change_sets) == ({}, {})


# what is found


@pytest.mark.parametrize(
    ("tags", "whose"),
    [
        pytest.param(
            {**TAGS, "handoff:project": "other"}, "handoff:project other, handoff:environment dev", id="project"
        ),
        pytest.param(
            {**TAGS, "handoff:environment": "prod"}, "handoff:project shop, handoff:environment prod", id="environment"
        ),
        pytest.param({"handoff:environment": "dev"}, "handoff:environment dev", id="shared"),
        pytest.param({}, "none of handoff", id="foreign"),
    ],
)
@pytest.mark.parametrize("dry", [True, False])
def test_a_stack_of_somebody_else_is_refused(
    made: StackOperator, tags: dict[str, str], whose: str, *, dry: bool
) -> None:
    made.stack.tags = tags
    error = made.error(lambda: made.execute(made.step(TWO), dry=dry))
    assert error.message == (
        f"stack handoff-dev-shop: found tags ({whose}), expected (handoff:project shop, handoff:environment dev)"
    )
    assert made.cloud.calls == ["DescribeStacks", "GetTemplate"]


@pytest.mark.parametrize(
    ("outputs", "step", "refused"),
    [
        pytest.param({"TaskDefinition": "t", "Bucket": "theirs"}, {"bucket": "ours"}, True, id="another bucket"),
        pytest.param({"TaskDefinition": "t", "Bucket": "ours"}, {"bucket": "ours"}, False, id="the same"),
        pytest.param(
            {"TaskDefinition": "t", "Bucket": "theirs"}, {"bucket": "ours", "moved_from": "theirs"}, False, id="moved"
        ),
        pytest.param({"Bucket": "theirs"}, {"bucket": "ours"}, False, id="not a task stack"),
    ],
)
def test_the_bucket_of_a_task_stack_is_never_changed_unseen(
    made: StackOperator, outputs: dict[str, str], step: dict[str, str], *, refused: bool
) -> None:
    """Somebody else deployed it after the account was read."""
    made.stack.outputs = outputs
    if not refused:
        assert made.execute(made.step(TWO, **step))
        return
    assert str(made.error(lambda: made.execute(made.step(TWO, **step)))) == (
        "error: stack handoff-dev-shop: deployed with bucket theirs in between, expected ours\n"
        "hint: compare again: invoke deploy --project shop"
    )
    assert made.stack.template == ONE


@pytest.mark.parametrize(
    ("deployed", "made_from", "refused"),
    [
        pytest.param(ONE, ONE, "", id="what it was made from"),
        pytest.param(ONE, None, "", id="made from the file alone"),
        pytest.param(ONE, "Resources: {}", "changed", id="changed since"),
        pytest.param(ONE, "", "changed", id="created since"),
        pytest.param(None, ONE, "deleted", id="deleted since"),
        pytest.param(TWO, ONE, "", id="changed since to the same"),
    ],
)
def test_what_is_made_from_a_deployed_template_replaces_no_other(
    operator: StackOperator, deployed: str | None, made_from: str | None, refused: str
) -> None:
    if deployed:
        operator.execute(operator.step(deployed))
    step = operator.step(TWO, made_from=made_from)
    if not refused:
        assert operator.execute(step) == (deployed != TWO)
        return
    assert str(operator.error(lambda: operator.execute(step))) == (
        f"error: stack handoff-dev-shop: {refused} by somebody else in between; nothing was changed\n"
        "hint: compare again: invoke deploy --project shop"
    )
    assert [stack.template for stack in operator.cloud.stacks.values()] == ([deployed] if deployed else [])


def test_a_change_by_somebody_else_is_waited_for(made: StackOperator) -> None:
    other = made.step(TWO)
    made.cloud.begin(
        made.stack,
        {
            "Type": "UPDATE",
            "TemplateBody": other.template,
            "Parameters": [{"ParameterKey": "Image", "ParameterValue": "i:1"}],
            "Tags": [{"Key": k, "Value": v} for k, v in TAGS.items()],
        },
    )
    assert not made.execute(other)
    assert made.said[0] == (
        "stack handoff-dev-shop is being changed by another process or by an earlier run (update in progress); "
        "waiting for its end (Ctrl-C stops waiting, not the operation)"
    )
    assert made.said[-1] == "stack handoff-dev-shop is up to date"
    assert made.stack.status == "UPDATE_COMPLETE"


@pytest.mark.parametrize("quiet", [False, True], ids=["at its end", "while nothing happens"])
def test_a_stack_that_an_answer_does_not_know_is_still_waited_for(operator: StackOperator, *, quiet: bool) -> None:
    """DescribeStacks is eventually consistent: that it knows no such stack is no end of a creation."""
    held: list[tuple[str, str, str]] = []
    looks: list[str] = []

    def before(operation: str) -> None:
        stack = operator.cloud.stacks.get(NAME)
        if stack is None or not stack.change_set:
            return
        if operation == "DescribeStackEvents" and quiet:
            looks.append(operation)
            if len(looks) == 3:
                held[:], stack.coming = stack.coming, []
            elif len(looks) == 14:
                stack.coming = held
        if operation == "DescribeStacks" and looks.count(operation) < 2:
            looks.append(operation)
            raise Refusal("ValidationError", f"Stack with id {stack.id} does not exist")

    operator.cloud.before = before
    assert operator.execute()
    assert looks.count("DescribeStacks") == 2
    assert operator.stack.status == "CREATE_COMPLETE"
    assert operator.said[-1].startswith("stack handoff-dev-shop: created in ")


def test_waiting_is_bounded(made: StackOperator) -> None:
    made.stack.status = "UPDATE_IN_PROGRESS"
    error = made.error(made.execute)
    assert str(error) == (
        "error: stack handoff-dev-shop: still being changed after 10 minutes; handoff stops waiting\n"
        f"hint: to wait again: {AGAIN}"
    )
    assert made.pauses[:6] == [2.0, 2.5, 3.125, 3.90625, 4.8828125, 5.0]


def test_a_rollback_that_failed_goes_on(made: StackOperator) -> None:
    made.stack.status = "UPDATE_ROLLBACK_FAILED"
    made.stack.coming = [("Logs", "UPDATE_FAILED", "no such group")]
    made.cloud.settle()
    assert made.execute(made.step(TWO))
    assert made.said[0] == (
        "stack handoff-dev-shop: an earlier update failed, and so did its rollback (AWS::Logs::LogGroup Logs: no such group)"
    )
    assert made.stack.status == "UPDATE_COMPLETE"


def test_a_rollback_that_fails_again(made: StackOperator) -> None:
    made.stack.status = "UPDATE_ROLLBACK_FAILED"
    made.cloud.lasting["Logs"] = "no such group"
    assert str(made.error(made.execute)) == (
        "error: stack handoff-dev-shop: AWS::Logs::LogGroup Logs could not be updated: no such group; "
        "the earlier update is still not rolled back\n"
        "hint: skip that resource: aws cloudformation continue-update-rollback --stack-name handoff-dev-shop "
        f"--resources-to-skip Logs; then: {AGAIN}"
    )


def test_nothing_is_undone_or_cleared_without_a_yes(made: StackOperator) -> None:
    for status in ("UPDATE_ROLLBACK_FAILED", "ROLLBACK_COMPLETE"):
        made.stack.status = status
        assert isinstance(made.error(lambda: made.execute(yes=False)), ProjectError)
        assert made.stack.status == status


@pytest.mark.parametrize(
    ("status", "found"),
    [
        pytest.param("CREATE_FAILED", "its creation failed earlier, and was not rolled back", id="create"),
        pytest.param("ROLLBACK_FAILED", "its creation failed earlier, and so did the rollback", id="rollback"),
        pytest.param("DELETE_FAILED", "its deletion failed earlier", id="delete"),
    ],
)
def test_what_only_a_person_can_decide(made: StackOperator, status: str, found: str) -> None:
    made.stack.status = status
    assert str(made.error(made.execute)) == (
        f"error: stack handoff-dev-shop: {found}\n"
        "hint: delete it: aws cloudformation delete-stack --stack-name handoff-dev-shop && "
        f"aws cloudformation wait stack-delete-complete --stack-name handoff-dev-shop; then: {AGAIN}"
    )


# two at once


@pytest.mark.parametrize("moment", ["CreateChangeSet", "ExecuteChangeSet"])
def test_who_comes_second_compares_again(made: StackOperator, moment: str) -> None:
    other = StackOperator(made.cloud, made.session)

    def quicker(operation: str) -> None:
        if operation == moment:
            made.cloud.before = lambda _operation: None
            made.cloud.begin(
                made.stack,
                {
                    "Type": "UPDATE",
                    "TemplateBody": TWO,
                    "Parameters": [{"ParameterKey": "Image", "ParameterValue": "i:9"}],
                    "Tags": [{"Key": k, "Value": v} for k, v in TAGS.items()],
                },
            )

    made.cloud.before = quicker
    assert made.execute(made.step(TWO, "i:2"))
    assert "stack handoff-dev-shop: updated by another process; comparing again" in made.said
    assert (made.stack.parameters, other.execute(made.step(TWO, "i:2"))) == ({"Image": "i:2"}, False)


def test_who_is_always_second_is_told(made: StackOperator) -> None:
    def quicker(operation: str) -> None:
        if operation == "CreateChangeSet":
            made.stack.status, made.stack.coming = "UPDATE_IN_PROGRESS", [("", "UPDATE_COMPLETE", "")]

    made.cloud.before = quicker
    assert str(made.error(lambda: made.execute(made.step(TWO)))) == (
        "error: stack handoff-dev-shop: updated by another process during each of 5 attempts; nothing was changed\n"
        f"hint: when it has finished: {AGAIN}"
    )


# removed


def test_a_stack_is_removed(made: StackOperator) -> None:
    assert made.remove(dry=True)
    assert made.remove()
    assert made.said[:2] == ["would delete stack handoff-dev-shop", "delete stack handoff-dev-shop"]
    assert made.said[-1] == "stack handoff-dev-shop: deleted"
    assert made.cloud.stacks == {}
    assert not made.remove()
    assert made.said[-1] == "stack handoff-dev-shop does not exist"


def test_what_can_not_be_removed_is_named(made: StackOperator) -> None:
    made.cloud.lasting["Logs"] = "The bucket you tried to delete is not empty (Service: S3, Status Code: 409)"
    assert str(made.error(made.remove)) == (
        "error: stack handoff-dev-shop: AWS::Logs::LogGroup Logs could not be deleted: The bucket you tried to delete is not empty; "
        "the stack remains, with what was not deleted\n"
        "hint: empty it, or retain it: aws cloudformation delete-stack --stack-name handoff-dev-shop "
        "--retain-resources Logs; then: invoke destroy --project shop"
    )
    made.cloud.lasting.clear()
    assert made.remove(yes=False)  # which was said before
    assert made.cloud.stacks == {}


def test_a_stack_under_review_is_removed(operator: StackOperator) -> None:
    operator.cloud.create_change_set(NAME, "x", "CREATE")
    assert operator.remove()
    assert operator.cloud.stacks == {}


def test_a_stack_that_is_not_ours_is_not_removed(made: StackOperator) -> None:
    made.stack.tags = {}
    assert made.error(made.remove).message == (
        "stack handoff-dev-shop: has no tags of handoff, expected a stack that handoff created"
    )


# interrupted


def test_ctrl_c_while_waiting_leaves_it_be(made: StackOperator) -> None:
    def interrupt(operation: str) -> None:
        if operation == "DescribeStackEvents" and made.stack.status == "UPDATE_IN_PROGRESS":
            raise KeyboardInterrupt

    made.cloud.before = interrupt
    error = made.error(lambda: made.execute(made.step(TWO)))
    assert isinstance(error, CommandError)
    assert (str(error), error.exit_code) == (
        "error: stack handoff-dev-shop: interrupted; CloudFormation continues, handoff stops waiting\n"
        f"hint: to wait again: {AGAIN}; to cancel it: aws cloudformation cancel-update-stack --stack-name handoff-dev-shop",
        130,
    )


class Killed(BaseException):
    """The end of our process."""


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("begin", ["nothing", "one", "failed", "stuck"])
def test_killed_at_any_call_it_can_be_run_again(real: Any, begin: str, when: str) -> None:
    """The same is deployed as without a kill, and no change set or stack under review stays."""
    for call in range(100):
        operator = StackOperator(Cloud(), Session(None, REGION, RetryHooks(print)))
        operator.session = Session(CloudSession(operator.cloud, real), REGION, RetryHooks(operator.said.append))
        _begin(operator, begin)
        left = [call]

        def kill(_operation: str, left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise Killed

        setattr(operator.cloud, when, kill)
        try:
            operator.execute(operator.step(TWO, "i:2"))
        except Killed:
            setattr(operator.cloud, when, lambda _operation: None)
            operator.execute(operator.step(TWO, "i:2"))
        else:
            assert call > 5  # so many were tried
            return
        assert (operator.stack.status.endswith("_COMPLETE"), operator.stack.template, operator.stack.parameters) == (
            True,
            TWO,
            {"Image": "i:2"},
        )
        assert operator.cloud.change_sets == {}
        assert not operator.execute(operator.step(TWO, "i:2"))


def _begin(operator: StackOperator, begin: str) -> None:
    if begin == "nothing":
        return
    if begin == "failed":
        operator.cloud.failing["Task"] = "x"
        operator.error(operator.execute)
        operator.cloud.failing.clear()
        return
    operator.execute()
    if begin == "stuck":
        operator.stack.status = "UPDATE_ROLLBACK_FAILED"


def test_a_lost_answer_is_no_second_change(made: StackOperator) -> None:
    """ExecuteChangeSet was done, and is asked for again."""
    real_execute = made.cloud.execute_change_set

    def twice(**request: Any) -> None:
        real_execute(**request)
        raise Refusal("InvalidChangeSetStatus", "cannot be executed")

    made.cloud.execute_change_set = twice  # type: ignore[method-assign, assignment]
    assert made.execute(made.step(TWO))
    assert (made.stack.template, made.cloud.calls.count("CreateChangeSet")) == (TWO, 1)


def test_an_answer_that_never_comes_leaves_the_stack_to_cloudformation(made: StackOperator) -> None:
    def refuse(operation: str) -> None:
        if operation == "DescribeStackEvents" and made.stack.status == "UPDATE_IN_PROGRESS":
            raise Refusal("AccessDenied", "no")

    made.cloud.before = refuse
    error = made.error(lambda: made.execute(made.step(TWO)))
    assert error.message.endswith("; CloudFormation continues with stack handoff-dev-shop, handoff stops waiting")
    assert error.hint == f"to wait again: {AGAIN}"


@pytest.mark.parametrize(
    "operation", ["DescribeStacks", "GetTemplate", "CreateChangeSet", "DescribeChangeSet", "ExecuteChangeSet"]
)
def test_each_missing_permission_is_named(made: StackOperator, operation: str) -> None:
    def refuse(asked: str) -> None:
        if asked == operation:
            raise Refusal("AccessDenied", "not authorized")

    made.cloud.before = refuse
    error = made.error(lambda: made.execute(made.step(TWO)))
    assert isinstance(error, AWSError)
    assert f"the permission cloudformation:{operation} on " in error.message
    assert made.stack.template == ONE


def test_a_template_in_json_is_compared_too(made: StackOperator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Cloud, "get_template", lambda _self, **_: {"TemplateBody": json.dumps({"Resources": {}})})
    found = describe_existing(made.session, NAME, template=True)
    assert found is not None
    assert found.template == '{"Resources": {}}'
