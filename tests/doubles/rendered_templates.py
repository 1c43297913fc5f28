"""Templates as tests need them: a checkout to render from, a template read again, and what linters say of one."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cfnlint.api  # type: ignore[import-untyped]  # it has no types
import pytest
from cfnlint.core import get_rules  # type: ignore[import-untyped]
from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[2]
GOLDENS = ROOT / "tests/golden/templates"
CHECKOV = "checkov==3.3.30"  # in an environment of its own: it wants a certain boto3
REGIONS = ("eu-central-1", "ap-southeast-2")


def made(root: Path, projects: Mapping[str, str]) -> Path:
    """A checkout with our templates and these projects; each text is added to a pipeline of one stage."""
    for name, text in projects.items():
        (root / "projects" / name).mkdir(parents=True)
        (root / "projects" / name / "project.yml").write_text(f"commands: [{{command: a}}]\n{text}\n", encoding="utf-8")
    shutil.copytree(ROOT / "templates", root / "templates")
    return root


def golden(name: str, text: str) -> str:
    """What was written down; UPDATE_GOLDENS=1 writes it anew."""
    if os.environ.get("UPDATE_GOLDENS"):
        GOLDENS.mkdir(parents=True, exist_ok=True)
        (GOLDENS / name).write_text(text, encoding="utf-8")
    return (GOLDENS / name).read_text(encoding="utf-8")


class Tagged(SafeConstructor):
    """Reads `!Sub x` as {"Sub": x}."""

    def tagged(self, suffix: str, node: Any) -> dict[str, Any]:
        return {suffix: node.value if isinstance(node.value, str) else self.construct_sequence(node, deep=True)}


Tagged.add_multi_constructor("!", Tagged.tagged)


def understood(text: str) -> dict[str, Any]:
    """A template as data."""
    yaml = YAML(typ="safe", pure=True)
    yaml.Constructor = Tagged
    loaded: dict[str, Any] = yaml.load(text)
    return loaded


@functools.cache
def lint_rules() -> Any:
    """Every rule of cfn-lint, its mere advice included."""
    return get_rules([], [], ["I"])


def lint(text: str) -> list[str]:
    """What cfn-lint finds."""
    found = cfnlint.api.lint(text, lint_rules(), list(REGIONS))
    return [f"{match.linenumber}: {match.rule.id} {match.message}" for match in found]


def checkov(directory: Path) -> dict[str, list[tuple[str, str, str]]]:
    """What checkov says of the templates in a directory: which checks failed and which were skipped, where."""
    uv = os.environ.get("UV") or shutil.which("uv")
    if uv is None:
        pytest.skip("there is no program `uv`, which brings checkov: pip install uv")
    run = (uv, "run", "--quiet", "--isolated", "--no-project", "--with", CHECKOV)
    words = ("--framework", "cloudformation", "--skip-download", "--output", "json", "--directory", ".")
    kept = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    argv = (*run, "checkov", *words)
    found = subprocess.run(argv, capture_output=True, text=True, cwd=directory, env=kept, check=False)
    assert found.stdout, found.stderr
    results = json.loads(found.stdout)["results"]
    return {kind: sorted(map(_check, results[kind])) for kind in ("failed_checks", "skipped_checks", "parsing_errors")}


def _check(found: Any) -> tuple[str, str, str]:
    if isinstance(found, str):  # a file that could not be read
        return found, "", ""
    return found["file_path"].lstrip("/"), found["resource"].rpartition(".")[2], found["check_id"]
