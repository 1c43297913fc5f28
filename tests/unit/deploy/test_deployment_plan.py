"""The plan of a deployment: which steps, in which order, from what lies here and what is there."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from handoff_kit.aws.cloudformation.stack import StackDescription
from handoff_kit.aws.params import StoredParams
from handoff_kit.aws.target import Target
from handoff_kit.deploy.current import CurrentState
from handoff_kit.deploy.desired import DesiredProject, desired_projects, desired_shared
from handoff_kit.deploy.plan import ImageBuild, plan_project, plan_shared
from handoff_kit.deploy.schedule_template import deployed_schedules, render_schedule_template
from handoff_kit.errors import ProjectError
from handoff_kit.image.builder import Answer, Builder
from handoff_kit.paths import ProjectPaths
from handoff_kit.project.problem import ProjectFileError
from handoff_kit.project.schedule_settings import Schedule
from handoff_kit.steps import (
    CopyProjectData,
    DeployStack,
    ExistingBucket,
    ImageTag,
    RunCommand,
    StackOutput,
    Step,
    StoreParams,
    UploadFiles,
    WriteContext,
    WriteFile,
)
from handoff_runtime import params
from handoff_runtime.aws.transfer import LocalFile, UploadPlan

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

ROOT = Path(__file__).parents[3]
ID = "123456789012"
BUCKET = f"handoff-dev-{ID}-eu-central-1"
ECR = f"{ID}.dkr.ecr.eu-central-1.amazonaws.com"
NOTHING = UploadPlan((), (), ())
DIGEST = f"sha256:{64 * 'd'}"


def checkout(root: Path, **projects: str) -> tuple[ProjectPaths, ...]:
    """A checkout with these projects, and our own templates."""
    for name, text in projects.items():
        (root / "projects" / name).mkdir(parents=True)
        (root / "projects" / name / "project.yml").write_text(text, encoding="utf-8")
    for name in ("templates", "Dockerfile.j2", "handoff_runtime"):
        (root / name).symlink_to(ROOT / name)
    return tuple(ProjectPaths(name, root) for name in projects)


@pytest.fixture
def make(tmp_path: Path) -> Callable[[str], DesiredProject]:
    def made(more: str = "") -> DesiredProject:
        places = checkout(tmp_path, rates=f"commands: [{{command: date}}]\n{more}\n")
        return desired_projects(places, "dev", {})[0]

    return made


def stack_of(desired: DesiredProject) -> Target:
    session = cast("Any", SimpleNamespace(region="eu-central-1"))
    return Target("rates", "dev", desired.stack_name, BUCKET, "--project rates", session)


def current(
    desired: DesiredProject, *, pushed: bool = True, stored: bool = True, files: UploadPlan = NOTHING
) -> CurrentState:
    there = StoredParams(3, params.parse_params(_bytes(desired), "test")) if stored else None
    return CurrentState(ID, "eu-central-1", DIGEST if pushed else None, there, files)


def _bytes(desired: DesiredProject) -> bytes:
    return json.dumps(desired.params_document).encode()


def builder(platform: str = "linux/amd64") -> Builder:
    return Builder("docker", platform, lambda _: Answer(1, "", ""))


def build(**more: Any) -> ImageBuild:
    return replace(ImageBuild(builder(), None, "abc", (), "a-password-of-nobody"), **more)


def describe_steps(steps: Sequence[Step]) -> list[str]:
    """One word or two a step."""
    return [_word(step) for step in steps]


def _word(step: Any) -> str:
    words: dict[type, Callable[[], str]] = {
        DeployStack: lambda: f"stack {step.name}",
        WriteFile: lambda: f"write {step.path.name}",
        WriteContext: lambda: f"write {step.directory.name}/",
        RunCommand: lambda: " ".join(step.argv[:2]),
        StoreParams: lambda: step.change.operation if step.change else f"kept {len(step.kept)}",
        CopyProjectData: lambda: f"move from {step.source}",
        UploadFiles: lambda: f"files {len(step.files)}",
    }
    return words[type(step)]()


STACKS = ["write registry.yml", "stack handoff-dev-rates-registry", "write task.yml", "stack handoff-dev-rates"]
PACKED = ["docker login", "docker tag", "docker push"]
BUILT = ["write Dockerfile", "write context/", "docker build"]


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        pytest.param({}, [*STACKS, "files 0"], id="all is there"),
        pytest.param({"stored": False}, [*STACKS, "put_parameter", "files 0"], id="params are not"),
        pytest.param({"pushed": False}, [*STACKS[:2], *BUILT, *PACKED, *STACKS[2:], "files 0"], id="image is not"),
        pytest.param(
            {"pushed": False, "stored": False, "files": UploadPlan((LocalFile("a", "files/a", 1),), (), ())},
            [*STACKS[:2], *BUILT, *PACKED, *STACKS[2:], "put_parameter", "files 1"],
            id="nothing is there",
        ),
    ],
)
def test_steps(make: Callable[[], DesiredProject], there: dict[str, Any], expected: list[str]) -> None:
    desired = make()
    found = current(desired, **there)
    steps = plan_project(desired, found, None if found.image_digest else build(), stack_of(desired))
    assert describe_steps(steps) == expected


def test_data_are_moved_before_the_task_stack_is_changed(make: Callable[[], DesiredProject]) -> None:
    desired = make()
    found = replace(current(desired), move=CopyProjectData("old-bucket", BUCKET, "handoff-dev-rates/", 3, 10))
    steps = plan_project(desired, found, None, stack_of(desired))
    assert describe_steps(steps) == [*STACKS[:2], "move from old-bucket", *STACKS[2:], "files 0"]
    task = next(step for step in steps if isinstance(step, DeployStack) and step.name == "handoff-dev-rates")
    assert (task.bucket, task.moved_from) == (BUCKET, "old-bucket")


def test_stored_config_files_are_kept_or_removed(make: Callable[[], DesiredProject]) -> None:
    desired = make()
    document = {**desired.params_document, "files": [{"name": "a", "value": "1"}]}
    stored = StoredParams(3, params.parse_params(json.dumps(document).encode(), "test"))
    found = replace(current(desired), params=stored)
    assert describe_steps(plan_project(desired, found, None, stack_of(desired))) == [*STACKS, "kept 1", "files 0"]
    pruned = plan_project(desired, found, None, stack_of(desired), prune=True)
    assert describe_steps(pruned) == [*STACKS, "put_parameter", "files 0"]


def test_an_image_that_is_built_is_only_pushed(make: Callable[[], DesiredProject]) -> None:
    desired = make()
    built = {"Config": {"Labels": {"handoff.context": desired.image_source.digest}}}
    steps = plan_project(desired, current(desired, pushed=False), build(existing=built), stack_of(desired))
    assert describe_steps(steps) == [*STACKS[:2], *PACKED, *STACKS[2:], "files 0"]


def test_the_task_is_told_image_and_bucket(make: Callable[[], DesiredProject]) -> None:
    desired = make()
    steps = plan_project(desired, current(desired), None, stack_of(desired))
    task = next(step for step in steps if isinstance(step, DeployStack) and step.name == "handoff-dev-rates")
    assert task == DeployStack(
        name="handoff-dev-rates",
        file=desired.paths.build / "task.yml",
        template=desired.task_template,
        parameters={
            "Image": f"{ECR}/handoff-dev-rates@{DIGEST}",
            "Source": desired.image_tag,
            "Bucket": BUCKET,
            "Subnets": StackOutput("handoff-dev", "Subnets"),
            "SecurityGroups": StackOutput("handoff-dev", "SecurityGroup"),
        },
        tags={"handoff:project": "rates", "handoff:environment": "dev"},
        command="invoke deploy --project rates",
        bucket=BUCKET,
    )


def test_an_image_that_is_not_pushed_yet_is_named_by_its_tag(make: Callable[[], DesiredProject]) -> None:
    desired = make()
    steps = plan_project(desired, current(desired, pushed=False), build(), stack_of(desired))
    (image,) = (step.parameters["Image"] for step in steps if isinstance(step, DeployStack) and step.parameters)
    assert image == ImageTag("handoff-dev-rates", desired.image_tag, f"{ECR}/handoff-dev-rates")


NIGHTLY = {"name": "nightly", "cron": "0 2 * * *"}
OFTEN = {"name": "often", "rate": "1 hour"}


def deployed_stack(desired: DesiredProject, *schedules: Any, tags: Mapping[str, str] | None = None) -> StackDescription:
    """The schedule stack as `invoke schedule` deploys it."""
    found = tuple(Schedule.model_validate(one) for one in schedules)
    text = render_schedule_template(
        desired.paths.root, "rates", found, desired.project.deploy, desired.stack_name, "dev"
    )
    return StackDescription(
        f"{desired.stack_name}-schedule", "UPDATE_COMPLETE", template=text, tags=desired.tags if tags is None else tags
    )


@pytest.mark.parametrize(
    ("file", "deployed", "expected"),
    [
        pytest.param([], None, None, id="none"),
        pytest.param([NIGHTLY], None, None, id="not deployed yet"),
        pytest.param([NIGHTLY], [NIGHTLY], None, id="up to date"),
        pytest.param([], [OFTEN], None, id="by options alone"),
        pytest.param([NIGHTLY], [OFTEN, NIGHTLY], None, id="one more by options"),
        pytest.param([NIGHTLY], [OFTEN], ["nightly", "often"], id="a new one"),
        pytest.param([{**NIGHTLY, "data": {"a": "1"}}], [NIGHTLY], ["nightly"], id="other data"),
    ],
)
def test_deployed_schedules_are_brought_up_to_date(
    make: Callable[[str], DesiredProject], file: list[Any], deployed: list[Any] | None, expected: list[str] | None
) -> None:
    desired = make(f"schedules: {json.dumps(file)}" if file else "")
    stack = deployed_stack(desired, *deployed) if deployed else None
    found = replace(current(desired), schedule_stack=stack)
    steps = plan_project(desired, found, None, stack_of(desired))
    last = [step for step in steps if isinstance(step, DeployStack) and step.name.endswith("-schedule")]
    names = [deployed_schedules(StackDescription("x", "", template=step.template)) for step in last]
    assert [[one.name for one in each or ()] for each in names] == ([expected] if expected else [])


@pytest.mark.parametrize(
    "more",
    [
        pytest.param("deploy: {tags: {team: data}}", id="tags"),
        pytest.param("deploy: {alerts: 'arn:aws:sns:eu-central-1:123456789012:a'}", id="alerts"),
    ],
)
def test_settings_reach_deployed_schedules(make: Callable[[str], DesiredProject], tmp_path: Path, more: str) -> None:
    stack = deployed_stack(make(f"schedules: {json.dumps([NIGHTLY])}"), NIGHTLY)
    (tmp_path / "projects/rates/project.yml").write_text(
        f"commands: [{{command: date}}]\nschedules: {json.dumps([NIGHTLY])}\n{more}\n"
    )
    desired = desired_projects((ProjectPaths("rates", tmp_path),), "dev", {})[0]
    steps = plan_project(desired, replace(current(desired), schedule_stack=stack), None, stack_of(desired))
    assert describe_steps(steps)[-2:] == ["write schedule.yml", "stack handoff-dev-rates-schedule"]


def test_the_password_of_the_registry_is_never_told(make: Callable[[], DesiredProject]) -> None:
    desired = make()
    steps = plan_project(desired, current(desired, pushed=False), build(), stack_of(desired))
    login = next(step for step in steps if isinstance(step, RunCommand) and "login" in step.argv)
    assert login.argv == ("docker", "login", "--username", "AWS", "--password-stdin", ECR)
    assert login.stdin == "a-password-of-nobody"
    assert "a-password-of-nobody" not in repr((steps, build()))


@pytest.mark.parametrize(
    ("more", "host", "expected"),
    [
        pytest.param("", "linux/amd64", (), id="the builder's own"),
        pytest.param("", "linux/arm64", ("--platform", "linux/amd64"), id="another one"),
        pytest.param("deploy: {architecture: arm64}", "linux/amd64", ("--platform", "linux/arm64"), id="arm"),
        pytest.param("deploy: {architecture: arm64}", "linux/arm64", (), id="arm on arm"),
        pytest.param("image: {platform: linux/amd64}", "linux/amd64", ("--platform", "linux/amd64"), id="by name"),
    ],
)
def test_the_image_is_built_for_the_architecture(
    make: Callable[[str], DesiredProject], more: str, host: str, expected: tuple[str, ...]
) -> None:
    desired = make(more)
    packed = build(builder=builder(host))
    steps = plan_project(desired, current(desired, pushed=False), packed, stack_of(desired))
    argv = next(step.argv for step in steps if isinstance(step, RunCommand) and "build" in step.argv)
    at = argv.index("--platform") if "--platform" in argv else len(argv)
    assert argv[at : at + 2] == expected


def test_a_shared_stack_that_is_too_long_for_a_request(make: Callable[[], DesiredProject]) -> None:
    desired = make()
    shared = desired_shared((desired,), "dev")
    at_once = plan_shared(shared, desired, stack_of(desired), ID, at_once=True)
    assert describe_steps(at_once) == ["write shared.yml", "stack handoff-dev"]
    steps = plan_shared(shared, desired, stack_of(desired), ID, at_once=False)
    assert describe_steps(steps) == ["write shared.yml", "stack handoff-dev"] * 2
    kept = {"KeptBucket": ExistingBucket(BUCKET, ID, "handoff-dev")}
    assert [step.parameters for step in steps if isinstance(step, DeployStack)] == [kept, kept]
    bodies = [step.template for step in steps if isinstance(step, DeployStack)]
    assert bodies == [shared.template_without_projects, shared.template]
    assert "handoff-dev-rates" in shared.template
    assert "handoff-dev-rates" not in shared.template_without_projects


@pytest.mark.parametrize(
    ("more", "environ", "expected"),
    [
        pytest.param("", {}, True, id="all shared"),
        pytest.param(
            "deploy: {subnets: [subnet-0a1b2c3d], security_groups: [sg-0a1b2c3d], cluster: c, bucket: our-data, "
            "alerts: 'arn:aws:sns:eu-central-1:123456789012:a'}",
            {},
            False,
            id="all own",
        ),
        pytest.param(
            "deploy: {subnets: [subnet-0a1b2c3d], vpc: vpc-0a1b2c3d, cluster: c, "
            "alerts: 'arn:aws:sns:eu-central-1:123456789012:a'}",
            {"S3_BUCKET": "our-data"},
            False,
            id="the bucket by its variable",
        ),
        pytest.param("deploy: {cluster: c}", {}, True, id="some own"),
    ],
)
def test_who_needs_the_shared_stack(tmp_path: Path, more: str, environ: dict[str, str], expected: bool) -> None:  # noqa: FBT001  # of the table
    places = checkout(tmp_path, rates=f"commands: [{{command: date}}]\n{more}\n")
    assert desired_projects(places, "dev", environ)[0].needs_shared is expected


def test_the_problems_of_all_projects_are_told_together(tmp_path: Path) -> None:
    places = checkout(tmp_path, a="commands: 1\n", b="commands: [{command: date}]\n", c="foo: 1\n")
    with pytest.raises(ProjectFileError) as raised:
        desired_projects(places, "dev", {})
    assert [problem.display_path for problem in raised.value.problems] == [
        "projects/a/project.yml",
        *["projects/c/project.yml"] * 2,
    ]


@pytest.mark.parametrize(
    ("projects", "environ", "message"),
    [
        pytest.param(
            {"a": "commands: [{command: date}]\nimage: {store: none}\n"},
            {},
            "projects/a/project.yml: found image: {store: none}, expected aws: runs on Fargate need it",
            id="an image without its store",
        ),
        pytest.param(
            {"a": "commands: [{command: date}]\n", "b": "commands: [{command: date}]\n"},
            {"STACK_NAME": "one"},
            "STACK_NAME: found together with --all, which has a stack for each project",
            id="one name for several",
        ),
    ],
)
def test_what_is_refused(tmp_path: Path, projects: dict[str, str], environ: dict[str, str], message: str) -> None:
    with pytest.raises(ProjectError) as raised:
        desired_projects(checkout(tmp_path, **projects), "dev", environ)
    assert raised.value.message == message
