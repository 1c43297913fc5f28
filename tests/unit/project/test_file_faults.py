"""Everything that can be wrong with a project file: expected with its place, in plain words."""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING

import pytest
from doubles.project_text import problems_of, problems_of_file

from handoff_kit.project.model import PROJECT_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handoff_kit.project.fields import Declaration
    from handoff_kit.project.yaml_reader import KeyPath

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
        pytest.param("a ~/b", 13, "~", f"{SHELL_INSTEAD}'~'", id="home"),
        pytest.param(
            "a {b,c}.csv",
            13,
            "{b,c}",
            "write the words one by one, or quote it to mean the characters themselves: '{b,c}'",
            id="braces",
        ),
        pytest.param("'|' | b", 15, "|", f"{SHELL_INSTEAD}'|'", id="after a quoted one"),
    ],
)
def test_operators(args: str, column: int, found: str, hint: str) -> None:
    text = f"commands:\n- command: x\n  args: >-\n          {args}"
    message = f"found an unquoted {found} in `args`, which means nothing without a shell"
    assert problems_of_file(text) == [f"4:{column}: {message} | {hint}"]


KEEPS_A_BLANK = "the backslash at this line's end puts a blank into a word of"


@pytest.mark.parametrize(
    ("stage", "problems"),
    [
        pytest.param("command: x\n  args: |\n    a \\\n    --b\n", [], id="literal"),
        pytest.param('command: x\n  args: "a \\\n    --b"\n', [], id="double quotes"),
        pytest.param("command: x\n  args: a\\ b \\\\ c\n", [], id="inside a line"),
        pytest.param(
            "command: x\n  args: >\n    a \\\n    --b\n", ["4:7", "take it out: YAML joins these lines"], id="folded"
        ),
        pytest.param(
            "command: x\n  args: a \\\n    --b\n", ["3:11", "take it out: YAML joins these lines"], id="plain"
        ),
        pytest.param(
            "command: x\n  args: 'a \\\n    --b'\n", ["3:12", "take it out: YAML joins these lines"], id="quotes"
        ),
        pytest.param("command: x\n  args: |\n    a \\ \n    --b\n", ["4:7", "take out the blank after it"], id="blank"),
        pytest.param("shell: |\n    a \\\n    --b\n", [], id="literal shell"),
        pytest.param(
            "shell: >\n    a \\\n    --b\n", ["3:7", "take it out: YAML joins these lines"], id="folded shell"
        ),
        pytest.param("shell: |\n    a \\ \n    --b\n", ["3:7", "take out the blank after it"], id="blank in shell"),
    ],
)
def test_backslashes_at_line_ends(stage: str, problems: list[str]) -> None:
    key = "shell" if stage.startswith("shell") else "args"
    expected = [f"{problems[0]}: {KEEPS_A_BLANK} `{key}` | {problems[1]}"] if problems else []
    assert problems_of_file(f"commands:\n- {stage}") == expected


@pytest.mark.parametrize(
    ("args", "column", "found"),
    [
        pytest.param(
            "a\u00a0b", 12, "U+00A0 (no-break space) in `args`, which looks like a blank", id="no-break space"
        ),
        pytest.param("a\u200b b", 12, "U+200B (zero width space) in `args`, which looks like a blank", id="zero width"),
        pytest.param("a \u2013-b", 13, "U+2013 (en dash) in `args`, which looks like a dash", id="dash"),
        pytest.param("\u2212x", 11, "U+2212 (minus sign) in `args`, which looks like a dash", id="minus"),
        pytest.param(
            "\u201ca b\u201d", 11, "U+201C (left double quotation mark) in `args`, which looks like a quote", id="quote"
        ),
        pytest.param(
            "--a=\u2018b\u2019",
            15,
            "U+2018 (left single quotation mark) in `args`, which looks like a quote",
            id="quote after =",
        ),
    ],
)
def test_lookalikes(args: str, column: int, found: str) -> None:
    hint = "type it again on the keyboard, or put it into quotes to mean it"
    text = f"commands:\n- command: x\n  args: >-\n          {args}"
    assert problems_of_file(text) == [f"4:{column}: found {found} and is none | {hint}"]


