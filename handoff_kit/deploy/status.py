"""The status of projects: the deployed state compared with local files, in few calls.

The last run of each of several projects is that of its lock, a call each. Of one project alone the executions and the
dead-letter queue are read too, since runs that never started hold no lock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, TypeVar

from handoff_kit import resource_names
from handoff_kit.aws.alerts import Subscribers, read_subscribers
from handoff_kit.aws.cloudformation.stack import (
    StackDescription,
    check_owner,
    describe_all,
    describe_existing,
    is_owned,
)
from handoff_kit.aws.ecs import run_history
from handoff_kit.aws.ecs.cluster import ProjectTasks, deployed_settings, tasks_of_project, undeployed_settings
from handoff_kit.aws.ecs.secret_detection import project_mask
from handoff_kit.aws.ecs.tasks import describe_starter, list_running_tasks, task_id
from handoff_kit.aws.files import compare_files
from handoff_kit.aws.history import describe_trigger
from handoff_kit.aws.params import find_params, params_fingerprint, read_fingerprint
from handoff_kit.aws.session import (
    account_of,
    deployed_bucket,
    deployed_names,
    deployed_projects,
    note_on_bucket,
    target_by_name,
)
from handoff_kit.aws.target import Target
from handoff_kit.deploy.schedule_template import NOT_SCHEDULED, ScheduleSummary, deployed_summaries, summary
from handoff_kit.errors import AWSError, ProjectError, translate_store_errors
from handoff_kit.image.build import TAG_LENGTH, image_source
from handoff_kit.paths import ProjectPaths, UnknownProjectError, project_names
from handoff_kit.project import params_document
from handoff_kit.project.load import load_project
from handoff_kit.project.model import Project
from handoff_kit.text import timestamp
from handoff_runtime import s3_keys
from handoff_runtime.aws import lease
from handoff_runtime.aws.concurrency import map_concurrently
from handoff_runtime.aws.lease import StoredLease
from handoff_runtime.aws.session import SSM, Session
from handoff_runtime.errors import HandoffError, StoreError

UP_TO_DATE, OUT_OF_DATE, ABSENT, UNKNOWN = "up to date", "out of date", "none", "unknown"
STORED_ONLY = "stored only"
"""Of params that hold config files which are absent locally, and are up to date otherwise: a deploy keeps them."""
RUNNING, KILLED = "running", "killed"
FINGERPRINTS_AT_ONCE, LOCKS_AT_ONCE = 4, 16
PARAMETERS_PER_PAGE = 50
"""AWS Systems Manager API Reference, DescribeParameters."""

Lock = StoredLease | str | None
"""The lock of a project, which names its last run: None where it never ran, a text why it cannot be read."""
T = TypeVar("T")


@dataclass(frozen=True)
class LocalProject:
    """Project file, image tag and params document of a project; None where `problems` prevent it."""

    paths: ProjectPaths
    project: Project | None = None
    image_tag: str | None = None
    params_document: Mapping[str, Any] | None = None
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class ParamsVersion:
    """A stored params document: its version, and its fingerprint where it has one."""

    version: int
    fingerprint: str | None


@dataclass(frozen=True)
class AccountSnapshot:
    """Stacks and params by name; `notes` name what could not be read."""

    stacks: Mapping[str, StackDescription]
    params: Mapping[str, ParamsVersion] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ScheduleStatus:
    """A deployed schedule and its next time; None where it is disabled, or a rate, which counts from its creation."""

    entry: ScheduleSummary
    next_time: datetime | None


@dataclass(frozen=True)
class ProjectStatus:
    """`image` and `params` are up to date, out of date, none (not deployed) or unknown.

    `base_created` is the day on which the base of the deployed image was created. `undeployed` names settings and
    schedules of the project file that are deployed with other values.
    `params` may also be stored only: then `stored_only` names the stored config files that are absent locally.
    """

    project: str
    environment: str
    stack: str
    options: str
    stack_status: str | None
    image: str
    deployed_tag: str | None
    local_tag: str | None
    params: str
    params_version: int | None
    schedules: tuple[ScheduleStatus, ...] = ()
    last_run: Mapping[str, Any] | None = None
    is_last_run_unknown: bool = False
    problems: tuple[str, ...] = field(default=())
    stored_only: tuple[str, ...] = ()
    base_created: str | None = None
    undeployed: tuple[str, ...] = ()

    @property
    def next_schedule(self) -> ScheduleStatus | None:
        """The schedule with the earliest next time."""
        timed = [(each.next_time.timestamp(), each) for each in self.schedules if each.next_time]
        return min(timed, key=lambda pair: pair[0], default=(0, None))[1]

    @property
    def is_out_of_date(self) -> bool:
        """Whether a deploy would change something that is deployed."""
        is_out_of_date = bool(self.undeployed) or OUT_OF_DATE in (self.image, self.params)
        return self.stack_status is not None and is_out_of_date


@dataclass(frozen=True)
class ProjectDetail:
    """The files of a project, its running tasks and its executions under way, as text; how many runs were missed.

    `latest` is the last run, where that is another one than in the lock. `notes` name what could not be read.
    `subscribers` are notified of failures; None where an earlier version deployed the project.
    """

    files: str
    tasks: tuple[str, ...]
    executions: tuple[str, ...] = ()
    missed: int = 0
    latest: Mapping[str, Any] | None = None
    notes: tuple[str, ...] = ()
    subscribers: Subscribers | None = None


def read_statuses(
    root: Path, environment: str, environ: Mapping[str, str], session: Session
) -> tuple[list[ProjectStatus], tuple[str, ...]]:
    """The status of the projects under a root and of those deployed, and notes on what could not be read."""
    names, is_named = project_names(root), bool(resource_names.stack_from_environment(environ))
    if is_named and len(names) > 1:
        message = f"{resource_names.STACK_VARIABLE}: found together with all projects, expected one: --project NAME"
        raise ProjectError(message, f"unset {resource_names.STACK_VARIABLE}")
    account = _read_account(session, f"{resource_names.shared_stack(environment)}-")
    deployed = () if is_named else deployed_projects(account.stacks.values(), environment)
    project_paths = [ProjectPaths(name, root) for name in sorted({*names, *deployed})]
    _, _, statuses, notes = _compare_projects(project_paths, environment, environ, session, account)
    absent = [name for name in deployed if name not in names]
    note = f"note: deployed, and not in this checkout: {', '.join(absent)}"
    return statuses, (*notes, note) if absent else notes


def read_status(
    paths: ProjectPaths,
    unknown: UnknownProjectError | None,
    environment: str,
    environ: Mapping[str, str],
    session: Session,
) -> tuple[ProjectStatus, ProjectDetail, tuple[str, ...]]:
    """The status of one project with its files and tasks, and notes on what could not be read.

    `unknown` is the error for a project that is not in this checkout; raised unless it is deployed.
    """
    name = target_by_name(paths, environment, environ, session, "").name
    account = _read_account(session, name, (name, resource_names.schedule_stack(name)))
    tags = resource_names.owner_tags(paths.name, environment)
    if unknown and not any(tags.items() <= stack.tags.items() for stack in account.stacks.values()):
        raise UnknownProjectError(paths, deployed_names(session, environment))
    (local,), (target,), (status,), notes = _compare_projects([paths], environment, environ, session, account)
    stack = account.stacks.get(target.name)
    detail = ProjectDetail("none", ()) if stack is None else _read_detail(local, target, stack, status.last_run)
    if detail.latest:
        status = replace(status, last_run=detail.latest)
    notes = (*notes, *detail.notes)
    return status, detail, (*notes, f"note: found no {paths.display_path} in this checkout") if unknown else notes


def _read_account(session: Session, prefix: str, stack_names: Sequence[str] = ()) -> AccountSnapshot:
    """All stacks with a prefix, or only those of these names; and the parameters with the prefix."""
    if stack_names:
        stacks = [stack for name in stack_names if (stack := describe_existing(session, name))]
    else:
        stacks = [stack for stack in describe_all(session) if stack.name.startswith(prefix)]
    by_name = {stack.name: stack for stack in stacks}
    filters = [{"Key": "Name", "Option": "BeginsWith", "Values": [prefix]}]
    params: dict[str, ParamsVersion] = {}
    try:
        with translate_store_errors():
            operation, limit = "describe_parameters", PARAMETERS_PER_PAGE
            for page in session.pages(SSM, operation, ParameterFilters=filters, MaxResults=limit):
                for parameter in page["Parameters"]:
                    fingerprint = read_fingerprint(parameter.get("Description", ""))
                    params[parameter["Name"]] = ParamsVersion(parameter["Version"], fingerprint)
    except AWSError as error:
        return AccountSnapshot(by_name, notes=(str(error),))
    return AccountSnapshot(by_name, params)


def _read_local(paths: ProjectPaths, environment: str) -> LocalProject:
    """Errors become problems of the project, so that the other projects are shown."""
    problems: list[str] = []
    if not paths.file.exists():  # deployed from another checkout
        return LocalProject(paths)
    project = _attempt(problems, lambda: load_project(paths.file, paths.display_path))
    if project is None:
        return LocalProject(paths, problems=tuple(problems))
    source = _attempt(problems, lambda: image_source(paths, project, project.deploy.platform))
    tag = source.digest[:TAG_LENGTH] if source else None
    document = _attempt(problems, lambda: params_document.params_document(paths, project, environment))
    return LocalProject(paths, project, tag, document, tuple(problems))


def _attempt(problems: list[str], read: Callable[[], T]) -> T | None:
    try:
        return read()
    except HandoffError as error:
        problems.append(str(error).removeprefix("error: "))
        return None


def _targets(
    projects: Sequence[LocalProject],
    environment: str,
    environ: Mapping[str, str],
    session: Session,
    account: AccountSnapshot,
) -> tuple[list[Target], tuple[str, ...]]:
    """Each project with the bucket it is deployed with, and a note of each whose file or variable names another.

    STS is called once, if neither a deployed stack nor a name decides; where that is refused, the bucket is empty.
    """
    targets: list[Target] = []
    notes: dict[str, None] = {}
    shared: str | None = None
    for local in projects:
        target = target_by_name(local.paths, environment, environ, session, "")
        current = deployed_bucket(account.stacks.get(target.name), target)
        project_bucket = local.project.deploy.bucket if local.project else None
        named = resource_names.named_bucket(environ, project_bucket, local.paths.display_path)
        if current and (note := note_on_bucket(target.project, current, named)):
            notes[f"note: {note}"] = None
        bucket = current or (named.name if named else "")
        if not bucket and shared is None:
            try:
                shared = resource_names.bucket(environment, account_of(session), session.region)
            except AWSError as error:
                shared = ""
                notes = {str(error): None, **notes}
        targets.append(replace(target, bucket=bucket or shared or ""))
    return targets, tuple(notes)


def _compare_projects(
    project_paths: Sequence[ProjectPaths],
    environment: str,
    environ: Mapping[str, str],
    session: Session,
    account: AccountSnapshot,
) -> tuple[list[LocalProject], list[Target], list[ProjectStatus], tuple[str, ...]]:
    """The projects, local and in AWS, their status, and notes; a STACK_NAME of another project is refused."""
    stack = account.stacks.get(resource_names.stack_from_environment(environ) or "")
    if stack and project_paths:
        check_owner(stack, resource_names.owner_tags(project_paths[0].name, environment))
    projects = [_read_local(paths, environment) for paths in project_paths]
    targets, notes = _targets(projects, environment, environ, session, account)
    now, locks = datetime.now(timezone.utc), _read_locks(targets, account)
    unreadable = [lock for lock in locks if isinstance(lock, str) and lock]
    damaged = [
        f"note: {target.url(s3_keys.lease(target.name))}: damaged ({lock.damage}); the next run replaces it"
        for target, lock in zip(targets, locks, strict=True)
        if isinstance(lock, StoredLease) and lock.damage
    ]
    statuses = map_concurrently(
        lambda project: compare_project(*project, account, now, read_params=_read_params),
        zip(projects, targets, locks, strict=True),
        FINGERPRINTS_AT_ONCE,
    )
    all_notes = tuple(dict.fromkeys((*account.notes, *unreadable[:1], *damaged, *notes)))
    return projects, targets, list(statuses), all_notes


def _read_locks(targets: Sequence[Target], account: AccountSnapshot) -> list[Lock]:
    """A project that is neither deployed nor has params never ran; an empty text where its bucket is unknown."""

    def read(target: Target) -> Lock:
        if target.name not in account.stacks and target.parameter not in account.params:
            return None
        if not target.bucket:
            return ""
        try:
            return lease.read_lease(target.session, target.bucket, target.name)
        except StoreError as error:
            return str(error)

    return list(map_concurrently(read, targets, LOCKS_AT_ONCE))


def _read_params(target: Target) -> Mapping[str, Any] | None:
    """The stored params document; None where it cannot be read."""
    try:
        stored = find_params(target)
    except HandoffError:
        return None
    return stored.document if stored else None


def compare_project(
    local: LocalProject,
    target: Target,
    lock: Lock,
    account: AccountSnapshot,
    now: datetime,
    *,
    read_params: Callable[[Target], Mapping[str, Any] | None] = lambda _: None,
) -> ProjectStatus:
    """Compare a local project with its deployment; stored params are read only where the fingerprints differ."""
    task, schedule = account.stacks.get(target.name), account.stacks.get(resource_names.schedule_stack(target.name))
    if schedule and not is_owned(schedule, resource_names.owner_tags(target.project, target.environment)):
        schedule = None  # the task stack of a project NAME-schedule, for example
    deployed_tag = task.outputs.get("Source") if task else None
    params, params_version, stored_only = _compare_params(local, target, account, read_params)
    summaries = deployed_summaries(schedule) if schedule else ()
    return ProjectStatus(
        target.project,
        target.environment,
        target.name,
        target.options,
        task.status if task else None,
        _state(deployed_tag, local.image_tag),
        deployed_tag,
        local.image_tag,
        params,
        params_version,
        tuple(ScheduleStatus(entry, entry.next_time(now)) for entry in summaries),
        None if isinstance(lock, str) else _last_run(lock),
        isinstance(lock, str),
        local.problems,
        stored_only,
        _deployed_base(task),
        _undeployed(local.project, target, task, schedule),
    )


def _undeployed(
    project: Project | None, target: Target, task: StackDescription | None, schedule: StackDescription | None
) -> tuple[str, ...]:
    """What the outputs and tags of the stacks show; a deployment compares the templates too."""
    if project is None or task is None or "TaskDefinition" not in task.outputs:
        return ()
    for output, name in (("Machine", "the state machine"), ("AlertMachine", "the alerts")):
        if output not in task.outputs:
            return (f"{name}, since an earlier version deployed it",)
    tags = {**project.deploy.tags, **resource_names.owner_tags(target.project, target.environment)}
    schedule = None if schedule and schedule.status in NOT_SCHEDULED else schedule
    settings = undeployed_settings(task, project.deploy, target.environment)
    deployed = {entry.name: entry for entry in deployed_summaries(schedule)} if schedule else {}
    schedules = [entry for entry in map(summary, project.schedules) if schedule and deployed.get(entry.name) != entry]
    return (
        *settings,
        *(["deploy.tags"] if any(stack and dict(stack.tags) != tags for stack in (task, schedule)) else ()),
        *(f"schedule {entry.name}" for entry in schedules),
    )


def _deployed_base(task: StackDescription | None) -> str | None:
    base = task.outputs.get("Base", UNKNOWN) if task else UNKNOWN  # 0.1 had no such output
    return None if base == UNKNOWN else base


def _state(deployed: str | None, local: str | None) -> str:
    if deployed is None:
        return ABSENT
    return UNKNOWN if local is None else UP_TO_DATE if deployed == local else OUT_OF_DATE


def _compare_params(
    local: LocalProject,
    target: Target,
    account: AccountSnapshot,
    read_params: Callable[[Target], Mapping[str, Any] | None],
) -> tuple[str, int | None, tuple[str, ...]]:
    """Compares fingerprints, and reads the stored document only where they differ."""
    if account.notes:
        return UNKNOWN, None, ()
    stored = account.params.get(target.parameter)
    if stored is None:
        return ABSENT, None, ()
    if stored.fingerprint is None or local.params_document is None:
        return UNKNOWN, stored.version, ()
    state = _state(stored.fingerprint, params_fingerprint(local.params_document, target.name))
    document = read_params(target) if state == OUT_OF_DATE else None
    if document is None:
        return state, stored.version, ()
    merged = params_document.merge(local.params_document, document)
    return STORED_ONLY if merged.document == document else OUT_OF_DATE, stored.version, merged.kept


def _last_run(lock: StoredLease | None) -> Mapping[str, Any] | None:
    """The history entry in the lock; a run whose lease expired unreleased was killed."""
    if lock is None or not isinstance(entry := lock.claim.get("entry"), dict):
        return None
    if lock.claim.get("released"):
        return entry
    return {**entry, "outcome": KILLED if lease.is_free(lock) else RUNNING}


def _read_detail(
    local: LocalProject, target: Target, stack: StackDescription, last_run: Mapping[str, Any] | None
) -> ProjectDetail:
    """What may not be read is unknown, with the reason."""
    tasks = tasks_of_project(target, deployed_settings(stack, local.project), stack)
    files, subscribers = _compare_files(local, target), read_subscribers(target, stack)
    detail = ProjectDetail(files, _describe_tasks(tasks), subscribers=subscribers)
    if not tasks.machine:
        return detail
    found = run_history.read_latest(tasks, last_run, project_mask(local.paths))
    runs = [line for line in found.lines if line["run_id"]]
    return replace(
        detail,
        executions=tuple(
            f"{line['execution']} {line['outcome']} since {str(line['started_at'])[:19]}Z, "
            f"started by {describe_trigger(line)}" + (f": {line['reason']}" if line["reason"] else "")
            for line in runs
            if line["outcome"] in run_history.UNDER_WAY and line["run_id"] == line.get("execution")
        ),
        missed=found.missed,
        latest=runs[0] if runs else None,
        notes=found.notes,
    )


def _compare_files(local: LocalProject, target: Target) -> str:
    try:
        plan = compare_files(target, local.paths)
    except AWSError as error:
        return f"{UNKNOWN}: {error.message}"
    if plan.send:
        return f"{OUT_OF_DATE}: {len(plan.send)} to upload, {len(plan.same)} {UP_TO_DATE}"
    same = f"{UP_TO_DATE}: {len(plan.same)}" if plan.same else ""
    stored_only = f"{len(plan.gone)} {STORED_ONLY}" if plan.gone else ""
    return ", ".join(filter(None, (same, stored_only))) or ABSENT


def _describe_tasks(tasks: ProjectTasks) -> tuple[str, ...]:
    described = []
    try:
        for task in list_running_tasks(tasks):
            started = task.get("startedAt") or task.get("createdAt")
            since = f" since {timestamp(started)}" if started else ""
            by = f", started by {starter}" if (starter := describe_starter(task)) else ""
            described.append(f"{task_id(task['taskArn'])} {task['lastStatus']}{since}{by}")
    except AWSError as error:
        return (f"{UNKNOWN}: {error.message}",)
    return tuple(described)
