"""The arrows between the parts, and what the runtime may import."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from dataclasses import is_dataclass
from pathlib import Path
from typing import get_args

import pytest

from handoff_kit import steps
from handoff_kit.steps import Step

ROOT = Path(__file__).parents[1]
RUNTIME = sorted((ROOT / "handoff_runtime").glob("*.py"))
AWS = sorted((ROOT / "handoff_runtime" / "aws").glob("*.py"))
KIT = sorted((ROOT / "handoff_kit").rglob("*.py"))
HEAVY = {"boto3", "botocore", "jinja2", "ruamel", "pydantic", "invoke", "rich"}
SLOW = {"typing", "dataclasses", "pathlib", "logging", "argparse", "subprocess", "contextlib", "threading", "asyncio"}
ALLOWED_BASES = {"BaseModel", "Protocol", "View", "NamedTuple", "tuple", "type", "HandoffError", "Exception"}
LIBRARY_HOOKS = {"GenerateJsonSchema", "Console"}  # how pydantic and rich are told otherwise
OWN_ERRORS = {"ProjectError", "HandoffError"}


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imports(path: Path, *, at_start_only: bool = False) -> set[str]:
    """The top packages a file imports; with `at_start_only` those it imports when it is imported."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = at_start(tree.body) if at_start_only else list(ast.walk(tree))
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


def at_start(body: list[ast.stmt]) -> list[ast.stmt]:
    """Statements that run on import: not those in functions, nor those for type checkers only."""
    for_checkers = [node for node in body if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)]
    return [node for node in body if node not in for_checkers]


@pytest.mark.parametrize("path", RUNTIME, ids=named)
def test_runtime_imports_the_standard_library_and_itself(path: Path) -> None:
    assert imports(path) - set(sys.stdlib_module_names) <= {"handoff_runtime", "impl"}


@pytest.mark.parametrize("path", AWS, ids=named)
def test_the_store_in_aws_imports_boto3_too_and_only_when_it_calls(path: Path) -> None:
    assert imports(path) - set(sys.stdlib_module_names) <= {"handoff_runtime", "boto3", "botocore"}
    assert imports(path, at_start_only=True) & {"boto3", "botocore"} == set()


@pytest.mark.parametrize("path", [*RUNTIME, *AWS], ids=named)
def test_runtime_imports_nothing_slow_at_start(path: Path) -> None:
    assert imports(path, at_start_only=True) & SLOW == set()


@pytest.mark.parametrize("path", [ROOT / "tasks.py", *(ROOT / "handoff_kit" / "tasks").glob("*.py")], ids=named)
def test_tasks_import_nothing_heavy_at_start(path: Path) -> None:
    assert imports(path, at_start_only=True) & (HEAVY - {"invoke"}) == set()


def test_only_tasks_know_the_tasks() -> None:
    others = [path for path in KIT if path.parent.name != "tasks"]
    assert [named(path) for path in others if "handoff_kit.tasks" in path.read_text(encoding="utf-8")] == []


def test_the_runtime_is_lean() -> None:
    """Beyond what every interpreter loads, in a process of its own."""
    program = "import sys; known = set(sys.modules); sys.path.append(sys.argv[1]); import handoff_runtime.run; print(*set(sys.modules) - known)"
    argv = [sys.executable, "-I", "-S", "-c", program, str(ROOT)]
    loaded = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()
    assert "handoff_runtime.execute" in loaded
    assert {name.split(".")[0] for name in loaded} & (
        HEAVY | SLOW | {"ctypes", "datetime", "ast", "shutil", "tempfile"}
    ) == set()


def test_a_run_loads_no_package_of_others(tmp_path: Path) -> None:
    stages = [{"name": "echo", "argv": ["echo", "x"]}, {"name": "cat", "argv": ["cat"]}]
    pipeline = {"format": 1, "project": "foo", "stages": stages}
    (tmp_path / "params.json").write_text(
        json.dumps({"format": 1, "pipeline": pipeline, "files": []}), encoding="utf-8"
    )
    program = """
import os, sys
from handoff_runtime.__main__ import main
code = main(["run", "--params", "params.json"], os.environ)
print(code, *sorted({name.split(".")[0] for name in sys.modules}))
"""
    argv = [sys.executable, "-c", program]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=True)
    code, *modules = done.stdout.split()
    assert (code, HEAVY & set(modules)) == ("0", set())


def test_every_kind_of_step_is_in_one_union() -> None:
    """And so described and performed by the one executor, whose matches mypy finds complete."""
    values = {steps.ImageTag, steps.ExistingBucket, steps.ApiCall, steps.Conflict}
    found = {value for value in vars(steps).values() if is_dataclass(value) and value.__module__ == steps.__name__}
    assert found - values == set(get_args(Step))


@pytest.mark.parametrize("path", [*RUNTIME, *AWS, *KIT], ids=named)
def test_few_classes_inherit(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    bases = {ast.unparse(base).partition("[")[0] for node in classes for base in node.bases}
    assert bases <= ALLOWED_BASES | OWN_ERRORS | LIBRARY_HOOKS


DOORS = {  # where something is printed; each filters it with handoff_runtime/terminal.py
    "handoff_kit/console.py",
    "handoff_kit/live.py",
    "handoff_runtime/__main__.py",
    "handoff_runtime/log.py",
}
OF_DEVELOPERS = {"handoff_kit/project/schema.py", "handoff_kit/project/reference.py"}
OF_USERS = ROOT / "handoff_kit" / "starters"
PRINTING = {"print", "Console", "Text", "secho", "echo"}
STREAMS = {"sys.stdout", "sys.stderr", "sys.__stdout__", "sys.__stderr__"}
STANDARD = {"1", "2", "STDOUT", "STDERR"}


def printing(tree: ast.AST) -> set[str]:
    """What in a module prints: calls, and standard streams, unless they are only asked whether they are a terminal."""
    nodes = list(ast.walk(tree))
    asked = {id(node.value) for node in nodes if isinstance(node, ast.Attribute) and node.attr == "isatty"}
    streams = [node for node in nodes if isinstance(node, ast.Attribute) and id(node) not in asked]
    found = {ast.unparse(node) for node in streams} & STREAMS
    for node in nodes:
        if isinstance(node, ast.Call):
            name, first = ast.unparse(node.func), ast.unparse(node.args[0]) if node.args else ""
            if name.rpartition(".")[2] in PRINTING:
                found.add(name)
            if name in {"os.write", "open", "os.fdopen", "io.open"} and first in STANDARD:
                found.add(f"{name}({first})")
    return found


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("print(1)", {"print"}),
        ("sys.stdout.write(x)", {"sys.stdout"}),
        ("x = y or sys.stderr", {"sys.stderr"}),
        ("os.write(STDERR, b'')", {"os.write(STDERR)"}),
        ("rich.console.Console()", {"rich.console.Console"}),
        ("Text(name)", {"Text"}),
        ("sys.stderr.isatty()", set()),
        ("os.write(fd, b'')", set()),
    ],
)
def test_what_prints_is_recognised(code: str, expected: set[str]) -> None:
    assert printing(ast.parse(code)) == expected


@pytest.mark.parametrize("path", [*RUNTIME, *AWS, *KIT], ids=named)
def test_only_the_doors_print(path: Path) -> None:
    if path.is_relative_to(OF_USERS) or named(path) in OF_DEVELOPERS:
        return
    found = printing(ast.parse(path.read_text(encoding="utf-8")))
    assert found == set() or named(path) in DOORS
