"""What `check` notes in a valid project: each note with its place, and what must not be noted."""

from __future__ import annotations

import random
import re
import textwrap
from typing import TYPE_CHECKING

import pytest

from handoff_kit.paths import ProjectPaths
from handoff_kit.project import notes, params_document
from handoff_kit.project.load import load_project

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

QUOTES = "put the whole value into quotes; or write a blank after the # of a comment"
RETYPE = "type it again on the keyboard"
STATS = "did you mean `collector_stats`?"
NEEDS = 'name what it needs: {Action: "s3:GetObject", Resource: "arn:aws:s3:::BUCKET/*"}'
EVERYTHING = "allows the task everything in the account"
TO_CONFIG = 'write it into a file of projects/shop/.local, as {"NAME": "ssm:/path"}'
AT_THE_TOP = "write ssm:/path or secretsmanager:name#key, without placeholders, at the top of the JSON object"
VALUE_ITSELF = "write the value itself; placeholders are filled in commands, args, shell lines and envs"
NO_JSON = "correct it; for another format, choose a name that does not end in .json"
FILE = "projects/shop/project.yml"
LOCAL = "projects/shop/.local"


def notes_of(directory: Path, text: str, files: Mapping[str, str]) -> list[str]:
    """The notes on a project, each as `PLACE: MESSAGE | HINT`."""
    paths = ProjectPaths("shop", directory)
    for name, content in {"project.yml": textwrap.dedent(text), **files}.items():
        path = paths.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    project = load_project(paths.file, paths.display_path)
    document = params_document.params_document(paths, project, "dev")
    found = notes.find_notes(paths, project, document, {"PATH": ""})
    return [str(note).removeprefix("error: ").replace("\nhint: ", " | ") for note in found]


STAGE = "commands: [{command: a}]\n"
DAYS = "1, 3, 7, 14, 30, 60, 90, 180, 365, 730, 1825, 3650, 9999"
FILLED = "{{ MY_TOKEN }} is filled from data or vars; a secret belongs into a file of .local"


