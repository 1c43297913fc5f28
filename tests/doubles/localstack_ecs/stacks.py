# mypy: ignore-errors
# ruff: noqa: ANN001, ANN002, ANN003, ANN201, ANN202, ANN204
"""Stacks that fail as CloudFormation's do: what was made goes, what was changed is changed back, and the stack says so.

LocalStack calls every failure ROLLBACK_COMPLETE, undoes nothing, forgets the template that was in force, and takes a
stack for deleted whatever of it is left. A stack's outputs are there before it is complete, too. Of several change
sets it executes all, at once; here only the first that is asked for.
"""

import copy
import functools
import threading
from dataclasses import dataclass

from localstack.aws import handlers
from localstack.aws.api.cloudformation import ChangeAction, ChangeSetType, ExecutionStatus, StackStatus
from localstack.services.cloudformation.engine.v2.change_set_model import is_nothing
from localstack.services.cloudformation.engine.v2.change_set_model_executor import (
    ChangeSetModelExecutor,
    ChangeSetModelExecutorResult,
    TriggerRollback,
)
from localstack.services.cloudformation.engine.v2.change_set_model_preproc import (
    DeletionPolicy,
    PreprocProperties,
)
from localstack.services.cloudformation.resource_provider import OperationStatus
from localstack.services.cloudformation.v2 import entities, provider

KEPT = ("template", "processed_template", "template_body", "resolved_parameters")
GONE = (StackStatus.DELETE_COMPLETE, StackStatus.DELETE_IN_PROGRESS, StackStatus.DELETE_FAILED)
executing, making = threading.Lock(), threading.Lock()
UNENDED = (ExecutionStatus.AVAILABLE, ExecutionStatus.EXECUTE_IN_PROGRESS)
begun = set()  # change sets whose execution was requested
keeping_nothing = set()  # change sets whose execution shall leave no new resource behind, retained or not


@dataclass(frozen=True)
class Done:
    """A change that has been made to a resource."""

    name: str
    before: object
    after: object


class Executor(ChangeSetModelExecutor):
    """What differs."""

    def __init__(self, change_set):
        super().__init__(change_set)
        self.done, self.failed = [], []

    def execute(self):
        stack = self._change_set.stack
        former = copy.deepcopy(stack.resolved_resources)
        deleting = stack.status == StackStatus.DELETE_IN_PROGRESS
        failure = self._process()
        if failure and not deleting:
            return self._roll_back(failure, former)
        if self._deferred_actions and not deleting:
            stack.set_stack_status(StackStatus.UPDATE_COMPLETE_CLEANUP_IN_PROGRESS)
        for deferred in self._deferred_actions[::-1]:
            deferred.action()
        if deleting and self.failed:
            left = [former[name] for name in former if name in self.failed]
            stack.resolved_resources = {each["LogicalResourceId"]: each for each in left}
            raise RuntimeError(f"The following resource(s) failed to delete: [{', '.join(self.failed)}]. ")
        stack.resolved_outputs = self.outputs
        return ChangeSetModelExecutorResult(resources=self.resources, outputs=self.outputs)

    def _process(self):
        try:
            self.process()
        except TriggerRollback as error:
            return error.reason or "no reason was given"
        except Exception as error:  # noqa: BLE001  # whatever it is fails the stack
            return str(error)
        return None

    def _execute_resource_change(self, name, before, after):
        super()._execute_resource_change(name=name, before=before, after=after)
        if name not in self.failed:
            self.done.append(Done(name, before, after))

    def _process_event(self, *, event_status, logical_resource_id, **more):
        """A resource that fails does not end the stack by itself."""
        failed = event_status == OperationStatus.FAILED
        stack = self._change_set.stack
        if failed:
            self.failed.append(logical_resource_id)
            stack.set_stack_status = lambda *_, **__: None
        try:
            super()._process_event(event_status=event_status, logical_resource_id=logical_resource_id, **more)
        finally:
            if failed:
                del stack.set_stack_status

    # back

    def _roll_back(self, failure, former):
        stack, creating = self._change_set.stack, self._change_set.change_set_type == ChangeSetType.CREATE
        which, start = ("create", "ROLLBACK") if creating else ("update", "UPDATE_ROLLBACK")
        told = f"The following resource(s) failed to {which}: [{', '.join(self.failed)}]. "
        asked = "Rollback requested by user." if creating else ""
        stack.set_stack_status(StackStatus(f"{start}_IN_PROGRESS"), told + asked)
        for done in reversed(self.done):
            self._undo(done, former)
        if not creating:
            stack.set_stack_status(StackStatus.UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS)
            for name in KEPT:
                setattr(self._change_set, name, getattr(stack, name))
        else:
            self._change_set.processed_template = {"Resources": {}}
        stack.set_stack_status(StackStatus(f"{start}_COMPLETE"))
        left = {} if creating else former
        return ChangeSetModelExecutorResult(resources=left, outputs=[], failure_message=failure)

    def _undo(self, done, former):
        if is_nothing(done.after):
            return  # its removal has only been put off
        if is_nothing(done.before):
            self._remove(done)
        elif done.before.resource_type != done.after.resource_type or done.after.requires_replacement:
            self._remove(done)
            self.resources[done.name] = former[done.name]
        elif done.before != done.after:
            self._change_back(done)

    def _remove(self, done):
        keep = done.after.deletion_policy == DeletionPolicy.Retain
        if keep and self._change_set.change_set_id not in keeping_nothing:
            told = {"custom_status": "DELETE_SKIPPED", "event_status": OperationStatus.SUCCESS}
            self._tell(done, ChangeAction.Remove, **told)
            return
        made = PreprocProperties(properties=self.resources[done.name]["Properties"])
        self._act(done, ChangeAction.Remove, before_properties=made, after_properties=None)

    def _change_back(self, done):
        made = PreprocProperties(properties=self.resources[done.name]["Properties"])
        self._act(done, ChangeAction.Modify, before_properties=made, after_properties=done.before.properties)

    def _act(self, done, action, **properties):
        self._tell(done, action, event_status=OperationStatus.IN_PROGRESS)
        kind = done.after.resource_type
        event = self._execute_resource_action(
            action=action, logical_resource_id=done.name, resource_type=kind, **properties
        )
        self._tell(done, action, event_status=event.status, reason=event.message)

    def _tell(self, done, action, **more):
        kind = done.after.resource_type
        self._process_event(action=action, logical_resource_id=done.name, resource_type=kind, **more)


