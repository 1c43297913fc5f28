"""The project file: what it means."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from handoff_kit.project.load import load_project, validate_project
from handoff_kit.project.model import Image, Project, Stage, Venv
from handoff_kit.project.problem import ProjectFileError
from handoff_kit.project.yaml_reader import parse_yaml

if TYPE_CHECKING:
    from pathlib import Path

SHOWN = "projects/foo/project.yml"


def test_whole_file(tmp_path: Path) -> None:
    file = tmp_path / "project.yml"
    file.write_text(
        "description: 1.10\nvars: {base: JPY, n: 0123}\nenvs: {TZ: UTC, V: 1.10}\nstate: singer\nmeter: off\n"
        "venvs: {tap: [tap-jsonl, 'x[y]>=1,<2; python_version < \"4\"']}\n"
        "image: {packages: [jq], exclude: [1.10x], platform: linux/arm64}\n"
        "deploy: {policies: [{Action: 's3:*', Resource: 'arn:aws:s3:::b'}]}\n"
        "schedules: [{cron: 0 2 * * *, data: {base: EUR}}]\n"
        "commands:\n"
        "  - {command: tap-jsonl, args: --config 'a b', venv: tap, envs: {FLAG: yes}}\n"
        "  - {shell: grep foo | sort}\n"
    )
    project = load_project(file, SHOWN)
    assert project.model_dump() == {
        "description": "1.10",
        "vars": {"base": "JPY", "n": "0123"},
        "envs": {"TZ": "UTC", "V": "1.10"},
        "declared": {"tap": ("tap-jsonl", 'x[y]>=1,<2; python_version < "4"')},
        "stages": (
            {
                "command": "tap-jsonl",
                "shell": None,
                "args": ("--config", "a b"),
                "venv": "venv/tap",
                "installs": (),
                "envs": {"FLAG": "yes"},
            },
            {"command": None, "shell": "grep foo | sort", "args": (), "venv": None, "installs": (), "envs": {}},
        ),
        "state": "singer",
        "meter": "off",
        "overlap": "fail",
        "image": {
            "base": "python:3.11-slim",
            "packages": ("jq",),
            "build_packages": (),
            "steps": (),
            "platform": "linux/arm64",
            "store": "aws",
            "services": (),
            "exclude": ("1.10x",),
            "include": (),
        },
        "keep": {"runs": 90, "artifacts": 30, "states": 50},
        "expect": {"success_within": None, "rows_at_least": None},
        "params": {"tier": "standard"},
        "alerts": (),
        "deploy": {
            "cpu": 256,
            "memory": 512,
            "storage": 20,
            "architecture": "arm64",
            "spot": False,
            "log_retention": 90,
            "stop_timeout": 30,
            "tags": {},
            "policies": (
                {"Sid": None, "Effect": "Allow", "Action": ("s3:*",), "Resource": ("arn:aws:s3:::b",), "Condition": {}},
            ),
            "permissions_boundary": None,
            "kms_key": None,
            "exec": False,
            "vpc": None,
            "subnets": (),
            "security_groups": (),
            "public_ip": True,
            "cluster": None,
            "bucket": None,
            "alerts": None,
        },
        "schedules": (
            {
                "name": "default",
                "cron": "0 2 * * *",
                "rate": None,
                "at": None,
                "timezone": "UTC",
                "data": {"base": "EUR"},
                "enabled": True,
                "window": 0,
            },
        ),
    }
    assert project.venvs == (Venv("tap", "venv/tap", ("tap-jsonl", 'x[y]>=1,<2; python_version < "4"')),)


def test_defaults() -> None:
    project = _project("commands: [{command: cat}]")
    assert (project.description, project.vars, project.envs, project.venvs) == ("", {}, {}, ())
    assert (project.state, project.meter, project.stages) == (None, "rows", (Stage(command="cat"),))
    assert project.image == Image(base="python:3.11-slim", store="aws", platform=None)


ORIGINAL = """
commands:
  - command: "tap-exchangeratesapi"
    args: "--config ./.env/config/tap-config.json --state ./.artifacts/state"
    venv: "proc_01"
    installs: ["pip install tap-exchangeratesapi", "python -m pip install 'requests>=2'"]
  - command: "./impl/collector_stats.py"
    venv: "./venv/root"
  - command: "target-csv"
    venv: "./venv/proc_02"
    installs: ["pip3 install target-csv"]
  - command: "other"
    venv: venv/proc_01/
    installs: ["pip install b tap-exchangeratesapi"]
envs:
  - key: TZ
    value: UTC
"""


def test_original_form() -> None:
    project = _project(ORIGINAL)
    assert project.envs == {"TZ": "UTC"}
    assert [stage.venv for stage in project.stages] == [
        "venv/proc_01",
        "venv/root",
        "venv/proc_02",
        "venv/proc_01",
    ]
    assert project.venvs == (
        Venv("proc_01", "venv/proc_01", ("tap-exchangeratesapi", "requests>=2", "b")),
        Venv("proc_02", "venv/proc_02", ("target-csv",)),
    )


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('commands: [{command: "yes"}]', id="quoted yes"),
        pytest.param("commands: [{command: a, args: \"'|' '*.csv' '$X' \\\\;\"}]", id="quoted operators"),
        pytest.param("commands: [{command: a, args: [x | y, '*', $X]}]", id="operators as words"),
        pytest.param("commands:\n- command: a\n  args: foo$ a=b x:y [1] a~ %", id="letters that mean nothing"),
        pytest.param('commands: [{command: "{{ program }}"}]', id="placeholder for a command"),
        pytest.param("commands:\n- command: a\n  args: x{{ b }},{{ c }} {d} '{e,f}' '{\"g\":1}' '~'", id="braces"),
        pytest.param("commands: [{command: a, args: ['{b,c}', '{\"d\": 1}', ~/e]}]", id="braces and ~ as words"),
        pytest.param("vars: {start_at: 2026-01-01}\ncommands: [{command: a}]", id="a var named like a built-in"),
        pytest.param('commands: [{command: a, args: ""}]', id="empty args"),
        pytest.param("commands: [{command: collector_stats, args: []}]", id="built-in with no args"),
        pytest.param("commands: [{command: a, venv: ./.venv}]", id="own venv anywhere inside"),
        pytest.param("commands: [{command: a, venv: ./my/files}]", id="files, but not at the top"),
        pytest.param("venvs: {files: [a]}\ncommands: [{command: a, venv: files}]", id="a venv called files"),
        pytest.param("venvs: {t: [a]}\ncommands: [{command: a, venv: ./my/t}]", id="own venv of a declared name"),
        pytest.param("venvs: {t: [a]}\ncommands: [{command: a, venv: ./venv/t}]", id="declared, but by path"),
        pytest.param("commands:\n  - &a {command: a}\n  - {<<: *a, args: b}", id="anchors"),
    ],
)
def test_good(text: str) -> None:
    assert isinstance(_project(text), Project)


def test_error_says_everything_and_ends_with_2() -> None:
    with pytest.raises(ProjectFileError) as caught:
        _project("comands: []\nstat: all\n")
    assert (str(caught.value), caught.value.exit_code) == (
        (
            f"error: {SHOWN}:1:1: `comands` is not a known key\nhint: did you mean `commands`?\n"
            f"error: {SHOWN}:2:1: `stat` is not a known key\nhint: did you mean `state`?"
        ),
        2,
    )


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ProjectFileError, match="there is no such file"):
        load_project(tmp_path / "project.yml", SHOWN)


def _project(text: str) -> Project:
    return validate_project(parse_yaml(text, SHOWN))