@pytest.mark.parametrize(
    ("text", "files", "expected"),
    [
        pytest.param(
            f"keep: {{runs: 45d, artifacts: 30d, states: 30}}\n{STAGE}",
            {},
            [
                f"{FILE}:1:14: the bucket has no rule for `runs`: 45, and takes the next one, 60 | its rules: {DAYS}",
                f"{FILE}:1:43: the bucket has no rule for `states`: 30, and takes the next one, 50 | "
                "its rules: 5, 10, 20, 50, 100",
            ],
            id="keep between two rules",
        ),
        pytest.param(
            "commands:\n- command: a\n  args: --color #fff --more\nvars:\n  channel: to #ops\n",
            {},
            [
                f'{FILE}:3:9: YAML takes "#fff --more" for a comment, so `args` ends before it | {QUOTES}',
                f'{FILE}:5:12: YAML takes "#ops" for a comment, so `channel` ends before it | {QUOTES}',
            ],
            id="cut at #",
        ),
        pytest.param(
            'envs: {TOKEN: "${MY_TOKEN}", PATH: "/a:$MY_TOKEN"}\n'
            'commands: [{command: a, envs: [{key: B, value: "${MY_TOKEN:-c}"}]}]\n'
            'schedules: [{rate: 1 day, data: {d: "$MY_TOKEN/e"}}]',
            {},
            [
                f"{FILE}:1:15: `TOKEN` holds ${{MY_TOKEN}}, which no shell fills | {FILLED}",
                f"{FILE}:1:36: `PATH` holds $MY_TOKEN, which no shell fills | {FILLED}",
                f"{FILE}:2:48: `value` holds ${{MY_TOKEN:-c}}, which no shell fills | {FILLED}",
                f"{FILE}:3:37: `d` holds $MY_TOKEN, which no shell fills | {FILLED}",
            ],
            id="variables of a shell",
        ),
        pytest.param(
            f"vars: {{start_offset_days: -7, duration_days: 7}}\n{STAGE}",
            {},
            [
                f"{FILE}:1:8: `start_offset_days` in `vars` moves no time window; only data do | "
                'give it to a run: --var start_offset_days=-7; or to a schedule: data: {start_offset_days: "-7"}',
                f"{FILE}:1:31: `duration_days` in `vars` moves no time window; only data do | "
                'give it to a run: --var duration_days=7; or to a schedule: data: {duration_days: "7"}',
            ],
            id="a time window in vars",
        ),
        pytest.param(
            "commands: [{command: a, args: '{{ x }} {{ y }}'}]\nvars: {y: 1}\n"
            "schedules: [{rate: 1 day}, {name: b, rate: 1 day, data: {x: 1}}, {name: c, rate: 1 day, enabled: no}]",
            {},
            [
                f"{FILE}:3:13: schedule 1 gives no value for {{{{ x }}}}, so its runs fail at once | "
                'add data: {x: "..."}; or a default for all runs: vars'
            ],
            id="a placeholder that a schedule leaves open",
        ),
        pytest.param(
            'commands:\n- command: a\n  args: ["\u2014state", "\u00a0x"]\n- shell: a \u2013b\nenvs: {A: "b\u200b"}',
            {},
            [
                f"{FILE}:3:11: found U+2014 (em dash) in `args`, which looks like a dash and is none | {RETYPE}",
                f"{FILE}:3:21: found U+00A0 (no-break space) in `args`, which looks like a blank and is none | {RETYPE}",
                f"{FILE}:4:12: found U+2013 (en dash) in `shell`, which looks like a dash and is none | "
                f"{RETYPE}, or put it into quotes to mean it",
                f"{FILE}:5:11: `A` begins or ends with U+200B, which cannot be seen | type the value again",
            ],
            id="characters that look like others",
        ),
        pytest.param(
            "commands: [{command: colector_stats}, {command: bin/collector-stats}]",
            {},
            [
                f"{FILE}:1:22: found no program colector_stats in the project, its venv or on PATH | {STATS}",
                f"{FILE}:1:49: found no program bin/collector-stats in the project, its venv or on PATH | {STATS}",
            ],
            id="collector_stats misspelt",
        ),
        pytest.param(
            "commands:\n- command: a\n  args: --config=.env/config/tab.json -c ./.env/files/b.csv\n"
            "- shell: cat < .env/config/c",
            {".local/tap.json": "{}"},
            [
                f"{FILE}:3:18: `args` names .env/config/tab.json, but there is no {LOCAL}/tab.json | "
                "did you mean `.env/config/tap.json`?",
                f"{FILE}:3:42: `args` names ./.env/files/b.csv, but there is no projects/shop/files/b.csv | "
                "create it: projects/shop/files/b.csv",
                f"{FILE}:4:16: `shell` names .env/config/c, but there is no {LOCAL}/c | "
                f"create it: {LOCAL}/c; or fetch the stored one: invoke params.pull --project shop",
            ],
            id="config that is nowhere",
        ),
        pytest.param(
            f"""{STAGE}deploy:
  policies:
    - {{Action: "*", Resource: "*"}}
    - arn:aws:iam::aws:policy/AdministratorAccess
    - arn:aws-eusc:iam::aws:policy/IAMFullAccess
    - arn:aws:iam::123456789012:policy/AdministratorAccess
""",
            {},
            [
                f"{FILE}:4:7: this statement {EVERYTHING} | {NEEDS}",
                f"{FILE}:5:7: this policy {EVERYTHING} | {NEEDS}",
                f"{FILE}:6:7: this policy allows the task to give itself every permission | {NEEDS}",
            ],
            id="policies that allow everything",
        ),
        pytest.param(
            f'{STAGE}alerts: ["secretsmanager:a", "https://hooks.slack.com/services/x", "mailto:a@b.de"]',
            {},
            [
                f"{FILE}:2:30: item 2 of `alerts` is readable by everyone who has the repository, and lets them post messages | "
                "store the URL in a secret, and name that: secretsmanager:NAME, or ssm:/NAME"
            ],
            id="the URL of a webhook",
        ),
        pytest.param(
            'envs: {X: "ssm:/a"}\nvars: {y: "ssm:/x/{{ environment }}/y"}\n'
            'commands: [{command: a, args: ["secretsmanager:a#b"]}]',
            {},
            [
                f"{FILE}:1:11: `X` is the text ssm:/a: secrets are filled in config only | {TO_CONFIG}",
                f"{FILE}:2:11: `y` is the text ssm:/x/{{{{ environment }}}}/y: secrets are filled in config only | {TO_CONFIG}",
                f"{FILE}:3:32: item 1 of `args` is the text secretsmanager:a#b: secrets are filled in config only | {TO_CONFIG}",
            ],
            id="references outside of config",
        ),
        pytest.param(
            f"vars: {{token: x}}\n{STAGE}",
            {
                ".local/a.json": '{"a": 1,}',
                ".local/b/c.JSON": "",
                ".local/d.json": '{\n "e": "ssm:/x/{{ environment }}/y",\n "f": {"g": "ssm:/a"},\n "h": "{{ token }}"\n}',
            },
            [
                f"{LOCAL}/a.json:1:9: this is no JSON: expecting property name enclosed in double quotes | {NO_JSON}",
                f"{LOCAL}/b/c.JSON:1:1: this is no JSON: expecting value | {NO_JSON}",
                f"{LOCAL}/d.json:2:7: ssm:/x/{{{{ environment }}}}/y stays a text, which is no secret's name | {AT_THE_TOP}",
                f"{LOCAL}/d.json:3:13: ssm:/a stays a text, which is no secret's name | {AT_THE_TOP}",
                f"{LOCAL}/d.json:4:7: {{{{ token }}}} stays a text: nothing fills placeholders in config | {VALUE_ITSELF}",
            ],
            id="config",
        ),
    ],
)
def test_noted(tmp_path: Path, text: str, files: Mapping[str, str], expected: list[str]) -> None:
    assert notes_of(tmp_path, text, files) == expected