def test_a_lookalike_in_command() -> None:
    message = "found U+00A0 (no-break space) in `command`, which looks like a blank and is none"
    assert problems_of_file("commands: [{command: cat\u00a0x}]") == [f"1:25: {message} | type it again on the keyboard"]


def test_lookalikes_in_quotes_and_within_words_are_texts() -> None:
    args = "'a\u00a0b' '\u2014c' \\\u2014d e\u2014f \u2014 don\u2019t"
    assert problems_of_file(f"commands:\n- command: x\n  args: >-\n    {args}") == []


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        pytest.param("meter\u200b: rows", "2:1: `meter\\u200b` is not a known key | did you mean `meter`?", id="key"),
        pytest.param(
            "venvs: {a: ['b\u00a0>=1']}",
            "2:13: `b\\u00a0>=1` is not a requirement, expected a package as pip writes it | "
            'for example: tap-jsonl, or "tap-jsonl>=1.2,<2"',
            id="requirement",
        ),
        pytest.param(
            "deploy: {cpu: '1024\ufeff'}",
            "2:15: `cpu` is `1024\\ufeff`, expected 256, 512, 1024, 2048, 4096, 8192 or 16384 | "
            "write it like this: cpu: 256; 1024 are one vCPU",
            id="number",
        ),
    ],
)
def test_what_cannot_be_seen_is_shown(text: str, problems: str) -> None:
    assert problems_of(text) == [problems]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param('{"\\ud800": 1}', "1:2: found a key that is no text, expected a name", id="top"),
        pytest.param(
            'commands: [{command: a}]\ndeploy: {policies: [{Action: "*", Resource: "*", Condition: {"\\ud800": {a: b}}}]}',
            "2:62: found a key that is no text, expected a name",
            id="condition",
        ),
    ],
)
def test_keys_with_half_a_character(text: str, problem: str) -> None:
    assert problem in [line.partition(" |")[0] for line in problems_of_file(text)]


@pytest.mark.parametrize(
    ("stages", "problems"),
    [
        pytest.param(
            "- command: a\n  args: #fff --more",
            [
                "3:3: `args` has no value, expected a text or a list of words | "
                'a # begins a comment in YAML, so put it into quotes: args: "#fff --more"'
            ],
            id="nothing left",
        ),
        pytest.param(
            "- command: a\n  args: # later",
            [
                "3:3: `args` has no value, expected a text or a list of words | "
                'write a value, or take the line out; for an empty text write two quotes: ""'
            ],
            id="a comment",
        ),
        pytest.param(
            "- command: a\n  args: b 'c # d' e",
            [
                "3:11: the quote ' in `args` is never closed, expected whole words | "
                """YAML takes "# d' e" for a comment; put all of `args` into quotes"""
            ],
            id="cut in quotes",
        ),
        pytest.param(
            '- shell: a "b # c" d',
            [
                "2:10: YAML takes '# c\" d' for a comment, inside the quotes of `shell` | "
                "write the line below a sign: shell: |"
            ],
            id="shell cut in quotes",
        ),
        pytest.param('- shell: |\n    a "b # c" d', [], id="below a sign"),
        pytest.param("- shell: a 'b#c' # d's", [], id="whole quotes"),
    ],
)
def test_values_that_yaml_cuts_at_a_comment(stages: str, problems: list[str]) -> None:
    assert problems_of_file(f"commands:\n{stages}\n") == problems


