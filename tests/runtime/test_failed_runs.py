"""The metric filters of a task's log, against what real runs write: failed ones are counted, and no others."""

from __future__ import annotations

import fnmatch
import json
import re
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from doubles.checkout import make_checkout
from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor

from handoff_kit.deploy import templates
from handoff_kit.project.model import Project as ProjectFile

if TYPE_CHECKING:
    from collections.abc import Callable

    from doubles.runtime_project import Project
    from doubles.stack_fixture import Stack

    Matches = Callable[[Any], bool]

pytestmark = pytest.mark.takes(40)


ROOT = Path(__file__).parents[2]
JSON_LOG = {"LOG_FORMAT": "json"}
# CloudWatch Logs User Guide, "Supported regular expressions (regex) syntax"
REGEX_CHARACTERS = r"[A-Za-z0-9:_#=@/;,^$?\[\]{}|\\*+.-]+"
TOKEN = re.compile(r'\s*(\(|\)|&&|\|\||\$\.\w+|=|"[^"]*")')


class Untagged(SafeConstructor):
    """Reads a template without asking what `!Ref x` stands for."""

    def untagged(self, _suffix: str, node: Any) -> Any:
        return str(node.value)


Untagged.add_multi_constructor("!", Untagged.untagged)


@pytest.fixture(scope="module")
def filters() -> list[str]:
    """The patterns of the template; what any of them matches counts as a failed run."""
    yaml = YAML(typ="safe", pure=True)
    yaml.Constructor = Untagged
    loaded = ProjectFile.model_validate({"commands": [{"command": "a"}]})
    resources = yaml.load(templates.render_task_template(ROOT, "sample", loaded, "handoff-dev-sample", "dev"))[
        "Resources"
    ]
    found = [each["Properties"] for each in resources.values() if each["Type"] == "AWS::Logs::MetricFilter"]
    return [each["FilterPattern"] for each in found]


# a small evaluator of filter patterns: of JSON (=, &&, ||, parentheses, `*`), and of regular expressions


def matching(patterns: list[str], log: str) -> list[str]:
    """The lines that are counted."""
    return [line for line in log.splitlines() if any(_matches(pattern, line) for pattern in patterns)]


def _matches(pattern: str, line: str) -> bool:
    if pattern.startswith("%"):
        regex = pattern.strip("%")
        assert re.fullmatch(REGEX_CHARACTERS, regex), f"CloudWatch would refuse {regex}"
        return bool(re.search(regex, line))
    tokens = TOKEN.findall(pattern.strip()[1:-1])
    assert "".join(tokens) == re.sub(r'\s+(?=(?:[^"]*"[^"]*")*[^"]*$)', "", pattern.strip()[1:-1]), pattern
    try:
        found = json.loads(line)
    except ValueError:
        return False
    matches = _either(tokens)
    assert tokens == []
    return isinstance(found, dict) and matches(found)


def _either(tokens: list[str]) -> Matches:
    parts = [_both(tokens)]
    while tokens[:1] == ["||"]:
        tokens.pop(0)
        parts.append(_both(tokens))
    return lambda found: any(part(found) for part in parts)


def _both(tokens: list[str]) -> Matches:
    parts = [_one(tokens)]
    while tokens[:1] == ["&&"]:
        tokens.pop(0)
        parts.append(_one(tokens))
    return lambda found: all(part(found) for part in parts)


def _one(tokens: list[str]) -> Matches:
    first = tokens.pop(0)
    if first == "(":
        inner = _either(tokens)
        assert tokens.pop(0) == ")"
        return inner
    assert tokens.pop(0) == "="
    name, value = first.removeprefix("$."), tokens.pop(0).strip('"')
    glob = re.sub(r"[\[?]", lambda match: f"[{match[0]}]", value)
    return lambda found: fnmatch.fnmatchcase(str(found.get(name, "")), glob)


# what runs write


