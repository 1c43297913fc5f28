"""Look up whether the resources of stacks still exist.

One call for all resources of a type where the service has such a call, and none for what the answer of another proves.
"""

from __future__ import annotations

import os.path
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from handoff_kit.aws.alerts import SNS, list_subscriptions
from handoff_kit.aws.cloudformation.stack_resources import MISSING, ResourceState, StackResource
from handoff_kit.aws.dead_letters import NO_QUEUE, SQS
from handoff_kit.aws.ecr import ECR
from handoff_kit.aws.network import NETWORK_KINDS, find_network_resources
from handoff_kit.aws.reader import Reader
from handoff_kit.errors import AWSError
from handoff_runtime.aws.concurrency import map_concurrently
from handoff_runtime.aws.session import S3

ECS, IAM, LOGS, EVENTS = "ecs", "iam", "logs", "events"
SCHEDULER, CLOUDWATCH, STEP_FUNCTIONS = "scheduler", "cloudwatch", "stepfunctions"
NO_ROLE, NO_TOPIC = ("NoSuchEntity",), ("NotFound", "NotFoundException")
ROLES_PER_CALL, EXECUTIONS_PER_CALL = 1000, 10


Found = Iterable[tuple[StackResource, str]]
"""Resources with what of each is missing; empty for one that exists."""
Probe = Callable[[Reader, Sequence[StackResource]], Found]


def find_states(reader: Reader, resources: Sequence[StackResource]) -> tuple[ResourceState, ...]:
    """The state of each resource, in their order; several types at the same time."""
    groups: dict[Probe, list[StackResource]] = {}
    for resource in resources:
        if probe := PROBES.get(resource.kind):
            groups.setdefault(probe, []).append(resource)

    def look_up(group: tuple[Probe, list[StackResource]]) -> list[ResourceState]:
        probe, members = group
        try:
            return [ResourceState(resource, problem) for resource, problem in probe(reader, members)]
        except AWSError as error:
            return [ResourceState(resource, unknown=error.message) for resource in members]

    found = {state.resource: state for states in map_concurrently(look_up, groups.items()) for state in states}
    other = "handoff does not look up this type; --drift does"
    return tuple(found.get(resource, ResourceState(resource, unknown=other)) for resource in resources)


def _exists(resources: Iterable[StackResource], ids: Collection[str]) -> Iterator[tuple[StackResource, str]]:
    return ((resource, "" if resource.id in ids else MISSING) for resource in resources)


def _each(problem: Callable[[Reader, StackResource], str]) -> Probe:
    """The probe of a type that has no listing: a call for each."""

    def probe(reader: Reader, resources: Sequence[StackResource]) -> Found:
        return zip(resources, map_concurrently(lambda one: problem(reader, one), resources), strict=True)

    return probe


def _listed(operation: str, items: str) -> Probe:
    """The probe of a type of EventBridge, listed by what the names have in common."""

    def probe(reader: Reader, resources: Sequence[StackResource]) -> Found:
        ids = {resource.id: resource.id.rpartition("|")[2] for resource in resources}  # of a bus: BUS|RULE
        request: dict[str, str] = {"NamePrefix": os.path.commonprefix(list(ids.values()))}  # noqa: RUF071  # no paths
        names = set[str]()
        while True:
            answer = reader.call(EVENTS, operation, **request)
            names |= {one["Name"] for one in answer[items]}
            if not answer.get("NextToken"):
                return ((resource, "" if ids[resource.id] in names else MISSING) for resource in resources)
            request["NextToken"] = answer["NextToken"]

    return probe


def read_executions(reader: Reader, machine: str, **filters: str) -> list[Mapping[str, Any]] | None:
    """The newest executions of a state machine; None where there is no such machine."""
    request = {"stateMachineArn": machine, "maxResults": EXECUTIONS_PER_CALL, **filters}
    answer = reader.call(STEP_FUNCTIONS, "list_executions", allow=("StateMachineDoesNotExist",), **request)
    return None if answer is None else list(answer["executions"])


def read_subscriptions(reader: Reader, topic: str) -> list[Mapping[str, str]] | None:
    """The subscriptions of a topic; None where there is no such topic."""
    pages = reader.pages(SNS, "list_subscriptions_by_topic", allow=NO_TOPIC, TopicArn=topic)
    return list_subscriptions(pages) if pages else None