def test_json_without_quotes() -> None:
    message = "found JSON without quotes around it in `args`, which takes its own quotes off"
    hint = """write it as one item of a list: args: [--config, '{"a": 1}']"""
    text = 'commands:\n- command: a\n  args: >-\n    --data {"b": 1}\n'
    assert problems_of_file(text) == [f"4:12: {message} | {hint}"]


def keys_below(declared: Declaration, key_path: KeyPath = ()) -> Iterator[KeyPath]:
    for key, inner in declared.keys.items():
        yield (*key_path, key)
        yield from keys_below(inner, (*key_path, key))
        if inner.items:
            yield from keys_below(inner.items, (*key_path, key, 0))


@pytest.mark.parametrize("shape", ["[a]", "{a: b}", "[{a: [b]}]"])
def test_any_shape_of_any_key_ends_in_problems(shape: str) -> None:
    """Where another key gives the value a meaning, too: `platform` beside `architecture`."""
    for key_path in keys_below(PROJECT_FILE):
        value = shape
        for step in reversed(key_path[1:]):
            value = f"[{value}]" if step == 0 else f"{{{step}: {value}}}"
        beside = {"commands": "commands: [{command: a}]", "image": "image: {platform: linux/arm64}"}
        problems_of_file("\n".join({**beside, str(key_path[0]): f"{key_path[0]}: {value}"}.values()))


def test_many_operators_of_a_line_are_cut_short() -> None:
    """The place of each takes time with the length of the text."""
    found = problems_of_file(f"commands:\n  - command: a\n    args: '{'| ' * 5000}'\n")
    assert len(found) == 20


