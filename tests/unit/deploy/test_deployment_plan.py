"""The plan of a deployment: which steps, in which order, from what lies here and what is there."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from doubles.rendered_templates import understood

from handoff_kit import resource_names
from handoff_kit.apply import ApplyOptions, describe
from handoff_kit.aws.cloudformation.stack import StackDescription
from handoff_kit.aws.ecr import PushedImage, newest_image
from handoff_kit.aws.params import StoredParams
from handoff_kit.aws.target import Target
from handoff_kit.deploy.current import CurrentState, read_current
from handoff_kit.deploy.deploy_project import DeployContext, common_tags, deploy_projects, pull_base
from handoff_kit.deploy.desired import DesiredProject, desired_project, desired_projects, desired_shared
from handoff_kit.deploy.plan import ImageBuild, other_schedules, plan_project, plan_shared
from handoff_kit.deploy.schedule_template import deployed_schedules, render_schedule_template
from handoff_kit.errors import CommandError, ImageError, ProjectError
from handoff_kit.image.build import BaseImage
from handoff_kit.image.builder import Answer, Builder
from handoff_kit.paths import ProjectPaths
from handoff_kit.project import params_document
from handoff_kit.project.deploy_settings import Deploy
from handoff_kit.project.schedule_settings import Schedule
from handoff_kit.steps import (
    ApiCalls,
    CopyProjectData,
    DeployStack,
    ExistingBucket,
    ImageTag,
    RegistryCredentials,
    RunCommand,
    StackOutput,
    Step,
    StoreParams,
    TagVersions,
    UploadFiles,
    WriteContext,
    WriteFile,
)
from handoff_runtime import params
from handoff_runtime.aws.transfer import LocalFile, UploadPlan
from handoff_runtime.errors import HandoffError
from handoff_runtime.retention import Keep

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

ROOT = Path(__file__).parents[3]
ID = "123456789012"
BUCKET = f"handoff-dev-{ID}-eu-central-1"
ECR = f"{ID}.dkr.ecr.eu-central-1.amazonaws.com"
NOTHING = UploadPlan((), (), ())
PUSHED = PushedImage("c0ffee-base20260901-20261130T184441Z", "sha256:" + 64 * "1")


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
        return desired_project(places[0], "dev", {})

    return made


def stack_of(desired: DesiredProject) -> Target:
    session = cast("Any", SimpleNamespace(region="eu-central-1"))
    return Target("rates", "dev", desired.stack_name, BUCKET, "--project rates", session)


def current(desired: DesiredProject, *, stored: bool = True, files: UploadPlan = NOTHING) -> CurrentState:
    there = StoredParams(3, params.parse_params(_bytes(desired), "test")) if stored else None
    return CurrentState(ID, "eu-central-1", there, files)


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
        TagVersions: lambda: f"tag {step.versions}",
        ApiCalls: lambda: step.calls[0].operation,
    }
    return words[type(step)]()


STACKS = ["write registry.yml", "stack handoff-dev-rates-registry", "write task.yml", "stack handoff-dev-rates"]
PACKED = ["docker tag", "docker push"]
PUT = "expect a successful run within 1d, by 2026-02-01T02:00:00Z (s3://B/handoff-dev-rates/expect/main.json)"
BUILT = ["write Dockerfile", "write context/", "docker build"]


@pytest.mark.parametrize(
    ("pushed", "there", "expected"),
    [
        pytest.param(True, {}, [*STACKS, "files 0"], id="all is there"),
        pytest.param(True, {"stored": False}, [*STACKS, "put_parameter", "files 0"], id="params are not"),
        pytest.param(False, {}, [*STACKS[:2], *BUILT, *PACKED, *STACKS[2:], "files 0"], id="image is not"),
        pytest.param(
            False,
            {"stored": False, "files": UploadPlan((LocalFile("a", "files/a", 1),), (), ())},
            [*STACKS[:2], *BUILT, *PACKED, *STACKS[2:], "put_parameter", "files 1"],
            id="nothing is there",
        ),
    ],
)
def test_steps(
    make: Callable[[], DesiredProject],
    pushed: bool,  # noqa: FBT001  # of the table
    there: dict[str, Any],
    expected: list[str],
) -> None:
    desired = make()
    image = PUSHED if pushed else build()
    steps = plan_project(desired, current(desired, **there), image, stack_of(desired))
    assert describe_steps(steps) == expected


@pytest.mark.parametrize(
    ("stored", "here", "deployed", "expected"),
    [
        pytest.param({}, "", True, [], id="never expected"),
        pytest.param({"success_within": 86400}, "{success_within: 24h}", True, [], id="the same span"),
        pytest.param({}, "{success_within: 1d}", True, [PUT, "put_parameter"], id="expected from now on"),
        pytest.param({"success_within": 3600}, "{success_within: 1d}", True, [PUT, "put_parameter"], id="another span"),
        pytest.param({"success_within": 86400}, "{success_within: 1d}", False, [PUT], id="deployed anew"),
        pytest.param(
            {"success_within": 86400},
            "",
            True,
            ["expect no run any more: delete s3://B/handoff-dev-rates/expect/main.json", "put_parameter"],
            id="no longer expected",
        ),
        pytest.param({}, "{rows_at_least: 1}", True, ["put_parameter"], id="rows only"),
        pytest.param(None, "{success_within: 1d}", False, [PUT, "put_parameter"], id="the first time"),
    ],
)
def test_the_wait_for_a_run_begins_with_its_span(
    make: Callable[[str], DesiredProject],
    stored: dict[str, int] | None,
    here: str,
    deployed: bool,  # noqa: FBT001  # of the table
    expected: list[str],
) -> None:
    """Before the params are pushed: a deployment that is interrupted between the two plans both again."""
    desired = make(f"expect: {here}" if here else "")
    pipeline = {name: value for name, value in desired.params_document["pipeline"].items() if name != "expect"}
    document = {**desired.params_document, "pipeline": {**pipeline, **({"expect": stored} if stored else {})}}
    there = StoredParams(3, params.parse_params(json.dumps(document).encode(), "test")) if stored is not None else None
    now = datetime(2026, 1, 31, 2, tzinfo=timezone.utc)
    found = replace(current(desired), params=there, is_deployed=deployed, now=now)
    steps = plan_project(desired, found, PUSHED, stack_of(desired))
    words = [
        describe(step)[0].replace(BUCKET, "B") if isinstance(step, ApiCalls) else word
        for step, word in zip(steps, describe_steps(steps), strict=True)
    ]
    assert [word for word in words if word not in (*STACKS, "files 0")] == expected
    bodies = [call.request.get("Body") for step in steps if isinstance(step, ApiCalls) for call in step.calls]
    assert bodies in ([], [None], [b'{"by": "2026-02-01T02:00:00Z", "name": "silence-20260201T020000Z"}'])


def test_data_are_moved_before_the_task_stack_is_changed(make: Callable[[], DesiredProject]) -> None:
    desired = make()
    found = replace(current(desired), move=CopyProjectData("old-bucket", BUCKET, "handoff-dev-rates/", 3, 10))
    steps = plan_project(desired, found, PUSHED, stack_of(desired))
    assert describe_steps(steps) == [*STACKS[:2], "move from old-bucket", *STACKS[2:], "files 0"]
    task = next(step for step in steps if isinstance(step, DeployStack) and step.name == "handoff-dev-rates")
    assert (task.bucket, task.moved_from) == (BUCKET, "old-bucket")


def test_stored_config_files_are_kept_or_removed(make: Callable[[], DesiredProject]) -> None:
    desired = make()
    document = {**desired.params_document, "files": [{"name": "a", "value": "1"}]}
    stored = StoredParams(3, params.parse_params(json.dumps(document).encode(), "test"))
    found = replace(current(desired), params=stored)
    assert describe_steps(plan_project(desired, found, PUSHED, stack_of(desired))) == [*STACKS, "kept 1", "files 0"]
    pruned = plan_project(desired, found, PUSHED, stack_of(desired), prune=True)
    assert describe_steps(pruned) == [*STACKS, "put_parameter", "files 0"]


def test_an_image_that_is_built_is_only_pushed(make: Callable[[], DesiredProject]) -> None:
    desired = make()
    built = {"Config": {"Labels": {"handoff.context": desired.image_source.digest}}}
    steps = plan_project(desired, current(desired), build(existing=built), stack_of(desired))
    assert describe_steps(steps) == [*STACKS[:2], *PACKED, *STACKS[2:], "files 0"]


def test_the_task_is_told_image_and_bucket(make: Callable[[], DesiredProject]) -> None:
    desired = make()
    steps = plan_project(desired, current(desired), PUSHED, stack_of(desired))
    task = next(step for step in steps if isinstance(step, DeployStack) and step.name == "handoff-dev-rates")
    assert task == DeployStack(
        name="handoff-dev-rates",
        file=desired.paths.build / "task.yml",
        template=desired.task_template(desired.params_document),
        parameters={
            "Image": f"{ECR}/handoff-dev-rates@{PUSHED.digest}",
            "Source": desired.image_tag,
            "Base": "2026-09-01",
            "Bucket": BUCKET,
            "Subnets": StackOutput("handoff-dev", "Subnets"),
            "SecurityGroups": StackOutput("handoff-dev", "SecurityGroup"),
        },
        tags={"handoff:project": "rates", "handoff:environment": "dev"},
        command="invoke deploy --project rates",
        bucket=BUCKET,
    )


@pytest.mark.parametrize(
    ("more", "suffix", "base", "options"),
    [
        pytest.param({}, "", "unknown", [], id="a base that is not known"),
        pytest.param(
            {"base": BaseImage("2026-09-01", is_in_registry=True)}, "-base20260901", "2026-09-01", [], id="a base"
        ),
        pytest.param(
            {"base": BaseImage("2026-09-01", is_in_registry=True), "rebuilt_at": "20261130T184441Z"},
            "-base20260901-20261130T184441Z",
            "2026-09-01",
            ["--no-cache", "--pull"],
            id="a rebuild",
        ),
        pytest.param(
            {"base": BaseImage("2026-09-01", is_in_registry=False), "rebuilt_at": "20261130T184441Z"},
            "-base20260901-20261130T184441Z",
            "2026-09-01",
            ["--no-cache"],
            id="a rebuild from a base that no registry has",
        ),
    ],
)
def test_the_tag_names_base_and_rebuild(
    make: Callable[[], DesiredProject], more: dict[str, Any], suffix: str, base: str, options: list[str]
) -> None:
    desired = make()
    existing = {"Config": {"Labels": {"handoff.context": desired.image_source.digest}}} if options else None
    steps = plan_project(desired, current(desired), build(existing=existing, **more), stack_of(desired))
    task = next(step for step in steps if isinstance(step, DeployStack) and step.name == "handoff-dev-rates")
    image = ImageTag("handoff-dev-rates", f"{desired.image_tag}{suffix}", f"{ECR}/handoff-dev-rates")
    assert (task.parameters["Image"], task.parameters["Source"]) == (image, desired.image_tag)
    assert task.parameters["Base"] == base
    commands = [step.argv for step in steps if isinstance(step, RunCommand)]
    assert [argv[-1] for argv in commands if argv[1] == "push"] == [f"{image.uri}:{image.tag}"]
    assert [word for word in commands[0] if word in {"--no-cache", "--pull"}] == options


def test_the_base_of_an_image_that_is_built_is_that_of_its_label(make: Callable[[], DesiredProject]) -> None:
    desired = make()
    labels = {"handoff.context": desired.image_source.digest, "handoff.base": "2026-08-01"}
    packed = build(existing={"Config": {"Labels": labels}})
    steps = plan_project(desired, current(desired), packed, stack_of(desired))
    assert next(step.argv for step in steps if isinstance(step, RunCommand))[-1].endswith("-base20260801")


class Images:
    """ECR with these images, by when they were pushed."""

    region = "eu-central-1"

    def __init__(self, *images: tuple[int, str, str]) -> None:
        self.images = images

    def pages(self, *_: object, **__: object) -> list[dict[str, Any]]:
        details = [
            {"imagePushedAt": when, "imageTags": tags.split(), "imageDigest": digest}
            for when, tags, digest in self.images
        ]
        return [
            {"imageDetails": details[:1]},
            {"imageDetails": [*details[1:], {"imagePushedAt": 9, "imageDigest": "x"}]},
        ]


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        pytest.param([], None, id="none"),
        pytest.param([(1, "other", "a"), (2, "c0ffeee", "b")], None, id="of other sources"),
        pytest.param([(1, "c0ffee", "a")], PushedImage("c0ffee", "a"), id="of 0.1"),
        pytest.param(
            [(1, "c0ffee-base20260101", "a"), (3, "c0ffee-base20260101-T", "b"), (2, "c0ffee", "c")],
            PushedImage("c0ffee-base20260101-T", "b"),
            id="the one that was pushed last",
        ),
    ],
)
def test_the_newest_image_of_a_source(images: list[tuple[int, str, str]], expected: PushedImage | None) -> None:
    target = Target("rates", "dev", "handoff-dev-rates", BUCKET, "", cast("Any", Images(*images)))
    assert newest_image(target, "handoff-dev-rates", "c0ffee") == expected


def context(said: list[str], builder: Callable[[], Builder], session: object) -> DeployContext:
    return DeployContext(cast("Any", session), ID, {}, builder, ApplyOptions(said.append, yes=True))


class Fresh(Images):
    """An account in which nothing is deployed; what would change it fails."""

    def call(self, service: str, operation: str, **_: object) -> None:
        assert (service, operation) == ("cloudformation", "describe_stacks")


def test_a_missing_builder_ends_a_deployment_before_a_stack_is_created(make: Callable[[], DesiredProject]) -> None:
    desired, said = make(), list[str]()

    def find() -> Builder:
        raise ImageError("docker does not work")

    with pytest.raises(ImageError, match="docker does not work"):
        deploy_projects([desired], desired_shared(ROOT, "dev"), context(said, find, Fresh()))
    other = replace(desired, paths=replace(desired.paths, name="other"))
    with pytest.raises(HandoffError, match="2 of 2 projects not deployed: rates, other"):
        deploy_projects([desired, other], desired_shared(ROOT, "dev"), context(said, find, Fresh()))
    assert said == ["error: docker does not work"] * 2


PULLED = {"Created": "2026-11-01T00:00:00Z", "RepoDigests": ["python@sha256:1"]}


@pytest.mark.parametrize(
    ("here", "exit_code", "rebuild", "expected"),
    [
        pytest.param(PULLED, 0, False, BaseImage("2026-11-01", is_in_registry=True), id="pulled"),
        pytest.param(PULLED, 1, False, BaseImage("2026-11-01", is_in_registry=True), id="the one that is here"),
        pytest.param(PULLED, 1, True, None, id="a rebuild needs the registry"),
        pytest.param(
            {"Created": "1980-01-01T00:00:00Z", "RepoDigests": []},
            1,
            True,
            BaseImage("", is_in_registry=False),
            id="no registry has it",
        ),
        pytest.param(None, 1, False, None, id="none"),
    ],
)
def test_the_base_is_pulled(
    make: Callable[[], DesiredProject],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    here: dict[str, Any] | None,
    exit_code: int,
    rebuild: bool,  # noqa: FBT001  # of the table
    expected: BaseImage | None,
) -> None:
    program = tmp_path / "bin/docker"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\nexit {exit_code}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    said = list[str]()
    docker = Builder(
        "docker", "linux/amd64", lambda _: Answer(0 if here else 1, json.dumps([here] if here else []), "")
    )
    given = replace(context(said, lambda: docker, Fresh()), rebuild=rebuild)
    if rebuild and exit_code and here is PULLED:
        with pytest.raises(CommandError, match=r"could not pull python:3\.11-slim"):
            pull_base(docker, make(), given)
        return
    assert pull_base(docker, make(), given) == expected
    notes = [line for line in said if line.startswith("note: ")]
    end = "could not pull python:3.11-slim: docker ended with exit 1; building with what is here"
    assert notes == ([f"note: {end}"] if exit_code and not rebuild else [])


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        pytest.param([{"team": "a", "cost": "1"}], {"team": "a", "cost": "1"}, id="of one project"),
        pytest.param([{"team": "a", "cost": "1"}, {"team": "b", "cost": "1"}], {"cost": "1"}, id="in which all agree"),
        pytest.param([{}, {"cost": "1"}], {}, id="none"),
    ],
)
def test_tags_of_a_new_shared_stack(
    make: Callable[[str], DesiredProject], tags: list[dict[str, str]], expected: dict[str, str]
) -> None:
    desired = make("")
    projects = [
        replace(desired, project=desired.project.model_copy(update={"deploy": Deploy.model_validate({"tags": each})}))
        for each in tags
    ]
    assert common_tags(projects) == expected


def test_an_image_that_is_not_pushed_yet_is_named_by_its_tag(make: Callable[[], DesiredProject]) -> None:
    desired = make()
    steps = plan_project(desired, current(desired), build(), stack_of(desired))
    (image,) = (step.parameters["Image"] for step in steps if isinstance(step, DeployStack) and step.parameters)
    assert image == ImageTag("handoff-dev-rates", desired.image_tag, f"{ECR}/handoff-dev-rates")


KEY = "1234abcd-12ab-34cd-56ef-1234567890ab"


@pytest.mark.parametrize(
    ("file", "stored_key", "expected"),
    [
        pytest.param("", None, [*STACKS, "files 0"], id="none, and none deployed"),
        pytest.param("", KEY, [*STACKS[:2], "put_parameter", *STACKS[2:], "files 0"], id="none any more"),
        pytest.param("", "alias/aws/ssm", [*STACKS, "files 0"], id="none any more, after an interruption"),
        pytest.param(f"deploy: {{kms_key: {KEY}}}", KEY, [*STACKS, "files 0"], id="the same"),
        pytest.param(f"deploy: {{kms_key: {KEY}}}", "alias/aws/ssm", [*STACKS, "put_parameter", "files 0"], id="new"),
    ],
)
def test_the_role_can_always_decrypt_the_params(
    make: Callable[[str], DesiredProject],
    monkeypatch: pytest.MonkeyPatch,
    file: str,
    stored_key: str | None,
    expected: list[str],
) -> None:
    """Its stack gives it the key, and takes it away."""
    desired, stack = make(file), StackDescription("handoff-dev-rates", "UPDATE_COMPLETE")
    before = current(desired)
    read = {
        "bucket_exists": True,
        "find_replaceable_params": before.params,
        "compare_files": NOTHING,
        "describe_existing": None,
        "plan_tagging": None,
        "plan_parameter_tags": None,
        "stored_key": stored_key,
    }
    for name, answer in read.items():
        monkeypatch.setattr(f"handoff_kit.deploy.current.{name}", lambda *_, answer=answer, **__: answer)
    deployed = replace(stack, outputs={"KmsKey": KEY} if stored_key else {})
    found = read_current(desired, stack_of(desired), ID, deployed)
    assert describe_steps(plan_project(desired, found, PUSHED, stack_of(desired))) == expected


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
    steps = plan_project(desired, found, PUSHED, stack_of(desired))
    last = [step for step in steps if isinstance(step, DeployStack) and step.name.endswith("-schedule")]
    names = [deployed_schedules(StackDescription("x", "", template=step.template)) for step in last]
    assert [[one.name for one in each or ()] for each in names] == ([expected] if expected else [])
    others = {one["name"] for one in deployed or ()} - {one["name"] for one in file}
    assert {schedule.name for schedule in other_schedules(desired, found)} == others  # which a deployment names


def test_a_stack_of_another_project_is_not_its_schedules(make: Callable[[str], DesiredProject]) -> None:
    """It has the name that the task stack of a project rates-schedule has."""
    desired = make(f"schedules: {json.dumps([NIGHTLY])}")
    stack = deployed_stack(desired, tags=resource_names.owner_tags("rates-schedule", "dev"))
    steps = plan_project(desired, replace(current(desired), schedule_stack=stack), PUSHED, stack_of(desired))
    assert not [step for step in steps if isinstance(step, DeployStack) and step.name.endswith("-schedule")]


@pytest.mark.parametrize(
    ("status", "made_from"),
    [
        pytest.param("UPDATE_COMPLETE", ["a template"], id="stable"),
        pytest.param("UPDATE_IN_PROGRESS", [None], id="being changed"),
        pytest.param("ROLLBACK_COMPLETE", [], id="never created"),
        pytest.param("DELETE_IN_PROGRESS", [], id="being deleted"),
    ],
)
def test_schedules_that_are_deleted_meanwhile_do_not_return(
    make: Callable[[str], DesiredProject], status: str, made_from: list[str | None]
) -> None:
    desired = make(f"schedules: {json.dumps([NIGHTLY])}")
    stack = replace(deployed_stack(desired), status=status, template="a template")
    steps = plan_project(desired, replace(current(desired), schedule_stack=stack), PUSHED, stack_of(desired))
    last = [step for step in steps if isinstance(step, DeployStack) and step.name.endswith("-schedule")]
    assert [step.made_from for step in last] == made_from


@pytest.mark.parametrize(
    "more",
    [
        pytest.param("deploy: {tags: {team: data}}", id="tags"),
        pytest.param("deploy: {permissions_boundary: limits}", id="a boundary"),
    ],
)
def test_settings_reach_deployed_schedules(make: Callable[[str], DesiredProject], tmp_path: Path, more: str) -> None:
    stack = deployed_stack(make(f"schedules: {json.dumps([NIGHTLY])}"), NIGHTLY)
    (tmp_path / "projects/rates/project.yml").write_text(
        f"commands: [{{command: date}}]\nschedules: {json.dumps([NIGHTLY])}\n{more}\n"
    )
    desired = desired_project(ProjectPaths("rates", tmp_path), "dev", {})
    steps = plan_project(desired, replace(current(desired), schedule_stack=stack), PUSHED, stack_of(desired))
    assert describe_steps(steps)[-2:] == ["write schedule.yml", "stack handoff-dev-rates-schedule"]


def test_a_new_schedule_that_is_over_is_refused_before_anything_changes(make: Callable[[str], DesiredProject]) -> None:
    once = {"name": "once", "at": "2026-01-31T06:00:00"}
    desired = make(f"schedules: {json.dumps([NIGHTLY, once])}")
    found = replace(current(desired), schedule_stack=deployed_stack(desired, NIGHTLY))
    with pytest.raises(ProjectError, match=r"schedule once: at: found `2026-01-31T06:00:00`, which never comes again"):
        plan_project(desired, found, PUSHED, stack_of(desired))
    found = replace(current(desired), schedule_stack=deployed_stack(desired, NIGHTLY, once))
    steps = plan_project(desired, found, PUSHED, stack_of(desired))
    assert steps  # one that is over may stay deployed


def test_the_password_of_the_registry_is_never_told(make: Callable[[], DesiredProject]) -> None:
    desired = make()
    steps = plan_project(desired, current(desired), build(), stack_of(desired))
    push = next(step for step in steps if isinstance(step, RunCommand) and "push" in step.argv)
    assert push.registry == RegistryCredentials(desired.paths.build, ECR, "AWS", "a-password-of-nobody")
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
    steps = plan_project(desired, current(desired), packed, stack_of(desired))
    argv = next(step.argv for step in steps if isinstance(step, RunCommand) and "build" in step.argv)
    at = argv.index("--platform") if "--platform" in argv else len(argv)
    assert argv[at : at + 2] == expected


def test_the_shared_stack(make: Callable[[], DesiredProject]) -> None:
    desired = make()
    steps = plan_shared(desired_shared(ROOT, "dev"), desired, stack_of(desired), ID, {})
    assert describe_steps(steps) == ["write shared.yml", "stack handoff-dev"]
    (stack,) = (step for step in steps if isinstance(step, DeployStack))
    assert (stack.parameters, stack.tags) == (
        {"KeptBucket": ExistingBucket(BUCKET, ID, "handoff-dev")},
        {"handoff:environment": "dev"},
    )


KEEP_IN_FILE = Keep(30, 7, 20)


@pytest.mark.parametrize(
    ("stored", "changed", "expected"),
    [
        pytest.param(Keep(), False, [*STACKS, "files 0", "tag 9", "keep (30, 7, 20)"], id="keep alone changed"),
        pytest.param(
            Keep(), True, [*STACKS, "keep (90, 30, 50)", "files 0", "tag 9", "keep (30, 7, 20)"], id="and more"
        ),
        pytest.param(
            None, False, [*STACKS, "files 0", "tag 9", "keep (30, 7, 20)"], id="stored before there were tags"
        ),
        pytest.param(None, True, [*STACKS, "keep none", "files 0", "tag 9", "keep (30, 7, 20)"], id="and more changed"),
    ],
)
def test_params_get_the_new_keep_once_stored_versions_have_its_tags(
    make: Callable[[str], DesiredProject],
    stored: Keep | None,
    *,
    changed: bool,
    expected: list[str],
) -> None:
    """Whatever is interrupted before, the next deployment plans the same again."""
    desired = make("keep: {runs: 30d, artifacts: 7d, states: 20}")
    document = params_document.with_keep(desired.params_document, stored)
    if changed:
        document = {**document, "pipeline": {**document["pipeline"], "meter": "off"}}
    there = StoredParams(3, params.parse_params(json.dumps(document).encode(), "test"))
    tagging = TagVersions(BUCKET, "handoff-dev-rates/", 9, KEEP_IN_FILE)
    found = replace(current(desired), params=there, tagging=tagging)
    steps = plan_project(desired, found, PUSHED, stack_of(desired))
    pushes = [step for step in steps if isinstance(step, StoreParams)]
    assert [_kept(step) if step in pushes else _word(step) for step in steps] == expected
    assert [step.base for step in pushes] == [3, 4][-len(pushes) :] if changed else [3]


def _kept(push: Any) -> str:
    keep = params.parse_params(json.dumps(push.document).encode(), "test").pipeline.keep
    return f"keep {tuple(keep) if keep else 'none'}"


FILES = [
    {"name": "whole", "value": "ssm:/shop/token:3\n"},
    {"name": "tap.json", "value": '{"a": "ssm:/shop/token", "b": "secretsmanager:db/main#password", "c": "hunter2"}'},
    {"name": "arn", "value": "secretsmanager:arn:aws:secretsmanager:us-east-1:111122223333:secret:x-AbCdEf"},
    {"name": "text", "value": "see ssm:/not/this"},
]
HERE = "${AWS::Region}:${AWS::AccountId}"
GRANTED = [
    {
        "Sid": "Parameters",
        "Effect": "Allow",
        "Action": "ssm:GetParameters",
        "Resource": [{"Sub": f"arn:${{AWS::Partition}}:ssm:{HERE}:parameter/shop/token"}],
    },
    {
        "Sid": "Secrets",
        "Effect": "Allow",
        "Action": "secretsmanager:GetSecretValue",
        "Resource": [
            {"Sub": "arn:aws:secretsmanager:us-east-1:111122223333:secret:x-AbCdEf"},
            {"Sub": "arn:aws:secretsmanager:us-east-1:111122223333:secret:x-AbCdEf-??????"},
            {"Sub": f"arn:${{AWS::Partition}}:secretsmanager:{HERE}:secret:db/main-??????"},
        ],
    },
]


@pytest.mark.parametrize(
    ("stored", "local", "prune", "expected"),
    [
        pytest.param((), FILES, False, GRANTED, id="local ones"),
        pytest.param(FILES, (), False, GRANTED, id="those of a stored file that a clone lacks"),
        pytest.param(FILES, (), True, [], id="a stored file is removed"),
        pytest.param((), (), False, [], id="none"),
    ],
)
def test_the_task_may_read_what_its_config_refers_to(
    make: Callable[[], DesiredProject],
    stored: Any,
    local: Any,
    *,
    prune: bool,
    expected: Any,
) -> None:
    desired = make()
    desired = replace(desired, params_document={**desired.params_document, "files": list(local)})
    document = {**desired.params_document, "files": list(stored)}
    found = replace(current(desired), params=StoredParams(3, params.parse_params(json.dumps(document).encode(), "x")))
    steps = plan_project(desired, found, PUSHED, stack_of(desired), prune=prune)
    (text,) = (step.template for step in steps if isinstance(step, DeployStack) and step.name == "handoff-dev-rates")
    (policy,) = understood(text)["Resources"]["TaskRole"]["Properties"]["Policies"]
    statements = policy["PolicyDocument"]["Statement"]
    assert [each for each in statements if each["Sid"] in ("Parameters", "Secrets")] == expected
    assert "hunter2" not in text


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
    assert desired_project(places[0], "dev", environ).needs_shared is expected


def test_a_project_with_errors_keeps_no_other_from_being_deployed(tmp_path: Path) -> None:
    places = checkout(tmp_path, a="commands: 1\n", b="commands: [{command: date}]\n", c="foo: 1\n")
    desired, errors = desired_projects(places, "dev", {})
    assert [each.paths.name for each in desired] == ["b"]
    assert {name: error.exit_code for name, error in errors.items()} == {"a": 2, "c": 2}
    assert "projects/c/project.yml" in str(errors["c"])


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
        _, errors = desired_projects(checkout(tmp_path, **projects), "dev", environ)
        raise errors["a"]
    assert raised.value.message == message
