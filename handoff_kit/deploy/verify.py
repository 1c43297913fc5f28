"""Verify a deployed project: read what AWS has of it, several calls at a time, and judge it by checks.py."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from handoff_kit import resource_names
from handoff_kit.aws.alerts import TOPIC_OUTPUTS
from handoff_kit.aws.cloudformation.deploy_stack import POLL_POLICY
from handoff_kit.aws.cloudformation.drift import detect_drift
from handoff_kit.aws.cloudformation.stack import OWNER_TAGS, StackDescription
from handoff_kit.aws.cloudformation.stack_resources import StackResource, list_resources
from handoff_kit.aws.cloudformation.wait import PollPolicy
from handoff_kit.aws.ecs.cluster import deployed_settings, needs_shared_stack, tasks_of_project
from handoff_kit.aws.ecs.executions import check_machine, read_start_failure, start_error
from handoff_kit.aws.files import compare_files
from handoff_kit.aws.network import read_network
from handoff_kit.aws.params import find_params
from handoff_kit.aws.probes import (
    cluster_problem,
    find_states,
    image_problem,
    read_executions,
    read_schedules,
    read_subscriptions,
)
from handoff_kit.aws.reader import Reader
from handoff_kit.aws.session import DeployedProject, account_of
from handoff_kit.console import Say
from handoff_kit.deploy import checks
from handoff_kit.deploy.checks import FAILED, OK, SKIPPED, Check, CheckGroup, check, refused_check
from handoff_kit.deploy.plan import repair_command
from handoff_kit.deploy.repair import project_stacks
from handoff_kit.deploy.schedule_template import deployed_summaries, summary
from handoff_kit.errors import AWSError, HandoffError, ImageError
from handoff_kit.image.builder import find_builder
from handoff_kit.project.deploy_settings import Deploy
from handoff_runtime.aws.concurrency import map_concurrently
from handoff_runtime.aws.session import Session
from handoff_runtime.params import encode_params

SERVICE_QUOTAS = "service-quotas"
QUOTAS = {False: ("L-3032A538", "vCPUs of Fargate"), True: ("L-36FBB829", "vCPUs of Fargate Spot")}
"""The quotas of running tasks, by `deploy.spot`: AWS General Reference, Fargate quotas."""
CALLS_AT_ONCE = 12


@dataclass(frozen=True)
class Verification:
    """What the checks have in common: the project as it is deployed, its stacks by their names, and their resources."""

    deployed: DeployedProject
    reader: Reader
    stacks: Mapping[str, StackDescription]
    resources: tuple[StackResource, ...]

    @property
    def name(self) -> str:
        return self.deployed.target.name

    @property
    def settings(self) -> Deploy:
        return deployed_settings(self.deployed.stack, self.deployed.project)

    def invoke(self, task: str) -> str:
        """A command for the project."""
        return f"invoke {task} {self.deployed.target.options}"

    @property
    def repair(self) -> str:
        return repair_command(self.deployed.target)


def verify_access(session: Session) -> CheckGroup:
    """Credentials, region, and the program that builds images. Without credentials nothing else can be checked."""
    try:
        account = Check("credentials", OK, f"account {account_of(session)}")
    except AWSError as error:
        account = Check("credentials", FAILED, error.message, error.hint or "")
    try:
        problem = find_builder(None)
        builder = Check("docker or podman", OK, f"{problem.kind}, {problem.platform}")
    except ImageError as error:
        outcome = SKIPPED if error.message.startswith("found no") else FAILED  # who only operates needs none
        builder = Check(
            "docker or podman", outcome, error.message, error.hint if outcome == FAILED and error.hint else ""
        )
    return CheckGroup("access", (account, Check("region", OK, session.region), builder))


def verify_project(deployed: DeployedProject, every: Iterable[StackDescription]) -> tuple[CheckGroup, ...]:
    """The checks of a project, its stacks and the shared one, in groups; `every` are the stacks of the account."""
    target, reader = deployed.target, Reader(deployed.target.session)
    names = _stack_names(deployed)
    found = {stack.name: stack for stack in every if stack.name in names}
    owner = resource_names.owner_tags(target.project, target.environment)
    stacks = {
        name: stack
        for name, stack in found.items()
        if all(stack.tags.get(tag, owner[tag]) == owner[tag] for tag in OWNER_TAGS)
    }

    def list_or_skip(name: str) -> tuple[StackResource, ...]:
        with suppress(AWSError):  # which the reader raises again for the check of the stack
            return list_resources(reader, name)
        return ()

    listed = map_concurrently(list_or_skip, [name for name in names if name in stacks])
    of_project = Verification(deployed, reader, stacks, tuple(one for found in listed for one in found))
    groups: list[Callable[[Verification], Iterable[CheckGroup]]] = [partial(_verify_stacks, names=names)]
    if deployed.stack:  # else a deployment creates the rest
        groups += (_verify_network, _verify_data, _verify_schedules, _verify_alerts, _verify_runs)
    done = map_concurrently(lambda verify: tuple(verify(of_project)), groups, CALLS_AT_ONCE)
    return tuple(group for some in done for group in some if group.checks)


def _stack_names(deployed: DeployedProject) -> tuple[str, ...]:
    """The stacks of a project, after the shared one if it is deployed with a part of that, or would be.

    Otherwise nothing of the shared stack concerns the project, and its deployment does not repair it.
    """
    target, project = deployed.target, deployed.project
    uses_shared = bool(deployed.stack and {"Subnets", "SecurityGroups"} & deployed.stack.parameters.keys())
    if project and not uses_shared:
        common = resource_names.bucket(target.environment, account_of(target.session), target.session.region)
        uses_shared = needs_shared_stack(project, bucket=target.bucket != common)
    shared = (resource_names.shared_stack(target.environment),) if uses_shared else ()
    return *shared, *project_stacks(target)


def _attempt(name: str, make: Callable[[], Iterable[Check]]) -> tuple[Check, ...]:
    """The checks, or one that says why they could not be made."""
    try:
        return tuple(make())
    except HandoffError as error:
        return (refused_check(name, error),)


def _verify_stacks(of: Verification, names: Sequence[str]) -> Iterable[CheckGroup]:
    """The status of each stack, and its resources; not every project has a schedule stack."""
    schedule = names[-1]
    needed = [name for name in names if name in of.stacks or name != schedule]
    states = {state.resource: state for state in find_states(of.reader, of.resources)}

    def judge(name: str) -> Iterable[Check]:
        own = list_resources(of.reader, name) if name in of.stacks else ()
        return checks.judge_resources([states[one] for one in own], of.repair)

    for name in needed:
        command = of.invoke("schedule" if name == schedule else "deploy")
        status = checks.judge_stack("status", of.stacks.get(name), command)
        yield CheckGroup(f"stack {name}", (status, *_attempt("resources", partial(judge, name))), "resource")


def _verify_network(of: Verification) -> Iterable[CheckGroup]:
    if not of.deployed.stack:
        return
    settings, parameters = of.settings, of.deployed.stack.parameters
    is_shared = "Subnets" in parameters
    shared = of.stacks.get(resource_names.shared_stack(of.deployed.target.environment))
    vpc = shared.outputs.get("Vpc", "") if shared and is_shared else ""
    fix = of.repair
    if not is_shared:
        keys = "deploy: {subnets: [...], security_groups: [...]}"
        fix = f"{of.deployed.paths.display_path}: {keys}, then: {of.invoke('deploy')}"
    subnets, groups, public_ip = settings.subnets, settings.security_groups, settings.public_ip

    def judge() -> Iterable[Check]:
        network = read_network(of.reader, subnets, groups, vpc, public_ip=public_ip)
        return checks.judge_network(network, subnets, groups, fix, public_ip=public_ip)

    yield CheckGroup("network", _attempt("subnets", judge))


def _verify_data(of: Verification) -> Iterable[CheckGroup]:
    """Image, params, files, and the cluster where it is not that of the shared stack."""
    deployed, target, paths = of.deployed, of.deployed.target, of.deployed.paths
    image = deployed.stack.outputs.get("Image", "") if deployed.stack else ""
    cluster = of.settings.cluster or ""
    is_own = cluster and cluster.rpartition("/")[2] not in {one.id for one in of.resources}

    def judge_cluster() -> Iterable[Check]:
        fix = of.invoke("deploy")  # which creates the shared stack
        if cluster.rpartition("/")[2] != resource_names.cluster(target.environment):
            fix = f"{paths.display_path}: deploy: {{cluster: NAME}}, then: {fix}"
        yield check("cluster", cluster_problem(of.reader, cluster), fix, cluster.rpartition("/")[2])

    def judge_image() -> Iterable[Check]:
        yield check("image", image_problem(of.reader, image), of.invoke("deploy"), image.rpartition("/")[2])

    def judge_params() -> Iterable[Check]:
        stored = find_params(target)
        size = len(encode_params(stored.document).encode()) if stored else None
        advanced = bool(deployed.project and deployed.project.params.tier == "advanced")
        version = stored.version if stored else 0
        yield checks.judge_params(size, version, advanced=advanced, command=of.invoke("params.push"))

    def judge_files() -> Iterable[Check]:
        if paths.directory.is_dir():
            yield checks.judge_files(compare_files(target, paths), of.invoke("files.push"))
        else:
            yield Check("files", SKIPPED, f"found no projects/{paths.name} in this checkout")

    parts = [("params", judge_params), ("files", judge_files)]
    parts += [("cluster", judge_cluster)] if is_own else []
    parts += [("image", judge_image)] if image else []
    found = map_concurrently(lambda part: _attempt(*part), sorted(parts, key=lambda part: part[0]))
    yield CheckGroup("project", tuple(one for some in found for one in some))


def _verify_schedules(of: Verification) -> Iterable[CheckGroup]:
    stack, project = of.stacks.get(resource_names.schedule_stack(of.name)), of.deployed.project
    declared = [summary(one) for one in project.schedules] if project else []
    commands = {"schedule": of.invoke("schedule"), "repair": of.repair}
    if stack is None:
        if declared:
            yield CheckGroup(
                "schedules", (Check("schedules", SKIPPED, f"not deployed; to start them: {commands['schedule']}"),)
            )
        return

    def judge() -> Iterable[Check]:
        states = read_schedules(of.reader, resource_names.schedule_group(of.name))
        return checks.judge_schedules(declared, deployed_summaries(stack), states, commands)

    yield CheckGroup("schedules", _attempt("schedules", judge))


def _verify_alerts(of: Verification) -> Iterable[CheckGroup]:
    """The subscribers of each topic that messages go to, and the last message."""
    outputs = of.deployed.stack.outputs if of.deployed.stack else {}
    topics = [arn for name, arn in outputs.items() if name.startswith(TOPIC_OUTPUTS)]
    fix = f"{of.deployed.paths.display_path}: alerts: [mailto:YOU@example.com], then: {of.invoke('deploy')}"

    def judge(topic: str) -> tuple[Check, ...]:
        name = topic.rpartition(":")[2]
        return _attempt(
            f"topic {name}",
            lambda: checks.judge_subscriptions(name, read_subscriptions(of.reader, topic), fix),
        )

    def judge_messages() -> Iterable[Check]:
        suffix = f":{resource_names.alert_machine(of.name)}"
        for machine in (one.id for one in of.resources if one.id.endswith(suffix)):
            executions = read_executions(of.reader, machine)
            yield checks.judge_execution("last message", executions, "", of.invoke("alerts.test"), "none was sent yet")

    found = tuple(one for topic in topics for one in judge(topic))
    if "TaskDefinition" in outputs and "AlertMachine" not in outputs:
        missing = "found nothing that notifies people; an earlier version deployed the project"
        found = (Check("messages", FAILED, missing, of.invoke("deploy")),)
    yield CheckGroup("alerts", (*found, *_attempt("last message", judge_messages)))


def _verify_runs(of: Verification) -> Iterable[CheckGroup]:
    """The newest execution, and whether a task of this size may run."""
    stack, settings = of.deployed.stack, of.settings
    tasks = tasks_of_project(of.deployed.target, settings, stack)

    def judge_newest() -> Iterable[Check]:
        check_machine(of.deployed.target, stack)
        executions = read_executions(of.reader, tasks.machine)
        problem, fix = "", of.invoke("logs")
        if executions and executions[0]["status"] == "FAILED":
            failure = read_start_failure(of.deployed.target, executions[0]["executionArn"])
            if failure is not None:
                error = start_error(tasks, "never started", failure)
                problem, fix = error.message, error.hint or of.repair
        yield checks.judge_execution("last run", executions, problem, fix)

    found = _attempt("last run", judge_newest) if stack else ()
    yield CheckGroup("runs", (*found, _verify_quota(of)))


def _verify_quota(of: Verification) -> Check:
    """A quota that cannot be read is skipped, whatever the reason: service quotas are not in every region."""
    code, name = QUOTAS[bool(of.settings.spot)]
    try:
        answer = of.reader.call(SERVICE_QUOTAS, "get_service_quota", ServiceCode="fargate", QuotaCode=code)
    except AWSError as error:
        return Check(f"quota {name}", SKIPPED, error.message)
    return checks.judge_quota(answer["Quota"]["Value"], of.settings.cpu, f"quota {name}", code)


def verify_drift(
    deployed: DeployedProject, every: Iterable[StackDescription], say: Say, policy: PollPolicy = POLL_POLICY
) -> tuple[CheckGroup, ...]:
    """The drift of each stack, detected at the same time."""
    target, found = deployed.target, {stack.name for stack in every}
    existing = [name for name in _stack_names(deployed) if name in found]

    def judge(name: str) -> tuple[Check, ...]:
        return _attempt(
            name,
            lambda: checks.judge_drift(name, detect_drift(target.session, name, say, policy), repair_command(target)),
        )

    drifts = map_concurrently(judge, existing)
    return (CheckGroup("drift", tuple(one for some in drifts for one in some)),)
