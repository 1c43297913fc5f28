"""A YAML file as it is written: data, places, and every fault in plain words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from handoff_kit.project.problem import Problem
from handoff_kit.project.yaml_reader import MAX_BYTES, parse_yaml, read_yaml

if TYPE_CHECKING:
    from pathlib import Path

SHOWN = "projects/foo/project.yml"


@pytest.mark.parametrize(
    ("text", "data"),
    [
        pytest.param("a: 1.10", {"a": "1.10"}, id="a version keeps its zero"),
        pytest.param("a: 0123", {"a": "0123"}, id="a number keeps its zero in front"),
        pytest.param("a: 2026-01-01", {"a": "2026-01-01"}, id="a date is text"),
        pytest.param("a: yes\nb: True", {"a": "yes", "b": "True"}, id="booleans are text"),
        pytest.param("a:\nb: ~\nc: null", {"a": None, "b": None, "c": None}, id="nulls are nothing"),
        pytest.param("a: ''\nb: 'null'", {"a": "", "b": "null"}, id="quoted nulls are text"),
        pytest.param("1: [2, {3: 4}]", {"1": ["2", {"3": "4"}]}, id="keys are text"),
        pytest.param("a: |\n  x\n  y\nb: >-\n  x\n  y", {"a": "x\ny\n", "b": "x y"}, id="texts of several lines"),
        pytest.param("a: &x [1]\nb: *x", {"a": ["1"], "b": ["1"]}, id="alias"),
        pytest.param(
            "a: &x {p: 1, q: 2}\nb: {<<: *x, q: 3}", {"a": {"p": "1", "q": "2"}, "b": {"q": "3", "p": "1"}}, id="merge"
        ),
        pytest.param(
            "a: &x {p: 1}\nb: &y {p: 2, q: 2}\nc: {<<: [*x, *y]}",
            {"a": {"p": "1"}, "b": {"p": "2", "q": "2"}, "c": {"p": "1", "q": "2"}},
            id="merge of several, the first wins",
        ),
        pytest.param("a: &x\n  <<: *x\n  b: 1", {"a": {"b": "1"}}, id="merge of itself adds nothing"),
        pytest.param("a: b\r\nc:\r\n  - d\r\n", {"a": "b", "c": ["d"]}, id="CRLF"),
        pytest.param("---\na: b\n...\n", {"a": "b"}, id="marked document"),
        pytest.param("a: ünï ✓", {"a": "ünï ✓"}, id="unicode"),
    ],
)
def test_data(text: str, data: Any) -> None:
    source = parse_yaml(text, SHOWN)
    assert (source.data, source.problems) == (data, ())


def test_byte_order_mark_and_crlf_do_not_move_places(tmp_path: Path) -> None:
    file = tmp_path / "project.yml"
    file.write_bytes(b"\xef\xbb\xbfa: b\r\nc:\r\n  - d\r\n")
    source = read_yaml(file, SHOWN)
    assert source.at_value(("c", 0), "m", "h") == Problem(SHOWN, 3, 5, "m", "h")
    assert source.at_key(("c",), "m", "h") == Problem(SHOWN, 2, 1, "m", "h")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        pytest.param("a: x | y", (1, 6), id="plain"),
        pytest.param("a: 'x | y'", (1, 7), id="single quotes"),
        pytest.param("a: 'it''s | y'", (1, 11), id="a doubled quote"),
        pytest.param('a: "x\\"\\t | y"', (1, 11), id="escapes"),
        pytest.param("a: >-\n  x\n  y | z", (3, 5), id="folded"),
        pytest.param("a: |\n  x |\n", (2, 5), id="literal"),
        pytest.param("a: &anchor x | y", (1, 14), id="anchored"),
        pytest.param("a: x\n  y\n  | z", (3, 3), id="plain over lines"),
    ],
)
def test_place_of_a_character(text: str, place: tuple[int, int]) -> None:
    source = parse_yaml(text, SHOWN)
    assert source.data is not None
    value = source.data["a"]
    assert isinstance(value, str)
    problem = source.at_value(("a",), "m", "h", value.index("|"))
    assert (problem.line, problem.column) == place


def test_kind_of_unquoted_scalars() -> None:
    source = parse_yaml("a: [yes, 'yes', 7, '7', 1.5, On, text, !!str no, 2026-01-01]", SHOWN)
    kinds = [source.marks["a", number].kind for number in range(9)]
    assert kinds == ["boolean", "text", "number", "text", "number", "boolean", "text", "text", "text"]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        pytest.param("", "the file is empty, expected at least commands", id="empty"),
        pytest.param("# nothing\n\n", "the file is empty, expected at least commands", id="only comments"),
        pytest.param("---\n", "the file is empty, expected at least commands", id="only a marker"),
        pytest.param("- a\n", "1:1: found a list, expected a mapping with commands in it", id="list"),
        pytest.param("a:b\n", "1:1: found a text, expected a mapping with commands in it", id="text"),
        pytest.param(
            "a: b\n---\nc: d\n", "3:1: a second document begins here, expected one document", id="two documents"
        ),
        pytest.param("a:\n\t- b\n", "2:1: a tab indents this line; YAML allows only spaces", id="tab"),
        pytest.param(
            "a:\n  - b: c\n  \td: e\n", "3:3: a tab indents this line; YAML allows only spaces", id="tab after spaces"
        ),
        pytest.param(
            "a:\n\t- b\n\t- c\n", "2:1: a tab indents this line (and 1 more); YAML allows only spaces", id="tabs"
        ),
        pytest.param("a: b: c\n", "1:5: found a colon where no key can be", id="two colons"),
        pytest.param(
            "commands\n  - command: x\n",
            "1:1: `commands` is alone on its line, expected a key and a colon",
            id="no colon",
        ),
        pytest.param("a: 'x\nb: c\n", "1:4: the quote that opens here is never closed", id="open quote"),
        pytest.param(
            "a: [1\nb: 2\n", "1:4: the list that opens here is never closed, or lacks a comma", id="open list"
        ),
        pytest.param(
            "a: {b: 1\n", "1:4: the mapping that opens here is never closed, or lacks a comma", id="open mapping"
        ),
        pytest.param("a: [", "1:5: the file ends in the middle of a list or a mapping", id="open at the end"),
        pytest.param(
            'a: "x" y\n', "1:8: there is more text after the value, expected the end of the line", id="more text"
        ),
        pytest.param(
            "a:\n  - b: c\n   d: e\n", "3:4: this line does not line up with those above it", id="indentation"
        ),
        pytest.param("a: *.csv\n", "1:4: *.csv is an alias of nothing: there is no &.csv above it", id="unknown alias"),
        pytest.param("a: %Y\n", "1:4: a value cannot begin with % in YAML", id="percent"),
        pytest.param(
            'a: "\\q"\n', "1:6: a backslash in double quotes begins an escape that YAML does not know", id="escape"
        ),
        pytest.param("a: | wc\n", "1:6: found more text after | or >, which begin a text of several lines", id="pipe"),
        pytest.param("a: - b\n", "1:4: a list item begins on the line of its key", id="list beside its key"),
        pytest.param("a: \x07b", "1:4: found the unprintable character U+0007, expected text", id="unprintable"),
        pytest.param(
            "a: {{ b }} c\n",
            "1:4: a value begins with {{ and has no quotes, which YAML reads as a mapping",
            id="placeholder with text after it",
        ),
        pytest.param("a: &x [*x]\n", "1:7: an alias in here leads back to here", id="alias of itself"),
        pytest.param(
            "a: " + "[" * 5000, "1:105: values are nested too deep, expected about five levels", id="brackets too deep"
        ),
        pytest.param("- " * 5000, "values are nested too deep, expected about five levels", id="dashes too deep"),
    ],
)
def test_unreadable(text: str, error: str) -> None:
    source = parse_yaml(text, SHOWN)
    assert source.data is None
    assert [str(problem).splitlines()[0] for problem in source.problems] == [_line(error)]


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        pytest.param(
            "a: 1\nb: 2\na: 3\nb: {c: 1, c: 2}\na: 4\n",
            [
                "3:1: `a` is given a second time, the first is on line 1",
                "4:1: `b` is given a second time, the first is on line 2",
                "5:1: `a` is given a second time, the first is on line 1",
            ],
            id="duplicate keys",
        ),
        pytest.param(
            "a: {{ b }}\nc: [{{ d }}]\n",
            [
                "1:4: a value begins with {{ and has no quotes, which YAML reads as a mapping",
                "2:5: a value begins with {{ and has no quotes, which YAML reads as a mapping",
            ],
            id="unquoted placeholders",
        ),
        pytest.param(
            "a: !env X\nb: !!binary eA==\nc: !<x> [d]\n",
            [
                "1:9: found the tag !env, expected a plain value",
                "2:13: found the tag !!binary, expected a plain value",
                "3:9: found the tag x, expected a plain value",
            ],
            id="tags",
        ),
        pytest.param("? [a]\n: b\n", ["1:3: found a key that is no text, expected a name"], id="a list for a key"),
        pytest.param("<<: b\n", ["1:1: << merges something that is no mapping"], id="merge of a text"),
    ],
)
def test_every_fault_of_a_readable_file(text: str, problems: list[str]) -> None:
    source = parse_yaml(text, SHOWN)
    assert source.data is not None
    assert [str(problem).splitlines()[0] for problem in source.problems] == [_line(line) for line in problems]


def test_a_billion_laughs_end_soon() -> None:
    levels = [
        f"{name}: &{name} [{', '.join([f'*{above}'] * 9)}]" for above, name in zip("abcdefgh", "bcdefghi", strict=True)
    ]
    source = parse_yaml("\n".join(["a: &a [x, x, x]", *levels]), SHOWN)
    assert (
        source.problems[0].message
        == "more than 5,000 values up to here, counting what aliases repeat; too many for a project file"
    )


def test_merges_of_merges_end_soon() -> None:
    levels = [f"k{n + 1}: &k{n + 1} {{<<: [{', '.join([f'*k{n}'] * 9)}]}}" for n in range(30)]
    source = parse_yaml("\n".join(["k0: &k0 {x: 1}", *levels]), SHOWN)
    assert source.data is not None
    assert source.data["k30"] == {"x": "1"}


def _nothing(path: Path) -> None:
    del path


@pytest.mark.parametrize(
    ("make", "error"),
    [
        pytest.param(_nothing, ": there is no such file, expected a project file", id="missing"),
        pytest.param(lambda path: path.mkdir(), ": found a directory, expected a file", id="directory"),
        pytest.param(
            lambda path: path.write_bytes(b"a: b\nc: caf\xc3\xa9 caf\xe9\n"),
            ":2:12: byte 0xe9 (number 18 of the file) is not UTF-8, expected UTF-8 text",
            id="latin-1",
        ),
        pytest.param(
            lambda path: path.write_text("a: b", encoding="utf-16"),
            ":1:1: byte 0xff (number 1 of the file) is not UTF-8, expected UTF-8 text",
            id="utf-16",
        ),
        pytest.param(
            lambda path: path.write_bytes(b"#" * (MAX_BYTES + 1)),
            ": the file is larger than 256 KiB, too much for a project file",
            id="too large",
        ),
    ],
)
def test_unreadable_file(tmp_path: Path, make: Any, error: str) -> None:
    make(tmp_path / "project.yml")
    source = read_yaml(tmp_path / "project.yml", SHOWN)
    assert (source.data, str(source.problems[0]).splitlines()[0]) == (None, f"error: {SHOWN}{error}")


def test_problem_prints_two_lines() -> None:
    problem = Problem(SHOWN, 7, 5, "`comand` is not a known key", "did you mean `command`?")
    assert str(problem) == f"error: {SHOWN}:7:5: `comand` is not a known key\nhint: did you mean `command`?"


def _line(error: str) -> str:
    return f"error: {SHOWN}:{error}" if error[0].isdigit() else f"error: {SHOWN}: {error}"