def test_a_document_too_large_for_aws_is_noted(tmp_path: Path) -> None:
    value = random.Random(1).randbytes(9000).hex()
    (note,) = notes_of(tmp_path, f"{STAGE}params: {{tier: advanced}}", {".local/a": value})
    assert re.sub("[0-9,]+(?= bytes when)", "N", note) == (
        "projects/shop: too much for a run on AWS: params: N bytes when compressed, expected at most 8,192; "
        "the largest file is .local/a (18,000 bytes) | put what is not secret into files/"
    )


@pytest.mark.parametrize(
    ("text", "files"),
    [
        pytest.param(
            "commands:\n- command: a # all\n  args: --count  #counts\n- shell: 'a #b' #c\nenvs: {A: b} #d\n"
            "meter: rows #e",
            {},
            id="comments",
        ),
        pytest.param(
            'envs: {A: "pa$word", B: "5$", C: "$5", D: "$", E: "{{ today }}"}\nvars: {f: "$HOME"}\n'
            'commands: [{shell: "ls {{ f }}"}]',
            {},
            id="dollar signs",
        ),
        pytest.param(
            "vars: {start_offset_days: -7, start_at: 2026-01-01}\n"
            "commands: [{command: a, args: '{{ start_offset_days }} {{ run_id }}'}]\nschedules: [{rate: 1 day}]",
            {},
            id="a window's name for a placeholder",
        ),
        pytest.param(
            "envs: {A: 10\u00a0km, B: \u201ccited\u201d, C: \u2014}\ndescription: \u2014a\ncommands:\n- command: a\n"
            '  args: ["a \u2013 b", "don\u2019t", "10\u00a0km"]\n- shell: |\n    # \u201ccited\u201d\n'
            "    echo '\u2014a' don\u2019t a \u2013 b\n- shell: |\n    cat <<END\n    \u201ccited\u201d\n    END\n",
            {},
            id="typography in texts",
        ),
        pytest.param(
            "commands: [{command: collector_stats}, {command: ./impl/collector_stats.py}, {command: collect-stats, venv: v},"
            " {command: scripts/colector_stats}, {command: collect}]\nvenvs: {v: [a]}",
            {"venv/v/bin/collect-stats": "", "scripts/colector_stats": ""},
            id="programs that exist",
        ),
        pytest.param(
            "commands:\n- command: a\n  args: --config .env/config/a.json .env/config/{{ run_id }}.json .env/files /x/.env/config/b\n"
            "- shell: cat .env/config/c/*.json .env/config/d*; jq . > .env/config/e; cat .env/config/e\n",
            {".local/a.json": "{}"},
            id="config that is there, or made",
        ),
        pytest.param(
            f"""{STAGE}deploy:
  policies:
    - {{Action: "s3:*", Resource: "*"}}
    - {{Action: "*", Resource: "arn:aws:s3:::a"}}
    - {{Action: "*", Resource: "*", Effect: Deny}}
    - {{Action: "*", Resource: "*", Condition: {{StringEquals: {{"aws:RequestedRegion": eu-central-1}}}}}}
""",
            {},
            id="policies with a limit",
        ),
        pytest.param(
            "envs: {A: 'ssm', B: 'ssm: a', C: 'see ssm:/a'}\ncommands: [{command: a, args: get ssm:/a}]",
            {
                ".local/a.json": '{"a": "ssm:/a", "b": "{{ unknown }}", "c": 1}',
                ".local/b.json": "ssm:/a\n",
                ".local/c.json": '{"a": 1}\n{"a": 2}\n',
                ".local/d.yml": "a: [",
                ".local/e.json": "[" * 5000 + "]" * 5000,
                ".local/f.json": "9" * 5000,
            },
            id="config that is right",
        ),
    ],
)
def test_not_noted(tmp_path: Path, text: str, files: Mapping[str, str]) -> None:
    assert notes_of(tmp_path, text, files) == []