def _note(_chain, context, _response):
    """Before a change set is made or executed: what LocalStack does not look at, and does not hand on."""
    name = context.operation.name if context.operation else ""
    if name not in ("CreateChangeSet", "ExecuteChangeSet"):
        return
    asked = context.service_request
    state = provider.get_cloudformation_store(context.account_id, context.region)
    if name == "CreateChangeSet":
        _check_settled(provider.find_stack_v2(state, asked["StackName"]))
        return
    found = provider.find_change_set_v2(state, asked["ChangeSetName"], asked.get("StackName"))
    if found and asked.get("RetainExceptOnCreate"):
        keeping_nothing.add(found.change_set_id)
    with executing:
        if found and found.execution_status == ExecutionStatus.AVAILABLE:
            others = [one for one in state.change_sets.values() if one.stack is found.stack and one is not found]
            # LocalStack begins in a thread: one that was made before the stack is in progress would be executed as well
            if any(one.change_set_id in begun and one.execution_status in UNENDED for one in others):
                found.set_execution_status(ExecutionStatus.OBSOLETE)
            else:
                begun.add(found.change_set_id)
                _make_obsolete(others)


def _check_settled(stack):
    """A stack that is being changed takes no change set."""
    if stack and stack.status.endswith("_IN_PROGRESS") and stack.status != StackStatus.REVIEW_IN_PROGRESS:
        raise provider.ValidationError(f"Stack:{stack.stack_id} is in {stack.status} state and can not be updated.")


def _make_obsolete(others):
    """Once one is executed the other change sets of its stack can not be; AWS removes them."""
    for other in others:
        if other.execution_status == ExecutionStatus.AVAILABLE:
            other.set_execution_status(ExecutionStatus.OBSOLETE)


def _one_at_a_time(method):
    """Two that are made at once would each make the stack."""

    @functools.wraps(method)
    def made(*args, **kwargs):
        with making:
            return method(*args, **kwargs)

    return made


def _deletion(stack):
    return stack.__dict__.get("deletion_time")


def _set_deletion(stack, time):
    if time is None or stack.status in GONE:
        stack.__dict__["deletion_time"] = time


def install():
    """Replace LocalStack's class."""
    provider.ChangeSetModelExecutor = Executor
    theirs = provider.CloudformationProviderV2
    theirs.create_change_set = _one_at_a_time(theirs.create_change_set)
    entities.Stack.deletion_time = property(_deletion, _set_deletion)
    handlers.serve_custom_service_request_handlers.append(_note)
