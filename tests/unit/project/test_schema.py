"""The schema and the reference: current, and of one mind with load."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # it ships none
import pytest
from ruamel.yaml import YAML

from handoff_kit.project.load import validate_project
from handoff_kit.project.problem import ProjectFileError
from handoff_kit.project.reference import BEGIN, END, reference, update_page
from handoff_kit.project.schema import project_schema, schema_text
from handoff_kit.project.yaml_reader import parse_yaml

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "reference" / "project-file.md"
SAMPLES = sorted([*ROOT.glob("projects/*/project.yml"), *ROOT.glob("handoff_kit/starters/*/project.yml")])


def test_schema_file_is_current() -> None:
    assert (ROOT / "project.schema.json").read_text() == schema_text(), (
        "python -m handoff_kit.project.schema > project.schema.json"
    )


def test_reference_is_current() -> None:
    page = PAGE.read_text()
    assert (page.count(BEGIN), page.count(END)) == (1, 1)
    assert page == update_page(page), "python -m handoff_kit.project.reference"


def test_reference_keeps_what_is_around_it() -> None:
    assert update_page(f"a\n{BEGIN}old{END}\nb") == f"a\n{BEGIN}\n\n{reference()}\n{END}\nb"


def test_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(project_schema())


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: str(path.parent.name))
def test_samples(sample: Path) -> None:
    assert _verdicts(sample.read_text()) == (True, True)


def _examples() -> list[str]:
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE.read_text().partition(BEGIN)[0], re.DOTALL)
    return [block for block in blocks if "commands:" in block]


@pytest.mark.parametrize("example", [pytest.param(block, id=f"example {n}") for n, block in enumerate(_examples())])
def test_examples_of_the_docs(example: str) -> None:
    assert _verdicts(example) == (True, True)


def test_the_first_singer_example_of_the_docs_is_the_sample_that_runs() -> None:
    first = next(parse_yaml(example, "page").data for example in _examples() if "venvs:" in example)
    sample = (ROOT / "projects" / "elements" / "project.yml").read_text()
    assert first == parse_yaml(sample, "project.yml").data


@pytest.mark.parametrize(
    ("text", "good"),
    [
        pytest.param("commands: [{command: a, args: 7}]", True, id="a number for args"),
        pytest.param("commands: [{command: a, args: [b, 1.5, true]}]", True, id="scalars in args"),
        pytest.param("commands: [{command: a}]\nenvs: {TZ: 7, B: true}", True, id="scalars in envs"),
        pytest.param("commands: [{command: a}]\nenvs: [{key: TZ, value: 7}]", True, id="envs as a list"),
        pytest.param("commands: [{shell: a | b, envs: {A: b}}]", True, id="shell"),
        pytest.param("commands: [{command: a, venv: ./venv/b, installs: [pip install c]}]", True, id="installs"),
        pytest.param("commands: []", False, id="empty commands"),
        pytest.param("description: a", False, id="no commands"),
        pytest.param("commands: [{command: true}]", False, id="a boolean for a command"),
        pytest.param("commands: [{command: 7}]", False, id="a number for a command"),
        pytest.param("commands: [{command: a, shell: b}]", False, id="both"),
        pytest.param("commands: [{venv: ./venv/a}]", False, id="neither"),
        pytest.param("commands: [{shell: a, args: b}]", False, id="args beside shell"),
        pytest.param("commands: [{command: a, installs: [pip install c]}]", False, id="installs without venv"),
        pytest.param("commands: [{comand: a}]", False, id="misspelt"),
        pytest.param("commands: [{command: }]", False, id="null"),
        pytest.param("commands: [{command: a}]\nenvs: {A=B: c}", False, id="bad env name"),
        pytest.param("commands: [{command: a}]\nvars: {a-b: c}", False, id="bad var name"),
        pytest.param("commands: [{command: a}]\nvenvs: {-a: [c]}", False, id="bad venv name"),
        pytest.param("commands: [{command: a}]\nvenvs: {a: []}", False, id="empty venv"),
        pytest.param("commands: [{command: a}]\nvenvs: {a: [7]}", False, id="a number for a requirement"),
        pytest.param("commands: [{command: a}]\nstate: some", False, id="bad state"),
        pytest.param("commands: [{command: a}]\nimage: {base: python, packages: [jq=1.6*]}", True, id="image"),
        pytest.param("commands: [{command: a}]\nimage: python", False, id="a text for an image"),
        pytest.param("commands: [{command: a}]\nimage: {bas: python}", False, id="misspelt in image"),
        pytest.param("commands: [{command: a}]\nimage: {base: FROM x}", False, id="bad base"),
        pytest.param("commands: [{command: a}]\nimage: {base: a//b}", False, id="a base without a part"),
        pytest.param("commands: [{command: a}]\nimage: {base: 3.12}", False, id="a number for a base"),
        pytest.param("commands: [{command: a}]\nimage: {packages: [Git]}", False, id="bad package"),
        pytest.param("commands: [{command: a}]\nimage: {build_packages: [jq-]}", False, id="a package to remove"),
        pytest.param("commands: [{command: a}]\nimage: {packages: jq}", False, id="a text for packages"),
        pytest.param("commands: [{command: a}]\nimage: {services: [S3]}", False, id="bad service"),
        pytest.param("commands: [{command: a}]\nimage: {exclude: [7]}", False, id="a number for a pattern"),
        pytest.param("commands: [{command: a}]\nimage: {steps: ['']}", False, id="empty step"),
        pytest.param("commands: [{command: a}]\nimage: {platform: arm64}", False, id="bad platform"),
        pytest.param("commands: [{command: a}]\nimage: {store: s3}", False, id="bad store"),
        pytest.param("commands: [{command: a, venv: 3}]\nvenvs: {3: [b]}", False, id="a number for a venv"),
        pytest.param(
            "commands: [{command: a}]\ndeploy: {cpu: 1024, memory: 2GB, storage: 20, spot: true, stop_timeout: 2}",
            True,
            id="deploy",
        ),
        pytest.param(
            "commands: [{command: a}]\ndeploy: {memory: 1024, log_retention: forever, public_ip: off, architecture: arm64}",
            True,
            id="words in deploy",
        ),
        pytest.param("commands: [{command: a}]\ndeploy: {cpu: 300}", False, id="a cpu that is none"),
        pytest.param("commands: [{command: a}]\ndeploy: {cpu: 0.25}", False, id="a part of a cpu"),
        pytest.param("commands: [{command: a}]\ndeploy: {memory: 300}", False, id="a memory that is none"),
        pytest.param("commands: [{command: a}]\ndeploy: {memory: 2 pints}", False, id="another unit"),
        pytest.param("commands: [{command: a}]\ndeploy: {storage: 201}", False, id="too much storage"),
        pytest.param("commands: [{command: a}]\ndeploy: {stop_timeout: 1}", False, id="too short a timeout"),
        pytest.param("commands: [{command: a}]\ndeploy: {log_retention: 8}", False, id="a retention that is none"),
        pytest.param("commands: [{command: a}]\ndeploy: {log_retention: 8d}", False, id="days that are none"),
        pytest.param("commands: [{command: a}]\ndeploy: {spot: maybe}", False, id="a bad flag"),
        pytest.param("commands: [{command: a}]\ndeploy: {architecture: amd64}", False, id="bad architecture"),
        pytest.param("commands: [{command: a}]\ndeploy: {tags: {a: 7, b: true}}", True, id="tags"),
        pytest.param("commands: [{command: a}]\ndeploy: {tags: [a]}", False, id="a list of tags"),
        pytest.param(
            "commands: [{command: a}]\ndeploy: {policies: ['arn:aws:iam::aws:policy/a', {Action: 'a:b', Resource: '*'}]}",
            True,
            id="policies",
        ),
        pytest.param(
            "commands: [{command: a}]\ndeploy: {policies: [{Action: ['a:b'], Resource: ['*'], Effect: Deny, Sid: A, Condition: {Bool: {'aws:x': true}}}]}",
            True,
            id="a statement",
        ),
        pytest.param("commands: [{command: a}]\ndeploy: {policies: [a]}", False, id="a bad ARN"),
        pytest.param(
            "commands: [{command: a}]\ndeploy: {policies: [{Action: 'a:b'}]}", False, id="a statement of nothing"
        ),
        pytest.param(
            "commands: [{command: a}]\ndeploy: {policies: [{Action: [], Resource: '*'}]}", False, id="no action"
        ),
        pytest.param(
            "commands: [{command: a}]\ndeploy: {policies: [{action: 'a:b', Resource: '*'}]}", False, id="a small action"
        ),
        pytest.param(
            "commands: [{command: a}]\ndeploy: {policies: [{Action: a, Resource: '*'}]}", False, id="bad action"
        ),
        pytest.param(
            "commands: [{command: a}]\ndeploy: {policies: [{Action: 'a:b', Resource: b}]}", False, id="bad resource"
        ),
        pytest.param(
            "commands: [{command: a}]\ndeploy: {vpc: vpc-0a1b2c3d, subnets: [subnet-0a1b2c3d]}", True, id="a VPC"
        ),
        pytest.param("commands: [{command: a}]\ndeploy: {vpc: a}", False, id="bad VPC"),
        pytest.param("commands: [{command: a}]\ndeploy: {vpc: vpc-0a1b2c3d, subnets: []}", False, id="no subnets"),
        pytest.param("commands: [{command: a}]\ndeploy: {security_groups: [sg-1]}", False, id="bad security group"),
        pytest.param("commands: [{command: a}]\ndeploy: {bucket: A}", False, id="bad bucket"),
        pytest.param("commands: [{command: a}]\ndeploy: {cluster: a b}", False, id="bad cluster"),
        pytest.param("commands: [{command: a}]\ndeploy: {alerts: a}", False, id="bad topic"),
        pytest.param("commands: [{command: a}]\nschedules: [{cron: 0 2 * * *}]", True, id="cron"),
        pytest.param(
            "commands: [{command: a}]\nschedules: [{name: a, rate: 5 minutes, window: 5, enabled: no, data: {a: 7}}]",
            True,
            id="rate",
        ),
        pytest.param("commands: [{command: a}]\nschedules: [{at: '2027-01-31T06:00:00'}]", True, id="at"),
        pytest.param("commands: [{command: a}]\nschedules: []", True, id="no schedules"),
        pytest.param("commands: [{command: a}]\nschedules: [{}]", False, id="no time"),
        pytest.param("commands: [{command: a}]\nschedules: [{cron: 0 2 * * *, rate: 1 hour}]", False, id="two times"),
        pytest.param("commands: [{command: a}]\nschedules: [{cron: ''}]", False, id="an empty cron"),
        pytest.param("commands: [{command: a}]\nschedules: [{cron: 7}]", False, id="a number for a cron"),
        pytest.param(
            "commands: [{command: a}]\nschedules: [{rate: 1 hour, name: a b}]", False, id="bad name of a schedule"
        ),
        pytest.param("commands: [{command: a}]\nschedules: [{rate: 1 hour, window: 1441}]", False, id="bad window"),
        pytest.param(
            "commands: [{command: a}]\nschedules: [{rate: 1 hour, data: {a-b: c}}]", False, id="bad name in data"
        ),
        pytest.param("commands: [{command: a}]\nschedules: [{rate: 1 hour, timezone: ''}]", False, id="empty timezone"),
        pytest.param("commands: [{command: a}]\nschedules: {rate: 1 hour}", False, id="a mapping for schedules"),
        pytest.param("commands: [{command: a}]\nschedules: [1 hour]", False, id="a text for a schedule"),
    ],
)
def test_schema_and_load_agree(text: str, good: bool) -> None:  # noqa: FBT001
    assert _verdicts(text) == (good, good)


def _verdicts(text: str) -> tuple[bool, bool]:
    """What load says of a text, and what an editor with the schema says."""
    document = _as_editors_read(text)
    return _loads(text), jsonschema.Draft202012Validator(project_schema()).is_valid(document)


def _loads(text: str) -> bool:
    try:
        validate_project(parse_yaml(text, "project.yml"))
    except ProjectFileError:
        return False
    return True


def _as_editors_read(text: str) -> Any:
    return _with_text_keys(YAML(typ="safe", pure=True).load(text))


def _with_text_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _with_text_keys(item) for key, item in value.items()}
    return [_with_text_keys(item) for item in value] if isinstance(value, list) else value
