"""The arrows between the parts, and what the runtime may import."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections import defaultdict
from dataclasses import is_dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pytest

from handoff_kit import steps
from handoff_kit.steps import Step

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

ROOT = Path(__file__).parents[1]
AWS = sorted((ROOT / "handoff_runtime" / "aws").glob("*.py"))
RUNTIME = sorted({*(ROOT / "handoff_runtime").rglob("*.py")} - {*AWS})
KIT = sorted((ROOT / "handoff_kit").rglob("*.py"))
HEAVY = {"boto3", "botocore", "jinja2", "ruamel", "pydantic", "invoke", "rich"}
SLOW = {"typing", "dataclasses", "pathlib", "logging", "argparse", "subprocess", "contextlib", "threading", "asyncio"}


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


def other(paths: Iterable[Path], allowed: Collection[str], *, at_start_only: bool = False) -> dict[str, set[str]]:
    """What files import beyond what is allowed, by file."""
    found = {named(path): imports(path, at_start_only=at_start_only) - set(allowed) for path in paths}
    return {name: packages for name, packages in found.items() if packages}


def test_the_runtime_imports_the_standard_library_and_itself() -> None:
    assert other(RUNTIME, {*sys.stdlib_module_names, "handoff_runtime", "impl"}) == {}


def test_the_store_in_aws_imports_boto3_too_and_only_when_it_calls() -> None:
    allowed = {*sys.stdlib_module_names, "handoff_runtime"}
    assert other(AWS, {*allowed, "boto3", "botocore"}) == {}
    assert other(AWS, allowed, at_start_only=True) == {}


def test_the_runtime_imports_nothing_slow_at_start() -> None:
    assert other([*RUNTIME, *AWS], {*sys.stdlib_module_names, "handoff_runtime"} - SLOW, at_start_only=True) == {}


def test_tasks_import_nothing_heavy_at_start() -> None:
    tasks = [ROOT / "tasks.py", *(ROOT / "handoff_kit" / "tasks").glob("*.py")]
    allowed = {*sys.stdlib_module_names, "handoff_kit", "handoff_runtime", "invoke"}
    assert other(tasks, allowed, at_start_only=True) == {}


def test_only_tasks_know_the_tasks() -> None:
    others = [path for path in KIT if path.parent.name != "tasks"]
    assert [named(path) for path in others if "handoff_kit.tasks" in path.read_text(encoding="utf-8")] == []


def test_the_runtime_is_lean() -> None:
    """Beyond what every interpreter loads, in a process of its own."""
    program = "import sys; known = set(sys.modules); sys.path.append(sys.argv[1]); import handoff_runtime.run; print(*set(sys.modules) - known)"
    argv = [sys.executable, "-I", "-S", "-c", program, str(ROOT)]
    loaded = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()
    assert "handoff_runtime.supervisor.supervisor" in loaded
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
    values = {steps.ImageTag, steps.StackOutput, steps.ExistingBucket, steps.ApiCall, steps.Entry}
    values |= {steps.ParameterSettings, steps.RegistryCredentials}
    found = {value for value in vars(steps).values() if is_dataclass(value) and value.__module__ == steps.__name__}
    assert found - values == set(get_args(Step))


KIT_LAYERS = (  # from the top; a module imports what is in its own package or in a line below, never beside it
    {"tasks"},
    {"deploy", "run"},
    {"apply"},
    {"image"},
    {"aws", "venvs"},
    {"project"},
    {"scheduling"},
)  # everything else is ground: it imports ground alone
SUPERVISOR_MAY = {"supervisor", "errors", "namedtuple", "pipeline", "log"}


def package_of(path: Path) -> str:
    """The package below handoff_kit or handoff_runtime that a file belongs to, or the module itself."""
    return path.relative_to(ROOT).parts[1].removesuffix(".py")


def imported_packages(path: Path, top: str) -> set[str]:
    """The packages of `top` that a file imports anywhere, those for type checkers included, without its own."""
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
    found = {parts[1] for parts in (name.split(".") for name in names) if parts[0] == top and len(parts) > 1}
    return found & {package_of(each) for each in (ROOT / top).rglob("*.py")} - {package_of(path)}


def layer_of(package: str) -> int:
    """The number of its line in KIT_LAYERS; the ground has the highest."""
    return next((number for number, line in enumerate(KIT_LAYERS) if package in line), len(KIT_LAYERS))


def test_a_package_imports_only_packages_below_it() -> None:
    ground = len(KIT_LAYERS)
    wrong = [
        f"{named(path)} imports {other}"
        for path in KIT
        for other in sorted(imported_packages(path, "handoff_kit"))
        if layer_of(other) <= layer_of(package_of(path)) and not layer_of(other) == layer_of(package_of(path)) == ground
    ]
    assert wrong == []


def test_no_packages_import_each_other_in_a_circle() -> None:
    for top in ("handoff_kit", "handoff_runtime"):
        arrows: dict[str, set[str]] = defaultdict(set)
        for path in (ROOT / top).rglob("*.py"):
            if not path.is_relative_to(OF_USERS):
                arrows[package_of(path)] |= imported_packages(path, top)
        tuple(TopologicalSorter(arrows).static_order())  # raises CycleError, which names the circle


def test_the_supervisor_knows_only_processes() -> None:
    supervisor = (ROOT / "handoff_runtime/supervisor").glob("*.py")
    assert {other for path in supervisor for other in imported_packages(path, "handoff_runtime")} <= SUPERVISOR_MAY


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


def test_only_the_doors_print() -> None:
    files = [path for path in (*RUNTIME, *AWS, *KIT) if not path.is_relative_to(OF_USERS)]
    found = {named(path) for path in files if printing(ast.parse(path.read_text(encoding="utf-8")))}
    assert found - OF_DEVELOPERS <= DOORS
