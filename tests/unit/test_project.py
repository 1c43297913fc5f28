"""The project file: what it means, and everything that can be wrong with it."""

from __future__ import annotations

import random
import re
import shlex
from typing import TYPE_CHECKING

import pytest

from handoff_kit.errors import ProjectFileError
from handoff_kit.project import Project, Stage, Venv, load, placeholders, split, understood
from handoff_kit.source import parse

if TYPE_CHECKING:
    from pathlib import Path

SHOWN = "projects/foo/project.yml"


def test_whole_file(tmp_path: Path) -> None:
    file = tmp_path / "project.yml"
    file.write_text(
        "description: 1.10\nvars: {base: JPY, n: 0123}\nenvs: {TZ: UTC, V: 1.10}\nstate: singer\nmeter: off\n"
        "venvs: {tap: [tap-jsonl, 'x[y]>=1,<2; python_version < \"4\"']}\n"
        "commands:\n"
        "  - {command: tap-jsonl, args: --config 'a b', venv: tap, envs: {FLAG: yes}}\n"
        "  - {shell: grep foo | sort}\n"
    )
    project = load(file, SHOWN)
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
    }
    assert project.venvs == (Venv("tap", "venv/tap", ("tap-jsonl", 'x[y]>=1,<2; python_version < "4"')),)


def test_defaults() -> None:
    project = _project("commands: [{command: cat}]")
    assert (project.description, project.vars, project.envs, project.venvs) == ("", {}, {}, ())
    assert (project.state, project.meter, project.stages) == ("all", "rows", (Stage(command="cat"),))


