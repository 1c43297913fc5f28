"""The schema and the reference: current, and of one mind with load."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # it ships none
import pytest
from ruamel.yaml import YAML

from handoff_kit.errors import ProjectFileError
from handoff_kit.project import understood
from handoff_kit.reference import BEGIN, END, current, reference
from handoff_kit.schema import as_text, project_schema
from handoff_kit.source import parse

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "project-yml.md"
SAMPLES = sorted([*ROOT.glob("projects/*/project.yml"), *ROOT.glob("handoff_kit/starters/*/project.yml")])


def test_schema_file_is_current() -> None:
    assert (ROOT / "project.schema.json").read_text() == as_text(), "python -m handoff_kit.schema > project.schema.json"


def test_reference_is_current() -> None:
    page = PAGE.read_text()
    assert (page.count(BEGIN), page.count(END)) == (1, 1)
    assert page == current(page), "python -m handoff_kit.reference"


def test_reference_keeps_what_is_around_it() -> None:
    assert current(f"a\n{BEGIN}old{END}\nb") == f"a\n{BEGIN}\n\n{reference()}\n{END}\nb"


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
        understood(parse(text, "project.yml"))
    except ProjectFileError:
        return False
    return True


def _as_editors_read(text: str) -> Any:
    return _with_text_keys(YAML(typ="safe", pure=True).load(text))


def _with_text_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _with_text_keys(item) for key, item in value.items()}
    return [_with_text_keys(item) for item in value] if isinstance(value, list) else value
