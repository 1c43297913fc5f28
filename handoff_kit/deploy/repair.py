"""Repair deployed stacks: create again what was deleted by hand, and revert what was changed by hand.

find_repairs   look up the resources of stacks, and plan a repair for each stack that lacks some
add_repairs    a plan of a deployment with the repairs in it; pure
check_repairs  look again; AWSError for what is still missing or changed

CloudFormation does not create a missing resource while its template names it. So a repair is two change sets: the
deployed template without the resource and without what depends on it, then the template of the deployment. After an
interruption in between, the next deployment creates what is missing, since the deployed template lacks it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from handoff_kit import resource_names
from handoff_kit.aws.cloudformation.dependents import dependents, without_resources
from handoff_kit.aws.cloudformation.diff import DATA_RESOURCES
from handoff_kit.aws.cloudformation.stack import StackDescription, describe_existing, is_owned
from handoff_kit.aws.cloudformation.stack_resources import ResourceState, StackResource, list_resources
from handoff_kit.aws.cloudformation.template import parse_template, template_section
from handoff_kit.aws.probes import find_states, read_executions
from handoff_kit.aws.reader import Reader
from handoff_kit.aws.target import Target
from handoff_kit.console import Say
from handoff_kit.errors import AWSError
from handoff_kit.steps import DeployStack, Step
from handoff_kit.text import join_first
from handoff_runtime.polling import sleep

MACHINE = "AWS::StepFunctions::StateMachine"
HELD = {**DATA_RESOURCES, "AWS::SNS::Topic": "subscriptions"}
"""What a resource holds that would be lost with it: one that exists is never taken out of its stack."""
LOST = {
    **{kind: f"its {data} are lost" for kind, data in DATA_RESOURCES.items()},
    "AWS::ECR::Repository": "its images are lost; the project's is built and pushed again",
    "AWS::IAM::Role": "its ARN changes: name it again in policies of others that name it",
    **dict.fromkeys(
        ("AWS::EC2::SecurityGroup", "AWS::EC2::Subnet"), "every project takes up its new id by: invoke deploy --all"
    ),
    "AWS::Logs::LogGroup": "its log is lost; the log of each run is in the bucket too",
    "AWS::S3::Bucket": "its objects are lost: files are uploaded again, artifacts, state and history of every project "
    "are not",
    "AWS::SNS::Subscription": "its recipient must confirm it again",
    "AWS::SNS::Topic": "its subscriptions are lost: subscribe again, and confirm",
    MACHINE: "its executions are no longer listed; the records of runs are in the bucket",
}
MOST_NAMED = 8
LOOKS, PAUSE = 5, 3.0
"""How often what was just created is looked up, and the seconds in between: listings of AWS know it a little later."""


@dataclass(frozen=True)
class StackRepair:
    """A stack with resources that are gone; `step` deploys its template without them and without what `leaves` too.

    `step` is None where nothing is missing: then what was changed is reverted.
    """

    stack: StackDescription
    missing: tuple[StackResource, ...] = ()
    leaves: tuple[StackResource, ...] = ()
    step: DeployStack | None = None

    @property
    def notes(self) -> Iterator[str]:
        """What is going to happen, and what cannot be brought back."""
        if not self.missing:
            return
        names = join_first([f"{one.name} ({one.id})" for one in self.missing], MOST_NAMED)
        leaves = join_first([one.name for one in self.leaves], MOST_NAMED)
        more = f", with what depends on {'it' if len(self.missing) == 1 else 'them'}: {leaves}" if self.leaves else ""
        yield f"stack {self.stack.name}: found no {names}: deleted by hand, and created again{more}"
        for one in (*self.missing, *self.leaves):
            if lost := LOST.get(one.kind):
                yield f"note: {one.name} is created again: {lost}"


def find_repairs(names: Iterable[str], target: Target, command: str, *, own: bool = True) -> dict[str, StackRepair]:
    """A repair for each of these stacks that exists; with `own` only those of the project. AWS is only read."""
    reader, repairs = Reader(target.session), {}
    owner = resource_names.owner_tags(target.project, target.environment)
    owner = owner if own else {"handoff:environment": target.environment}
    for name in names:
        stack = describe_existing(target.session, name, template=True)
        if stack is None or stack.is_changing or not is_owned(stack, owner):
            continue
        states = find_states(reader, list_resources(reader, name))
        repair = plan_repair(stack, states, target.bucket, command)
        for machine in (one for one in repair.leaves if one.kind == MACHINE):
            _check_idle(reader, machine, target, command)
        repairs[name] = repair
    return repairs


def plan_repair(stack: StackDescription, states: Sequence[ResourceState], bucket: str, command: str) -> StackRepair:
    """Pure. AWSError for a resource that holds data, exists, and depends on one that is gone."""
    missing = tuple(state.resource for state in states if state.is_missing)
    if not missing:
        return StackRepair(stack)
    declared = template_section(parse_template(stack.template), "Resources")
    names = [one.name for one in missing]
    depending = dependents(declared, names)
    leaves = tuple(state.resource for state in states if state.resource.name in depending)
    if held := next((one for one in leaves if one.kind in HELD), None):
        message = (
            f"stack {stack.name}: {held.name} ({held.kind}) depends on {join_first(names, MOST_NAMED)}, which is gone"
        )
        hint = f"move its {HELD[held.kind]} elsewhere and delete it by hand, then: {command}"
        raise AWSError(f"{message}; it is not taken out of its stack, since its {HELD[held.kind]} would be lost", hint)
    template = without_resources(stack.template, {*names, *depending}, stack.outputs, f"stack {stack.name}")
    file = Path(f"{stack.name}.yml")
    place = (stack.name, file, template, stack.parameters, stack.tags, command, bucket)
    step = DeployStack(*place, made_from=stack.template)
    return StackRepair(stack, missing, leaves, step)


def add_repairs(
    steps: Iterable[Step], repairs: Mapping[str, StackRepair], command: str, bucket: str
) -> tuple[Step, ...]:
    """The steps with the first change set of a repair before the step of its stack, each of which reverts drift too.

    A stack that the plan leaves alone is deployed with its own template.
    """
    planned, found = list[Step](), set[str]()
    for step in steps:
        if isinstance(step, DeployStack):
            repair = repairs.get(step.name)
            planned += [repair.step] if repair and repair.step else []
            planned.append(replace(step, reverts_drift=True))
            found.add(step.name)
        else:
            planned.append(step)
    for name, repair in repairs.items():
        stack, file = repair.stack, Path(f"{name}.yml")
        if name not in found:
            planned += [repair.step] if repair.step else []
            again = DeployStack(name, file, stack.template, stack.parameters, stack.tags, command, bucket)
            planned.append(replace(again, reverts_drift=True))
    return tuple(planned)


def without_missing(stack: StackDescription | None, repairs: Mapping[str, StackRepair]) -> StackDescription | None:
    """A stack as it is after the first change set of its repair: what follows is planned from that."""
    repair = repairs.get(stack.name) if stack else None
    return replace(stack, template=repair.step.template) if stack and repair and repair.step else stack


def check_repairs(names: Iterable[str], target: Target, command: str, say: Say) -> None:
    """Look up the resources again, after the repair."""
    for look in range(LOOKS):
        if look:
            sleep(PAUSE)
        reader = Reader(target.session)
        states = find_states(reader, [one for name in names for one in list_resources(reader, name)])
        if not any(state.is_missing for state in states):
            break
    for state in states:
        if state.unknown:
            resource = state.resource
            say(f"note: {resource.name} ({resource.kind} {resource.id}) could not be looked up: {state.unknown}")
    if left := [state for state in states if state.problem]:
        resource = left[0].resource
        texts = [f"{one.resource.name} ({one.resource.kind} {one.resource.id}): {one.problem}" for one in left]
        delete = "" if left[0].is_missing else f"delete {resource.id} by hand, so that it is created again, then: "
        hint = f"{delete}{command}"
        raise AWSError(f"not repaired: {join_first(texts, MOST_NAMED)}", hint)


def project_stacks(target: Target) -> tuple[str, ...]:
    """The stacks of a project, in the order in which they are deployed."""
    name = target.name
    return resource_names.registry_stack(name), name, resource_names.schedule_stack(name)


def _check_idle(reader: Reader, machine: StackResource, target: Target, command: str) -> None:
    """AWS deletes a state machine only when its executions have ended."""
    running = [one["name"] for one in read_executions(reader, machine.id, statusFilter="RUNNING") or ()]
    if running:
        message = f"{machine.id.rpartition(':')[2]} must be created again, and runs are under way: {', '.join(running)}"
        raise AWSError(message, f"wait for their end, or: invoke stop {target.options}; then: {command}")