def read_queue(reader: Reader, url: str) -> Mapping[str, str] | None:
    """The attributes of a queue; None where there is no such queue."""
    answer = reader.call(SQS, "get_queue_attributes", allow=NO_QUEUE, QueueUrl=url, AttributeNames=["All"])
    return None if answer is None else dict(answer.get("Attributes", {}))


def read_schedules(reader: Reader, group: str, **filters: str) -> dict[str, str]:
    """The state of each schedule of a group, ENABLED or DISABLED."""
    pages = reader.pages(SCHEDULER, "list_schedules", allow=("ResourceNotFoundException",), GroupName=group, **filters)
    return {one["Name"]: one["State"] for page in pages for one in page["Schedules"]}


def newest_revision(reader: Reader, arn: str) -> str:
    """The ARN of the newest active revision of a task definition, which runs use; empty without any."""
    family = arn.rpartition("/")[2].partition(":")[0]
    answer = reader.call(ECS, "describe_task_definition", allow=("ClientException",), taskDefinition=family)
    return str(answer["taskDefinition"]["taskDefinitionArn"]) if answer else ""


def _task_definition_problem(reader: Reader, resource: StackResource) -> str:
    """The deployed revision must be the newest one; created again, it is."""
    newest = newest_revision(reader, resource.id)
    number, deployed = newest.rpartition(":")[2], resource.id.rpartition(":")[2]
    if number.isdigit() and int(number) > int(deployed):
        return f"{MISSING} as the newest revision: runs use {number}"
    return "" if newest == resource.id else MISSING


def cluster_problem(reader: Reader, cluster: str) -> str:
    answer = reader.call(ECS, "describe_clusters", clusters=[cluster])
    return "" if any(one["status"] == "ACTIVE" for one in answer["clusters"]) else MISSING


def read_digests(reader: Reader, repository: str) -> set[str] | None:
    """The digests of the images of a repository; None where there is no such repository."""
    request = {"repositoryName": repository, "maxResults": 1000}
    pages = reader.pages(ECR, "describe_images", allow=("RepositoryNotFoundException",), **request)
    return {image["imageDigest"] for page in pages for image in page["imageDetails"]} if pages else None


def image_problem(reader: Reader, image: str) -> str:
    """Of an image by its digest, as the task definition names it."""
    repository, _, digest = image.partition("/")[2].partition("@")
    return "" if digest in (read_digests(reader, repository) or ()) else MISSING


def _find_roles(reader: Reader, roles: Sequence[StackResource]) -> Found:
    """Each role with its inline policies: one call, of more than who deploys may need; else one for each role.

    The roles of every template have inline policies; a role without one has lost them.
    """
    try:
        request = {"Filter": ["Role"], "PaginationConfig": {"PageSize": ROLES_PER_CALL}}
        pages = reader.pages(IAM, "get_account_authorization_details", **request)
    except AWSError:
        yield from _each(_role_problem)(reader, roles)
        return
    found = {one["RoleName"]: one["RolePolicyList"] for page in pages for one in page["RoleDetailList"]}
    for role in roles:
        yield role, _judge_policies(found.get(role.id))


def _role_problem(reader: Reader, role: StackResource) -> str:
    answer = reader.call(IAM, "list_role_policies", allow=NO_ROLE, RoleName=role.id)
    return _judge_policies(answer and answer["PolicyNames"])


def _judge_policies(policies: Sequence[object] | None) -> str:
    return MISSING if policies is None else "" if policies else "its inline policies were deleted"


def _find_alarms(reader: Reader, alarms: Sequence[StackResource]) -> Found:
    pages = reader.pages(CLOUDWATCH, "describe_alarms", AlarmNames=[alarm.id for alarm in alarms])
    return _exists(alarms, {one["AlarmName"] for page in pages for one in page["MetricAlarms"]})


def _find_schedules(reader: Reader, resources: Sequence[StackResource]) -> Found:
    """Schedules by their group, which is of the same stack, else the default one; a group with schedules exists."""
    groups = {resource.stack: resource.id for resource in resources if resource.kind.endswith("Group")}
    for resource in resources:
        name, group = resource.id.rpartition("|")[2], groups.get(resource.stack)
        if group is None:  # that of the whole account
            yield resource, "" if name in read_schedules(reader, "default", NamePrefix=name) else MISSING
            continue
        schedules = read_schedules(reader, group)
        if not resource.kind.endswith("Group"):
            yield resource, "" if name in schedules else MISSING
            continue
        answer = schedules or reader.call(
            SCHEDULER, "get_schedule_group", allow=("ResourceNotFoundException",), Name=resource.id
        )
        yield resource, MISSING if answer is None else ""


