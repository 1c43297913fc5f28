# mypy: ignore-errors
# ruff: noqa: ANN001, ANN003, ANN201, ANN202, ARG002
"""`ecs:runTask.sync` as AWS does it: what fails a state and by which name, and that a stopped state stops its task.

AWS Step Functions Developer Guide, "Run Amazon ECS or Fargate tasks with Step Functions".
"""

from datetime import datetime

from botocore.exceptions import ClientError
from localstack.aws.api.stepfunctions import HistoryEventType, TaskFailedEventDetails
from localstack.services.events.target import StatesTargetSender
from localstack.services.stepfunctions.asl.component.common.error_name.custom_error_name import CustomErrorName
from localstack.services.stepfunctions.asl.component.common.error_name.failure_event import (
    FailureEvent,
    FailureEventException,
)
from localstack.services.stepfunctions.asl.component.common.error_name.states_error_name import StatesErrorName
from localstack.services.stepfunctions.asl.component.common.error_name.states_error_name_type import (
    StatesErrorNameType,
)
from localstack.services.stepfunctions.asl.component.state.state_execution.state_task.service import (
    state_task_service_ecs as ecs,
)
from localstack.services.stepfunctions.asl.component.state.state_execution.state_task.service import (
    state_task_service_factory as factory,
)
from localstack.services.stepfunctions.asl.component.state.state_wait.wait_function.wait_function import WaitFunction
from localstack.services.stepfunctions.asl.eval.event.event_detail import EventDetails
from localstack.services.stepfunctions.asl.utils.boto_client import boto_client_for
from localstack.services.stepfunctions.asl.utils.encoding import to_json_str

PLACED = "AmazonECS.Unknown"
# errors that ECS' description names keep their name, all others share the SDK's
NAMED = ("ServerException", "ClientException", "InvalidParameterException", "ClusterNotFoundException")
MORE = ("UnsupportedFeatureException", "PlatformUnknownException", "AccessDeniedException", "BlockedException")
FASTER = 200  # times
STOPPED = "The Step Functions execution was stopped or timed out"


class Service(ecs.StateTaskServiceEcs):
    """What differs."""

    def _eval_service_task(self, env, resource_runtime_part, normalised_parameters, state_credentials):
        client = self._client(resource_runtime_part, state_credentials)
        said = client.run_task(**normalised_parameters)
        said.pop("ResponseMetadata", None)
        self._normalise_response(response=said, service_action_name="run_task")
        said = _as_told(said)
        if said.get("Failures") and self._is_integration_pattern():
            raise self._failed(env, CustomErrorName(PLACED), PLACED, to_json_str(said))
        env.stack.append(said)

    def _build_sync_resolver(self, env, resource_runtime_part, normalised_parameters, state_credentials):
        client = self._client(resource_runtime_part, state_credentials)
        submitted = env.stack.pop()["Tasks"][0]
        asked = {"cluster": submitted["ClusterArn"], "tasks": [submitted["TaskArn"]]}
        self._running = client, submitted["ClusterArn"], submitted["TaskArn"]

        def resolve():
            said = client.describe_tasks(**asked)
            if said["tasks"][0]["lastStatus"] != "STOPPED":
                return None
            names = _essential(client, said["tasks"][0])
            self._normalise_response(response=said, service_action_name="describe_tasks")
            task = _as_told(said["Tasks"][0])
            if _went_well(task, names):
                return task
            name = StatesErrorNameType.StatesTaskFailed
            raise self._failed(env, StatesErrorName(typ=name), name.to_name(), to_json_str(task))

        return resolve

    def _eval_sync(self, env, **more):
        said = super()._eval_sync(env=env, **more)
        if not said and not env.is_running():
            client, cluster, task = self._running
            client.stop_task(cluster=cluster, task=task, reason=STOPPED)
        return said

    def _from_error(self, env, ex):
        if not isinstance(ex, ClientError):
            return super()._from_error(env=env, ex=ex)
        code, request = ex.response["Error"]["Code"], ex.response["ResponseMetadata"]
        name = f"ECS.{code}" if code in NAMED + MORE else "ECS.AmazonECSException"
        status, number = request["HTTPStatusCode"], request.get("RequestId", "")
        details = f"Status Code: {status}; Error Code: {code}; Request ID: {number}; Proxy: null"
        cause = f"{ex.response['Error'].get('Message', '')} (Service: AmazonECS; {details})"
        return self._failed(env, CustomErrorName(name), name, cause).failure_event

    def _client(self, part, credentials):
        return boto_client_for(region=part.region, service="ecs", state_credentials=credentials)

    def _failed(self, env, name, error, cause):
        details = TaskFailedEventDetails(
            resource=self._get_sfn_resource(), resourceType=self._get_sfn_resource_type(), error=error, cause=cause
        )
        told = EventDetails(taskFailedEventDetails=details)
        event = FailureEvent(env=env, error_name=name, event_type=HistoryEventType.TaskFailed, event_details=told)
        return FailureEventException(event)


def _essential(client, task):
    described = client.describe_task_definition(taskDefinition=task["taskDefinitionArn"])["taskDefinition"]
    return [each["name"] for each in described["containerDefinitions"] if each.get("essential", True)]


def _went_well(task, names):
    exits = [each.get("ExitCode") for each in task["Containers"] if each["Name"] in names]
    return all(code == 0 for code in exits)


def _as_told(value):
    """AWS counts milliseconds."""
    if isinstance(value, datetime):
        return int(value.timestamp() * 1000)
    if isinstance(value, dict):
        return {key: _as_told(each) for key, each in value.items()}
    return [_as_told(each) for each in value] if isinstance(value, list) else value


def _pause(_self, env, wait_seconds):
    """A Wait in little time: nobody waits a quarter of an hour in a test."""
    env.program_state_event.wait(wait_seconds / FASTER)


def _start(sender, event, _trace_header):
    """A rule starts an execution under a name of its own; LocalStack's has that of the event, which not all inputs have."""
    sender.service = "stepfunctions"
    sender.client.start_execution(stateMachineArn=sender.target["Arn"], input=to_json_str(event))


def install():
    """Replace LocalStack's class, widen what it takes to what AWS does, and hurry."""
    factory.StateTaskServiceEcs = Service
    StatesTargetSender.send_event = _start
    WaitFunction._wait_interval = _pause  # noqa: SLF001
    ecs._SUPPORTED_API_PARAM_BINDINGS["runtask"] |= {"CapacityProviderStrategy", "Tags", "ClientToken", "Count"}  # noqa: SLF001
