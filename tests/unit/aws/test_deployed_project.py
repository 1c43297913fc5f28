"""A project by its deployed stack: which bucket and cluster are used, what is noted, and what is an error."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from handoff_kit.aws import session
from handoff_kit.aws.cloudformation.stack import StackDescription
from handoff_kit.aws.ecs.cluster import settings_in_use
from handoff_kit.errors import HandoffError, ProjectError
from handoff_kit.paths import ProjectPaths, UnknownProjectError
from handoff_kit.resource_names import owner_tags

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ACCOUNT, REGION = "123456789012", "eu-central-1"
OWN = f"handoff-dev-{ACCOUNT}-{REGION}"
ARN = f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/"
PROJECT = "commands: [{command: 'true'}]\n"
TYPO = "commands: [{comand: 'true'}]\n"
SHOP = StackDescription(
    "handoff-dev-shop",
    "UPDATE_COMPLETE",
    {"Bucket": "deployed"},
    {
        "TaskDefinition": "t:1",
        "Bucket": "deployed",
        "Cluster": f"{ARN}batch",
        "Subnets": "subnet-1,subnet-2",
        "SecurityGroups": "sg-1",
        "PublicIp": "DISABLED",
        "Spot": "true",
        "StopTimeout": "100",
        "Cpu": "512",
        "Memory": "2048",
    },
    owner_tags("shop", "dev"),
)
FIRST = {name: value for name, value in SHOP.outputs.items() if name in ("TaskDefinition", "Bucket")}
OF_01 = replace(SHOP, outputs=FIRST)
FAILED = replace(SHOP, status="ROLLBACK_COMPLETE", outputs={})
ERRORS = (
    "note: projects/shop/project.yml has errors; using what stack handoff-dev-shop is deployed with\n"
    "hint: see them: invoke check --project shop"
)
IS_DEPLOYED = "project shop is deployed with"
EARLIER = "note: project shop was deployed by an earlier handoff; its cluster is taken to be"


@dataclass
class Stacks:
    """A session that knows some stacks, and no params."""

    stacks: tuple[StackDescription, ...]
    region: str = REGION

    def call(self, service: str, operation: str, **request: Any) -> Any:
        assert (service, operation) == ("cloudformation", "describe_stacks")
        found = [_described(stack) for stack in self.stacks if stack.name == request["StackName"]]
        return {"Stacks": found} if found else None

    def pages(self, *_: str) -> Iterator[Any]:
        yield {"Stacks": [_described(stack) for stack in self.stacks]}

    def account(self) -> str:
        return ACCOUNT


def _described(stack: StackDescription) -> dict[str, Any]:
    def pairs(values: Any, name: str, value: str) -> list[dict[str, str]]:
        return [{name: key, value: text} for key, text in values.items()]

    return {
        "StackName": stack.name,
        "StackStatus": stack.status,
        "Parameters": pairs(stack.parameters, "ParameterKey", "ParameterValue"),
        "Outputs": pairs(stack.outputs, "OutputKey", "OutputValue"),
        "Tags": pairs(stack.tags, "Key", "Value"),
    }


def find(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    text: str | None,
    *stacks: StackDescription,
    name: str = "shop",
    environ: dict[str, str] | None = None,
    required: bool = True,
) -> tuple[session.DeployedProject, Any, list[str]]:
    """The project, its settings, and the notes; without a text it is not in the checkout."""
    for project, content in {"other": PROJECT, **({name: text} if text else {})}.items():
        file = ProjectPaths(project, tmp_path).file
        file.parent.mkdir(parents=True)
        file.write_text(content, encoding="utf-8")
    paths, notes = ProjectPaths(name, tmp_path), list[str]()
    monkeypatch.setattr(session, "open_session", lambda *_: cast("Any", Stacks(stacks)))
    unknown = None if text else UnknownProjectError(paths)
    found = session.find_deployed(paths, "dev", environ or {}, notes.append, unknown, required=required)
    return found, settings_in_use(found, notes.append), notes


@pytest.mark.parametrize(
    ("text", "stack", "expected", "notes"),
    [
        pytest.param(
            f"{PROJECT}deploy: {{cluster: batch}}", SHOP, ("deployed", f"{ARN}batch"), [], id="as it lies here"
        ),
        pytest.param(TYPO, SHOP, ("deployed", f"{ARN}batch"), [ERRORS], id="a typo"),
        pytest.param(": [", SHOP, ("deployed", f"{ARN}batch"), [ERRORS], id="no YAML"),
        pytest.param(
            f"{PROJECT}deploy: {{cluster: {ARN}batch, bucket: edited}}",
            SHOP,
            ("deployed", f"{ARN}batch"),
            [
                f"note: {IS_DEPLOYED} bucket deployed; deploy.bucket in projects/shop/project.yml says edited;"
                " deployed is used"
            ],
            id="an edited bucket",
        ),
        pytest.param(
            f"{PROJECT}deploy: {{cluster: edited}}",
            SHOP,
            ("deployed", f"{ARN}batch"),
            [f"note: {IS_DEPLOYED} cluster batch; projects/shop/project.yml says edited; batch is used"],
            id="an edited cluster",
        ),
        pytest.param(
            PROJECT,
            SHOP,
            ("deployed", f"{ARN}batch"),
            [f"note: {IS_DEPLOYED} cluster batch; projects/shop/project.yml says handoff-dev; batch is used"],
            id="a cluster that is named no more",
        ),
        pytest.param(
            None,
            SHOP,
            ("deployed", f"{ARN}batch"),
            ["note: found no projects/shop/project.yml; using what stack handoff-dev-shop is deployed with"],
            id="not in this checkout",
        ),
        pytest.param(
            f"{PROJECT}deploy: {{cluster: mine}}",
            OF_01,
            ("deployed", "mine"),
            [f"{EARLIER} mine, that of projects/shop/project.yml"],
            id="deployed by 0.1",
        ),
        pytest.param(
            TYPO,
            OF_01,
            ("deployed", None),
            [ERRORS, f"{EARLIER} handoff-dev, the default one"],
            id="deployed by 0.1, and a typo",
        ),
        pytest.param(TYPO, FAILED, ("deployed", None), [ERRORS], id="a failed creation, and a typo"),
        pytest.param(
            f"{PROJECT}deploy: {{bucket: mine, cluster: c}}", FAILED, ("mine", "c"), [], id="a failed creation"
        ),
        pytest.param(f"{PROJECT}deploy: {{bucket: mine, cluster: c}}", None, ("mine", "c"), [], id="not deployed"),
        pytest.param(PROJECT, None, (OWN, None), [], id="not deployed, and nothing named"),
        pytest.param(
            PROJECT, replace(SHOP, tags={}), (OWN, None), [], id="a stack of that name which is not handoff's"
        ),
    ],
)
def test_where_it_lies(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    text: str | None,
    stack: StackDescription | None,
    expected: tuple[str, str | None],
    notes: list[str],
) -> None:
    found, settings, said = find(tmp_path, monkeypatch, text, *([stack] if stack else []))
    assert ((found.target.bucket, settings.cluster), said) == (expected, notes)


def test_all_settings_are_those_of_the_stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, settings, _ = find(tmp_path, monkeypatch, f"{PROJECT}deploy: {{cpu: 4096, memory: 8GB, tags: {{a: b}}}}", SHOP)
    assert settings.model_dump(exclude_defaults=True) == {
        "cluster": f"{ARN}batch",
        "subnets": ("subnet-1", "subnet-2"),
        "security_groups": ("sg-1",),
        "public_ip": False,
        "spot": True,
        "stop_timeout": 100,
        "cpu": 512,
        "memory": 2048,
        "tags": {"a": "b"},
    }


ELSEWHERE = replace(SHOP, name="handoff-dev-shop-2", tags=owner_tags("shop-2", "dev"))
NO_SHOP = "error: found no project 'shop' under projects/, expected one of other\nhint: "


@pytest.mark.parametrize(
    ("text", "stacks", "expected"),
    [
        pytest.param(None, [], f"{NO_SHOP}create it: invoke new --project shop", id="not in this checkout either"),
        pytest.param(None, [ELSEWHERE], f"{NO_SHOP}did you mean: --project shop-2", id="a name like a deployed one"),
        pytest.param(
            None, [replace(SHOP, tags=owner_tags("sh_op", "dev"))], f"{NO_SHOP}create it: invoke new", id="of another"
        ),
        pytest.param(
            PROJECT,
            [replace(SHOP, tags=owner_tags("sh_op", "dev"))],
            "error: stack handoff-dev-shop: found tags (handoff:project sh_op, handoff:environment dev), expected",
            id="a stack of another project",
        ),
        pytest.param(TYPO, [], "error: projects/shop/project.yml:1:13: `comand` is not a known key", id="a typo"),
    ],
)
def test_what_is_neither_deployed_nor_readable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None, stacks: list[StackDescription], expected: str
) -> None:
    with pytest.raises(HandoffError) as error:
        find(tmp_path, monkeypatch, text, *stacks)
    assert str(error.value).startswith(expected)


def test_a_stack_name_of_another_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ProjectError) as error:
        find(tmp_path, monkeypatch, PROJECT, ELSEWHERE, environ={"STACK_NAME": ELSEWHERE.name})
    assert str(error.value) == (
        "error: STACK_NAME: handoff-dev-shop-2 is the stack of project 'shop-2', expected that of 'shop'\n"
        "hint: unset STACK_NAME, or name its project: --project shop-2"
    )


def test_what_is_not_required_has_the_default_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found, settings, notes = find(tmp_path, monkeypatch, None, required=False)
    assert (found.target.bucket, found.stack, settings.cluster) == (OWN, None, None)
    assert notes == ["note: found no projects/shop/project.yml; using the default names of its resources"]


def test_projects_are_deployed_under_their_own_names() -> None:
    stacks = [
        SHOP,
        replace(SHOP, name="handoff-dev-shop-registry"),
        replace(SHOP, name="handoff-dev-a-b-schedule", tags=owner_tags("a_b", "dev")),
        replace(SHOP, name="handoff-prod-late", tags=owner_tags("late", "prod")),
        replace(SHOP, name="handoff-dev", tags={"handoff:environment": "dev"}),
        replace(SHOP, name="handoff-dev-mine", tags=owner_tags("named", "dev")),
    ]
    assert session.deployed_projects(stacks, "dev") == ("a_b", "shop")