def test_every_operator_of_a_line() -> None:
    found = problems_of_file("commands:\n  - command: a\n    args: x | y > z '|' *\n")
    assert [line.split(":")[:2] for line in found] == [["3", "13"], ["3", "17"], ["3", "25"]]


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
        "period: daily\ncommands: [{command: a, state: all}]\nargs: b\n",
        [
            (
                "1:1: `period` is not a known key | known here: description, vars, envs, venvs, commands, state, meter, "
                "overlap, image, keep, expect, params, alerts, deploy, schedules"
            ),
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
                'write it like this: commands: [{shell: "cat | wc"}]'
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
            '1:14: `description` is a list, expected a text | write it as one text: description: "a"',
            "2:8: `state` is `sinegr`, expected all, singer or none | did you mean `singer`?",
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
        "commands:\n- command: ~/bin/a\n- command: a{b,c}\n",
        [
            (
                "2:12: `command` holds a shell's signs: ~/bin/a; expected one program | "
                'write it as a line for the shell: - shell: "~/bin/a"'
            ),
            (
                "3:12: `command` holds a shell's signs: a{b,c}; expected one program | "
                'write it as a line for the shell: - shell: "a{b,c}"'
            ),
        ],
        id="a shell's signs in a command",
    ),
    pytest.param(
        "commands: {a: , b: [c]}",
        [
            (
                "1:11: `commands` is a mapping, expected a list of stages | "
                'begin every stage with a dash: - command: cat; a line for the shell is - shell: "..."'
            ),
            (
                "1:12: `a` has no value, expected a stage, a mapping | "
                'write a value, or take the line out; for an empty text write two quotes: ""'
            ),
        ],
        id="stages without dashes",
    ),
    pytest.param(
        "commands:\n- command: a\n  args: it's\n- command: a\n  args: b \\\n- command: a\n  args: [b, [c]]\n",
        [
            (
                "3:11: the quote ' in `args` is never closed, expected whole words | "
                'close it, or write the word as an item: args: ["..."]'
            ),
            "5:11: a backslash ends `args`, expected whole words | take it out, or put it into quotes",
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
        "envs: [{key: {a: b}, value: c}]\ncommands: [{command: a}]",
        ["1:14: `key` is a mapping, expected a text | put it into quotes"],
        id="a mapping for a key of envs",
    ),
    pytest.param(
        """"\\ud800": a\nvars: {"\\udfff": b}\ncommands: [{command: a}]""",
        [
            "1:1: found a key that is no text, expected a name | write `name: value`",
            "2:8: found a key that is no text, expected a name | write `name: value`",
        ],
        id="half a character for a key",
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
        "commands:\n- {command: a, venv: ./.env/x}\n- {command: a, venv: .local/x}\n"
        "- {command: a, venv: ./.artifacts/a/b}\n- {command: a, venv: ././files/x/}\n"
        "- {command: a, venv: ./files}\n- {command: a, venv: ./a/-}\n",
        [
            *(
                f"{line}:22: `venv` is {path}, expected a path outside of .env, .local, .artifacts and files | "
                f"for example: venv: ./venv/{name}"
                for line, path, name in (
                    (2, "./.env/x", "x"),
                    (3, ".local/x", "x"),
                    (4, "./.artifacts/a/b", "b"),
                    (5, "././files/x/", "x"),
                    (6, "./files", "files"),
                )
            ),
            "7:22: `venv` is ./a/-, expected a path that ends in a name | for example: venv: ./venv/tap",
        ],
        id="venv where handoff's own files lie",
    ),
    pytest.param(
        "venvs: {t: [x], venv: [x]}\ncommands:\n"
        "- {command: a, venv: t, installs: [pip install x]}\n"
        "- {command: a, venv: venv/./t/, installs: [pip install x]}\n"
        "- {command: a, venv: ./t, installs: [pip install x]}\n"
        "- {command: a, venv: ./venv/a/t, installs: [pip install x]}\n"
        "- {command: a, venv: ./.venv, installs: [pip install x]}\n",
        [
            (
                "3:25: `installs` and `venvs` both say what goes into venv/t, expected one of them | "
                "move the packages to venvs: t: [...]"
            ),
            (
                "4:33: `installs` and `venvs` both say what goes into venv/t, expected one of them | "
                "move the packages to venvs: t: [...]"
            ),
            "5:22: t and venv/t would both be the venv `t`, expected different names | for example: venv: ./t_2",
            (
                "6:22: venv/a/t and venv/t would both be the venv `t`, expected different names | "
                "for example: venv: venv/a/t_2"
            ),
            (
                "7:22: .venv and venv/venv would both be the venv `venv`, expected different names | "
                "for example: venv: ./.venv_2"
            ),
        ],
        id="venvs of one name",
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
                "3:16: found `installs` without `venv`, expected the venv to install into | "
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
                'write it as a list: installs: ["pip install x"]'
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


@pytest.mark.parametrize(("text", "expected"), REFUSED)
def test_refused(text: str, expected: list[str]) -> None:
    assert problems_of_file(text) == expected


@pytest.mark.parametrize("text", [case.values[0] for case in REFUSED])
def test_never_in_the_words_of_a_library(text: object) -> None:
    expected = "\n".join(problems_of_file(str(text))).lower()
    assert not re.search(r"pydantic|input should|validation|tuple|dict\b|\bstr\b", expected)


def test_any_shape_is_refused_without_a_crash() -> None:
    keys = [
        "description",
        "vars",
        "envs",
        "venvs",
        "commands",
        "state",
        "meter",
        "overlap",
        "image",
        "deploy",
        "schedules",
        "x",
    ]
    inner = ["command", "shell", "args", "venv", "installs", "envs", "policies", "cron", "data", "tags", "x"]
    values = ["", "a", "7", "yes", "[]", "{}", "[a]", "[[a]]", "{a: b}", "{a: [b]}", "[{a: b}]", "[null]", "{1: }"]
    chance = random.Random(3)  # any shapes will do
    for _ in range(600):
        stage = ", ".join(f"{key}: {chance.choice(values)}" for key in chance.sample(inner, 3))
        lines = [f"{key}: {chance.choice([*values, f'[{{{stage}}}]'])}" for key in chance.sample(keys, 4)]
        problems_of_file("\n".join(lines))