def _find_queues(reader: Reader, resources: Sequence[StackResource]) -> Found:
    """Queues, and their policies by the queues of the same stack."""
    queues = {one: read_queue(reader, one.id) for one in resources if one.kind == "AWS::SQS::Queue"}
    for resource in resources:
        if resource in queues:
            yield resource, MISSING if queues[resource] is None else ""
        else:
            own = [found for queue, found in queues.items() if queue.stack == resource.stack]
            yield resource, "" if any(found and found.get("Policy") for found in own) else MISSING


def _find_topics(reader: Reader, resources: Sequence[StackResource]) -> Found:
    """A policy exists as long as a topic of its stack does; a subscription that awaits confirmation has no ARN."""
    topics = {one: read_subscriptions(reader, one.id) for one in resources if one.kind == "AWS::SNS::Topic"}
    for resource in resources:
        own = [found for topic, found in topics.items() if topic.stack == resource.stack and found is not None]
        if resource in topics:
            yield resource, MISSING if topics[resource] is None else ""
        elif resource.kind == "AWS::SNS::TopicPolicy":
            yield resource, "" if own else MISSING
        else:
            arns = {one["SubscriptionArn"] for found in own for one in found}
            yield resource, "" if resource.id in arns or any(":" not in arn for arn in arns) else MISSING


def _find_buckets(reader: Reader, resources: Sequence[StackResource]) -> Found:
    """Buckets, and their policies: one call for both."""
    buckets = {one.stack: one.id for one in resources if one.kind == "AWS::S3::Bucket"}
    for resource in resources:
        name = buckets.get(resource.stack, resource.id)
        try:
            found = reader.call(S3, "get_bucket_policy", allow=("NoSuchBucketPolicy",), Bucket=name)
        except AWSError as error:
            if "no such bucket" not in error.message:
                raise
            yield resource, MISSING
        else:
            yield resource, MISSING if found is None and resource.kind == "AWS::S3::BucketPolicy" else ""


def _log_group_problem(reader: Reader, group: StackResource) -> str:
    pages = reader.pages(LOGS, "describe_log_groups", logGroupNamePrefix=group.id)
    return "" if any(one["logGroupName"] == group.id for page in pages for one in page["logGroups"]) else MISSING


def _repository_problem(reader: Reader, repository: StackResource) -> str:
    return MISSING if read_digests(reader, repository.id) is None else ""


def _machine_problem(reader: Reader, machine: StackResource) -> str:
    return MISSING if read_executions(reader, machine.id) is None else ""


PROBES: Mapping[str, Probe] = {
    "AWS::CloudWatch::Alarm": _find_alarms,
    "AWS::ECR::Repository": _each(_repository_problem),
    "AWS::ECS::Cluster": _each(lambda reader, one: cluster_problem(reader, one.id)),
    "AWS::ECS::TaskDefinition": _each(_task_definition_problem),
    "AWS::Events::ApiDestination": _listed("list_api_destinations", "ApiDestinations"),
    "AWS::Events::Connection": _listed("list_connections", "Connections"),
    "AWS::Events::Rule": _listed("list_rules", "Rules"),
    "AWS::IAM::Role": _find_roles,
    "AWS::Logs::LogGroup": _each(_log_group_problem),
    **dict.fromkeys(("AWS::S3::Bucket", "AWS::S3::BucketPolicy"), _find_buckets),
    **dict.fromkeys(("AWS::SNS::Subscription", "AWS::SNS::Topic", "AWS::SNS::TopicPolicy"), _find_topics),
    **dict.fromkeys(("AWS::SQS::Queue", "AWS::SQS::QueuePolicy"), _find_queues),
    **dict.fromkeys(("AWS::Scheduler::Schedule", "AWS::Scheduler::ScheduleGroup"), _find_schedules),
    "AWS::StepFunctions::StateMachine": _each(_machine_problem),
    **dict.fromkeys(NETWORK_KINDS, find_network_resources),
}
"""How the resources of each type of our templates are looked up."""
