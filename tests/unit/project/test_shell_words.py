"""A line is split as a POSIX shell would, and what means something to a shell is pointed at."""

from __future__ import annotations

import random
import shlex
import subprocess

import pytest

from handoff_kit.project.shell_words import JSON, split_words


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
        pytest.param("{a,b} {x", ("{a,b}", "{x"), id="braces are letters"),
        pytest.param("a \\\n  --b c\\\nd \\\n", ("a", "--b", "cd"), id="lines that a backslash joins"),
        pytest.param('"a\\\nb\\"" \'c\\\nd\'', ('ab"', "c\\\nd"), id="lines joined in quotes"),
        pytest.param("\\\n '' \\\n", ("",), id="nothing but joined lines"),
        pytest.param("a \\ \n b", ("a", " ", "b"), id="a blank after the backslash"),
    ],
)
def test_split(line: str, words: tuple[str, ...]) -> None:
    assert (split_words(line).words, split_words(line).open_quote) == (words, None)


def test_split_is_what_a_posix_shell_does() -> None:
    chance = random.Random(2)  # any texts will do
    for _ in range(3000):
        line = "".join(chance.choices("ab '\"\\|>*#$\n\t{}", k=chance.randrange(12)))
        if "\\\n" in line:  # which shlex does not join
            continue
        try:
            expected = shlex.split(line)
        except ValueError:
            assert split_words(line).open_quote, repr(line)
        else:
            assert (list(split_words(line).words), split_words(line).open_quote) == (expected, None), repr(line)


def test_lines_are_joined_as_by_a_shell() -> None:
    chance = random.Random(3)  # any texts will do
    pieces = (
        "a",
        "b",
        " ",
        "'",
        '"',
        "\t",
        "\\\n",
        "\\\\",
        "\\ ",
        '\\"',
    )  # an unescaped line end would end the command
    lines = ["".join(chance.choices(pieces, k=chance.randrange(12))) for _ in range(2000)]
    whole = [line for line in lines if not split_words(line).open_quote]
    script = """eval "set -- $1"; printf '<%s>' "$@"; shift $#; printf '|'"""
    function = f"split() {{ {script}; }}\n" + "".join(f"split {shlex.quote(line)}\n" for line in whole)
    done = subprocess.run(["sh"], input=function, capture_output=True, text=True, check=True)
    expected = ["".join(f"<{word}>" for word in split_words(line).words or ("",)) for line in whole]
    assert done.stdout.split("|")[:-1] == expected


@pytest.mark.parametrize(
    ("line", "operators"),
    [
        pytest.param("~ ~/a b~ a=~/b ~me", ((0, "~"), (2, "~"), (15, "~")), id="tilde at a word's start"),
        pytest.param("'~' \\~ ''~ \\ ~ {{ a }}~", (), id="tilde quoted or inside a word"),
        pytest.param("a{b,c}d {,x} {{1,2},3}", ((1, "{b,c}"), (8, "{,x}"), (14, "{1,2}")), id="braces"),
        pytest.param("{'a b',\"c\"} {\\,,{{ d }}}", ((0, "{'a b',\"c\"}"), (12, "{\\,,{{ d }}}")), id="quotes inside"),
        pytest.param("{a} {a b,c} {a\\,b} {'a,b'} '{a,b}' \\{a,b} {", (), id="braces that mean nothing"),
        pytest.param("{{ a }},{{ b }} {{a}}{,", (), id="placeholders"),
        pytest.param("${a,b} `{a,b}`", ((0, "${a,b}"), (7, "`{a,b}`")), id="braces of something else"),
        pytest.param('{"a":1} {"a": {"b": 2}}', ((0, JSON), (8, JSON), (14, JSON)), id="JSON"),
        pytest.param("""'{"a":1,"b":2}' {"a"}""", (), id="JSON in quotes"),
    ],
)
def test_operators(line: str, operators: tuple[tuple[int, str], ...]) -> None:
    assert split_words(line).operators == operators