ORIGINAL = """
commands:
  - command: "tap-exchangeratesapi"
    args: "--config ./.env/config/tap-config.json --state ./.artifacts/state"
    venv: "./venv/proc_01"
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
        pytest.param("commands:\n- command: a\n  args: foo$ a=b x:y [1] ~ %", id="letters that mean nothing"),
        pytest.param('commands: [{command: "{{ program }}"}]', id="placeholder for a command"),
        pytest.param("vars: {start_at: 2026-01-01}\ncommands: [{command: a}]", id="a var named like a built-in"),
        pytest.param('commands: [{command: a, args: ""}]', id="empty args"),
        pytest.param("commands: [{command: collector_stats, args: []}]", id="built-in with no args"),
        pytest.param("commands: [{command: a, venv: ./.venv}]", id="own venv anywhere inside"),
        pytest.param("venvs: {t: [a]}\ncommands: [{command: a, venv: ./venv/t}]", id="declared, but by path"),
        pytest.param("commands:\n  - &a {command: a}\n  - {<<: *a, args: b}", id="anchors"),
    ],
)
def test_good(text: str) -> None:
    assert isinstance(_project(text), Project)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        pytest.param("", (), id="nothing"),
        pytest.param("  a  b ", ("a", "b"), id="blanks"),
        pytest.param("'a b' \"c d\" e\\ f", ("a b", "c d", "e f"), id="quotes"),
        pytest.param("a'b'\"c\"d", ("abcd",), id="joined"),
        pytest.param("'' \"\"", ("", ""), id="empty words"),
        pytest.param("{{ a }} x{{ b }}y", ("{{ a }}", "x{{ b }}y"), id="placeholders stay whole"),
        pytest.param("'{{ a }} b'", ("{{ a }} b",), id="placeholder in quotes"),
        pytest.param("{{ a b }} {x}", ("{{", "a", "b", "}}", "{x}"), id="other braces are letters"),
        pytest.param('"a\\"b\\\\c\\$"', ('a"b\\c\\$',), id="escapes"),
        pytest.param("a # b", ("a", "#", "b"), id="no comments"),
    ],
)
def test_split(line: str, words: tuple[str, ...]) -> None:
    assert (split(line).words, split(line).open_quote) == (words, None)


def test_split_is_what_a_posix_shell_does() -> None:
    chance = random.Random(2)  # noqa: S311  # any texts will do
    for _ in range(3000):
        line = "".join(chance.choices("ab '\"\\|>*#$\n\t{}", k=chance.randrange(12)))
        try:
            expected = shlex.split(line)
        except ValueError:
            assert split(line).open_quote, repr(line)
        else:
            assert (list(split(line).words), split(line).open_quote) == (expected, None), repr(line)


def test_placeholders() -> None:
    project = _project(
        'envs: {A: "{{ a }}{{b}}"}\n'
        "commands:\n"
        "  - {command: x, args: '{{ a }} {{ a }} {{ a b }}', envs: {B: '{{ c }}'}}\n"
        "  - {shell: 'echo {{ d }}'}\n"
    )
    assert placeholders(project) == (
        ("a", "envs.A"),
        ("b", "envs.A"),
        ("a", "commands 1: args"),
        ("c", "commands 1: envs.B"),
        ("d", "commands 2: shell"),
    )


SHELL_INSTEAD = "write shell: in place of command and args, or quote it to mean the character itself: "


@pytest.mark.parametrize(
    ("args", "column", "found", "hint"),
    [
        pytest.param("a | b", 13, "|", f"{SHELL_INSTEAD}'|'", id="pipe"),
        pytest.param("a > b", 13, ">", f"{SHELL_INSTEAD}'>'", id="redirection"),
        pytest.param("a >> b", 13, ">>", f"{SHELL_INSTEAD}'>>'", id="appending"),
        pytest.param("a < b", 13, "<", f"{SHELL_INSTEAD}'<'", id="input"),
        pytest.param("a 2>&1", 14, ">&1", f"{SHELL_INSTEAD}'>&1'", id="joined outputs"),
        pytest.param("a && b", 13, "&&", f"{SHELL_INSTEAD}'&&'", id="and"),
        pytest.param("a || b", 13, "||", f"{SHELL_INSTEAD}'||'", id="or"),
        pytest.param("a; b", 12, ";", f"{SHELL_INSTEAD}';'", id="sequence"),
        pytest.param("a &", 13, "&", f"{SHELL_INSTEAD}'&'", id="background"),
        pytest.param("*.csv x", 11, "*", f"{SHELL_INSTEAD}'*'", id="star"),
        pytest.param("a?", 12, "?", f"{SHELL_INSTEAD}'?'", id="question mark"),
        pytest.param("$(ls a)", 11, "$(ls a)", f"{SHELL_INSTEAD}'$(ls a)'", id="substitution"),
        pytest.param("x `ls a`", 13, "`ls a`", f"{SHELL_INSTEAD}'`ls a`'", id="backticks"),
        pytest.param(
            "a $X",
            13,
            "$X",
            "{{ X }} is filled from data, vars or envs; for the shell's own, write shell: in place of command and args",
            id="variable",
        ),
        pytest.param(
            "a/${X}/b",
            13,
            "${X}",
            "{{ X }} is filled from data, vars or envs; for the shell's own, write shell: in place of command and args",
            id="variable in braces",
        ),
        pytest.param("'|' | b", 15, "|", f"{SHELL_INSTEAD}'|'", id="after a quoted one"),
    ],
)
def test_operators(args: str, column: int, found: str, hint: str) -> None:
    text = f"commands:\n- command: x\n  args: >-\n          {args}"
    message = f"found an unquoted {found} in `args`, which means nothing without a shell"
    assert _told(text) == [f"error: {SHOWN}:4:{column}: {message}\nhint: {hint}"]


def test_every_operator_of_a_line() -> None:
    found = _first_lines("commands:\n  - command: a\n    args: x | y > z '|' *\n")
    assert [line.split(":")[2:4] for line in found] == [["3", "13"], ["3", "17"], ["3", "25"]]


REFUSED = [
    pytest.param(
        "comands:\n  - command: cat\n", ["1:1: `comands` is not a known key | did you mean `commands`?"], id="comands"
    ),
    pytest.param(
        "commands:\n  - comand: cat\n    vnev: x\n",
        [
            "2:5: `comand` is not a known key of stage 1 | did you mean `command`?",
            "3:5: `vnev` is not a known key of stage 1 | did you mean `venv`?",
        ],
        id="misspelt in a stage",
    ),
    pytest.param(
        "schedule: daily\ncommands: [{command: a, state: all}]\nargs: b\n",
        [
            "1:1: `schedule` is not a known key | known here: description, vars, envs, venvs, commands, state, meter",
            "2:25: `state` is not a known key of stage 1 | `state` belongs to the whole project, at the left margin",
            "3:1: `args` is not a known key | `args` belongs to a stage, under commands; or did you mean `vars`?",
        ],
        id="unknown and misplaced",
    ),
    pytest.param(
        "commands: []",
        [
            (
                "1:11: `commands` is an empty list, expected at least one stage | "
                'write it like this: commands: [{command: echo, args: "hello"}]'
            )
        ],
        id="empty commands",
    ),
    pytest.param(
        "description: a",
        [
            (
                "1:1: there is no `commands`, expected the stages of the pipeline | "
                'write it like this: commands: [{command: echo, args: "hello"}]'
            )
        ],
        id="no commands",
    ),
    pytest.param(
        "commands:\nvars: {a: }",
        [
            (
                "1:1: `commands` has no value, expected a list of stages | "
                'write a value, or take the line out; for an empty text write two quotes: ""'
            ),
            (
                "2:8: `a` has no value, expected a text | "
                'write a value, or take the line out; for an empty text write two quotes: ""'
            ),
        ],
        id="nulls",
    ),
    pytest.param(
        "commands: cat | wc",
        [
            (
                "1:11: `commands` is `cat | wc`, expected a list of stages | "
                'begin every stage with a dash: - command: cat; a line for the shell is - shell: "..."'
            )
        ],
        id="commands as text",
    ),
    pytest.param(
        "commands: [cat]",
        ["1:12: stage 1 is `cat`, expected a stage, a mapping | write it like this: - command: cat"],
        id="stage as text",
    ),
    pytest.param(
        "description: [a]\nstate: sinegr\nmeter: [rows]\nvenvs: {a: b}\ncommands: [{command: [a], args: {a: b}}]",
        [
            "1:14: `description` is a list, expected a text | put it into quotes",
            "2:8: `state` is `sinegr`, expected all or singer | did you mean `singer`?",
            "3:8: `meter` is a list, expected rows, bytes or off | leave it out to count rows",
            "4:12: `a` is `b`, expected a list of requirements | write it like this: venvs: {tap: [tap-jsonl]}",
            "5:22: `command` is a list, expected the program to run | write it like this: - command: cat",
            (
                "5:33: `args` is a mapping, expected a text or a list of words | "
                'write it like this: args: "--config tap.json"'
            ),
        ],
        id="wrong types",
    ),
    pytest.param(
        "commands:\n- command: yes\n- command: True\n- command: 7\n- shell: on\n",
        [
            (
                "2:12: `command` is a boolean, yes; expected the program to run | "
                'if it really is called so, put it into quotes: command: "yes"'
            ),
            (
                "3:12: `command` is a boolean, True; expected the program to run | "
                'if it really is called so, put it into quotes: command: "True"'
            ),
            (
                "4:12: `command` is a number, 7; expected the program to run | "
                'if it really is called so, put it into quotes: command: "7"'
            ),
            (
                "5:10: `shell` is a boolean, on; expected a line for the shell | "
                'write the line itself: shell: "grep foo | sort", in place of command'
            ),
        ],
        id="booleans and numbers",
    ),
    pytest.param(
        "commands:\n- command: ''\n- shell: ' '\n",
        [
            "2:12: `command` is empty, expected the program to run | write it like this: - command: cat",
            '3:10: `shell` is empty, expected a line for the shell | write it like this: - shell: "grep foo | sort"',
        ],
        id="empty texts",
    ),
    pytest.param(
        "commands:\n- {command: a, shell: b}\n- {shell: a, args: b}\n- {}\n- {command: collector_stats, args: x}\n",
        [
            (
                "2:16: found both `command` and `shell`, expected one of them | "
                "keep shell for a line with pipes or redirections, command for one program"
            ),
            "3:14: found `args` beside `shell`, which takes none | write them into the shell line",
            "4:3: stage 3 has neither `command` nor `shell`, expected one of them | write it like this: - command: cat",
            "5:30: `collector_stats` is built in and takes no args | take the line out",
        ],
        id="command, shell, args",
    ),
    pytest.param(
        'commands:\n  - command: "tap-salesforce"\n  - venv: ./venv/proc_01\n  - args: "--config a"\n',
        [
            (
                "3:5: stage 2 has neither `command` nor `shell`, expected one of them | "
                "the dash begins a new stage; write `venv:` without it, under the command above"
            ),
            (
                "4:5: stage 3 has neither `command` nor `shell`, expected one of them | "
                "the dash begins a new stage; write `args:` without it, under the command above"
            ),
        ],
        id="one stage in three items",
    ),
    pytest.param(
        "commands:\n- command: cat foo\n- command: cat foo | wc\n",
        [
            (
                "2:12: `command` is more than one word: cat foo; expected one program | "
                'put the rest into args: command: cat, args: "foo"'
            ),
            (
                "3:12: `command` holds a shell's signs: cat foo | wc; expected one program | "
                'write it as a line for the shell: - shell: "cat foo | wc"'
            ),
        ],
        id="blanks in a command",
    ),
    pytest.param(
        "commands:\n- command: a\n  args: it's\n- command: a\n  args: b \\\n- command: a\n  args: [b, [c]]\n",
        [
            (
                "3:11: the quote ' in `args` is never closed, expected whole words | "
                'close it, or write the word as an item: args: ["..."]'
            ),
            "5:11: a backslash ends `args`, expected whole words | put it into quotes",
            "7:13: item 2 of `args` is a list, expected one word | put it into quotes",
        ],
        id="args",
    ),
    pytest.param(
        "vars: {a-b: 1, 2x: 3}\nenvs: {A=B: c}\ncommands: [{command: a}]",
        [
            (
                "1:8: `a-b` is not a placeholder's name, expected letters, digits and _, not beginning with a digit | "
                "for example: a_b"
            ),
            (
                "1:16: `2x` is not a placeholder's name, expected letters, digits and _, not beginning with a digit | "
                "for example: base_2"
            ),
            (
                "2:8: `A=B` is not an environment variable's name, expected letters, digits and _, "
                "not beginning with a digit | for example: A_B"
            ),
        ],
        id="names",
    ),
    pytest.param(
        "commands: [{command: a}]\n"
        "envs:\n- {key: A, value: 1}\n- {key: A, value: 2}\n- {kye: x, value: y}\n- TZ: UTC\n- {key: x}\n- foo\n",
        [
            "4:9: `A` is given a second time, the first is on line 3 | keep one of the two",
            "5:4: `kye` is not a known key of item 3 of `envs` | did you mean `key`?",
            "6:3: `TZ` is not a known key of item 4 of `envs` | write it like this: - {key: TZ, value: ...}",
            (
                "7:3: item 5 of `envs` has no `value`, expected both key and value | "
                "write it like this: - {key: TZ, value: UTC}"
            ),
            "8:3: item 6 of `envs` is `foo`, expected a key and a value | write it like this: - {key: TZ, value: UTC}",
        ],
        id="envs as a list",
    ),
    pytest.param(
        "venvs:\n  -t: [a]\n  e: []\n  r: [x y, -r a.txt, '', 7]\ncommands: [{command: a}]\n",
        [
            (
                "2:3: `-t` is not a venv's name, expected letters, digits, _, . and - | "
                "for example: venvs: {tap: [tap-jsonl]}"
            ),
            "3:6: `e` is an empty list, expected requirements | name at least one requirement, or take this venv out",
            (
                "4:7: `x y` is not a requirement, expected a package as pip writes it | "
                'for example: tap-jsonl, or "tap-jsonl>=1.2,<2"'
            ),
            (
                "4:12: found the pip option -r a.txt, expected a requirement | "
                "name packages only: tap-jsonl, or tap-jsonl>=1.2"
            ),
            (
                "4:22: `` is not a requirement, expected a package as pip writes it | "
                'for example: tap-jsonl, or "tap-jsonl>=1.2,<2"'
            ),
            (
                "4:26: item 4 of `r` is a number, 7; expected a requirement | "
                'if it really is called so, put it into quotes: "7"'
            ),
        ],
        id="venvs",
    ),
    pytest.param(
        "venvs: {tap: [a], target: [b]}\ncommands:\n- {command: a, venv: tpa}\n- {command: a, venv: xyz}\n",
        [
            "3:22: the venv `tpa` is not declared, expected one of tap, target, or a path | did you mean `tap`?",
            (
                "4:22: the venv `xyz` is not declared, expected one of tap, target, or a path | "
                "declare it at the left margin: venvs: {xyz: [PACKAGE]}; or name your own: ./venv/xyz"
            ),
        ],
        id="undeclared venv",
    ),
    pytest.param(
        "commands:\n- {command: a, venv: ../x}\n- {command: a, venv: /opt/x}\n- {command: a, venv: ~/x}\n"
        "- {command: a, venv: './a b/x'}\n",
        [
            "2:22: `venv` is ../x, expected a path inside the project | for example: venv: ./venv/x",
            "3:22: `venv` is /opt/x, expected a path inside the project | for example: venv: ./venv/x",
            "4:22: `venv` is ~/x, expected a path inside the project | for example: venv: ./venv/x",
            "5:22: `venv` is ./a b/x, expected a path of letters, digits, _, . and - | for example: venv: ./venv/tap",
        ],
        id="venv outside",
    ),
    pytest.param(
        "venvs: {t: [x]}\ncommands:\n"
        "- {command: a, installs: [pip install x]}\n"
        "- {command: a, venv: ./venv/t, installs: [pip install x]}\n"
        "- {command: a, venv: ./venv/u, installs: [pip install -U x, npm i x, pip install, pip install 'x y z!']}\n"
        "- {command: a, venv: ./other/u, installs: [pip install x]}\n"
        "- {command: a, venv: ./venv/v, installs: pip install x}\n",
        [
            (
                "3:16: `installs` stands without `venv`, expected the venv to install into | "
                "name the venv on this stage too: venv: ./venv/proc_01"
            ),
            (
                "4:32: `installs` and `venvs` both say what goes into venv/t, expected one of them | "
                "move the packages to venvs: t: [...]"
            ),
            (
                "5:43: found the pip option -U, expected only packages after pip install | "
                "declare the venv at the left margin: venvs: {tap: [tap-jsonl]}; its lock pins versions"
            ),
            (
                "5:61: `npm i x` installs nothing we know, expected pip install and packages | "
                "for example: pip install tap-jsonl"
            ),
            (
                "5:70: `pip install` installs nothing we know, expected pip install and packages | "
                "for example: pip install tap-jsonl"
            ),
            (
                "5:83: `x y z!` is not a requirement, expected a package as pip writes it | "
                'for example: tap-jsonl, or "tap-jsonl>=1.2,<2"'
            ),
            (
                "6:22: other/u and venv/u would both be the venv `u`, expected different names | "
                "for example: venv: other/u_2"
            ),
            (
                "7:42: `installs` is `pip install x`, expected a list of pip install lines | "
                'write it like this: installs: ["pip install tap-jsonl"]'
            ),
        ],
        id="installs",
    ),
    pytest.param(
        'commands:\n- command: a\n  args: ["b\\0"]\n',
        ["3:10: item 1 of `args` holds the character U+0000, which no program can be given | take the escape out"],
        id="NUL",
    ),
    pytest.param(
        "commands:\n- command: {{ a }}\n  args: {{ b }}\n  command: c\n  args: !x d\n",
        [
            (
                "2:12: a value begins with {{ and has no quotes, which YAML reads as a mapping | "
                'put the whole value into quotes: "{{ name }} ..."'
            ),
            (
                "3:9: a value begins with {{ and has no quotes, which YAML reads as a mapping | "
                'put the whole value into quotes: "{{ name }} ..."'
            ),
            "4:3: `command` is given a second time, the first is on line 2 | keep one of the two",
            "5:3: `args` is given a second time, the first is on line 3 | keep one of the two",
        ],
        id="what reading found",
    ),
]


@pytest.mark.parametrize(("text", "told"), REFUSED)
def test_refused(text: str, told: list[str]) -> None:
    assert [problem.replace("\nhint: ", " | ") for problem in _told(text)] == [
        f"error: {SHOWN}:{line}" for line in told
    ]


@pytest.mark.parametrize("text", [case.values[0] for case in REFUSED])
def test_never_in_the_words_of_a_library(text: object) -> None:
    told = "\n".join(_told(str(text))).lower()
    assert not re.search(r"pydantic|input should|validation|tuple|dict\b|\bstr\b", told)


def test_any_shape_is_refused_without_a_crash() -> None:
    keys = ["description", "vars", "envs", "venvs", "commands", "state", "meter", "x"]
    inner = ["command", "shell", "args", "venv", "installs", "envs", "x"]
    values = ["", "a", "7", "yes", "[]", "{}", "[a]", "[[a]]", "{a: b}", "{a: [b]}", "[{a: b}]", "[null]", "{1: }"]
    chance = random.Random(3)  # noqa: S311  # any shapes will do
    for _ in range(400):
        stage = ", ".join(f"{key}: {chance.choice(values)}" for key in chance.sample(inner, 3))
        lines = [f"{key}: {chance.choice([*values, f'[{{{stage}}}]'])}" for key in chance.sample(keys, 4)]
        try:
            understood(parse("\n".join(lines), SHOWN))
        except ProjectFileError as error:
            assert error.problems  # noqa: PT017  # a file that is right by chance is fine too


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
        load(tmp_path / "project.yml", SHOWN)


def _project(text: str) -> Project:
    return understood(parse(text, SHOWN))


def _told(text: str) -> list[str]:
    with pytest.raises(ProjectFileError) as caught:
        _project(text)
    return [str(problem) for problem in caught.value.problems]


def _first_lines(text: str) -> list[str]:
    return [problem.splitlines()[0] for problem in _told(text)]