@pytest.mark.parametrize(
    ("stages", "counted"),
    [
        pytest.param(["echo a", "cat"], [], id="succeeds"),
        pytest.param(["echo 'failed after 3 s' >&2", "cat"], [], id="succeeds, and speaks of failure"),
        pytest.param(["echo 'error: not so bad' >&2", "cat"], [], id="succeeds, and speaks of an error"),
        pytest.param(["echo a", "exit 3"], ["failed after N s: stage exit ended with exit 3"], id="fails"),
        pytest.param(["kill -9 $$"], ["failed after N s: stage kill was ended by SIGKILL (out of memory?)"], id="dies"),
        pytest.param([["/no/such"]], ["failed after N s: *"], id="cannot start"),
        pytest.param(
            ["rm .artifacts/run.json; mkdir .artifacts/run.json"],
            ["*; the record of this run is lost", "failed after N s: *"],
            id="no record",
        ),
    ],
)
def test_a_run_that_began(project: Project, filters: list[str], stages: list[Any], counted: list[str]) -> None:
    running = project.params(*stages).start("run", env=JSON_LOG)
    _, stderr = running.process.communicate(timeout=60)
    found = [json.loads(line)["message"] for line in matching(filters, stderr.decode())]
    result = [re.sub(r"\d+\.\d s", "N s", message) for message in found]
    assert len(result) == len(counted), stderr
    assert all(fnmatch.fnmatchcase(one, pattern) for one, pattern in zip(result, counted, strict=True)), result
    assert bool(counted) == bool(running.process.returncode)


@pytest.mark.parametrize(
    ("words", "counted"),
    [
        pytest.param(["run", "-d", "no json"], 1, id="its data is wrong"),
        pytest.param(["no_such_function"], 1, id="its command is unknown"),
        pytest.param(["show_commands"], 0, id="it only shows"),
    ],
)
def test_a_run_that_never_began(project: Project, filters: list[str], words: list[str], counted: int) -> None:
    done = project.params("echo a").run(*words, env=JSON_LOG)
    assert (len(matching(filters, done.stderr)), done.exit != 0) == (counted, bool(counted)), done.stderr


def test_a_run_without_params(stack: Stack, filters: list[str]) -> None:
    done = stack.run(env=JSON_LOG)
    (line,) = matching(filters, done.stderr)
    assert line.startswith(f"error: parameter {stack.moto_bucket.stack}__params: no such parameter found")


def test_a_run_that_was_stopped(project: Project, filters: list[str]) -> None:
    """By a person, or with a spot instance, which is then started again."""
    running = project.params("touch begun; sleep 60").start("run", env={**JSON_LOG, "STOP_TIMEOUT": "4"})
    running.wait_for("begun")
    running.send(signal.SIGTERM)
    done = running.finish()
    assert (done.exit, matching(filters, done.stderr)) == (143, [])
    assert "stopped after" in done.stderr


def test_a_run_that_has_a_bug(project: Project, filters: list[str]) -> None:
    """A traceback is in plain words, and one line of it is counted."""
    python = (
        "python3",
        "-c",
        "import handoff_runtime.run as r; r.run = None\nimport runpy; runpy.run_module('handoff_runtime', run_name='__main__', alter_sys=True)",
    )
    done = project.params("echo a").run("run", env={**JSON_LOG, "PYTHONPATH": str(ROOT)}, python=python)
    assert matching(filters, done.stderr) == ["Traceback (most recent call last):"]
    assert done.exit != 0


def test_a_stage_cannot_speak_as_the_runtime(tmp_path: Path, filters: list[str]) -> None:
    """Its name follows from its command, but the runtime's own is reserved."""
    checkout = make_checkout(tmp_path / "team", tmp_path / "compiled")
    script = "#!/bin/sh\necho 'failed after 1.0 s: all is lost' >&2\n"
    directory = checkout.project(
        "shop", "commands: [{command: ./handoff}, {shell: 'handoff() { cat; }; handoff'}]\n", {"handoff": script}
    )
    (directory / "handoff").chmod(0o755)
    result = checkout.invoke("run-local", "--log-format", "json")
    assert (result.exit, matching(filters, result.stderr)) == (0, [])
    said = [json.loads(line) for line in result.stderr.splitlines()]
    assert [line["stage"] for line in said if line["message"].startswith("failed after")] == ["handoff-2"]
