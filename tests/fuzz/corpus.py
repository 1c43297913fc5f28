"""The texts that the fuzzer begins with: project files of tests, docs, samples and starters, and words that break things."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from handoff_kit.project.load import validate_project
from handoff_kit.project.model import PROJECT_FILE
from handoff_kit.project.problem import ProjectFileError
from handoff_kit.project.yaml_reader import Data, parse_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handoff_kit.project.fields import Declaration

ROOT = Path(__file__).parents[2]
TOKENS = (
    *("9" * 400, "9" * 5000, "0", "-1", "1e999", "nan", "٣", "0x1F", "1_000", "3.10", "7d", "0d", "99999999d", "2GB"),
    *("9999-12-31T23:59:59", "0001-01-01T00:00:00Z", "2027-02-30T00:00:00", "2027-03-28T02:30:00", "9999-12-31"),
    *("America/New_York", "Asia/Tokyo", "Europe/Berlin", "EST", "UTC+14", "+25:00", "rate(5 minutes)", "cron(0 2 * * ? *)"),
    *("0 2 * * 1-5", "0 0 31W 2 ? 2199", "L", "LW", "15W", "6#5", "5L", "*/7", "59-1", "FRI-MON/2", "@daily", "@every 3m"),
    *("{{ start_at }}", "{{ x }}", "{{", "}}", "${AWS::Region}", "{{resolve:ssm:/a}}", "<aws.scheduler.x>", "{% x %}", "#}"),
    *("\x00", "\x7f", "\x85", "\u2028", "\ufeff", "\ufffe", "\U0001f9c0", "é" * 300, "\t", "\r", "\n", " " * 200, "\u200b"),
    *('"\\ud800"', '"\\0"', '"\\x41"', "\\ud800abcdef", "\\udcff", "'", '"', "\\", "`", "$(x)", "|", ">", "&", ";", "#"),
    *("&a", "*a", "<<: *a", "!!binary eA==", "!x", "? ", "- ", ": ", ",", "---\n", "...\n", "%YAML 1.1\n", "~", "null", "yes"),
    *("[" * 2000, "{" * 2000, "{a: " * 300, "-" * 5000, "(" * 300, "'" * 1001, "a=" * 500, "a: " * 300, "http://u:p%@h"),
    *("ssm:/a", "secretsmanager:a#b", "arn:aws:iam::aws:policy/ReadOnlyAccess", "s3:*", "git+https://a/b", "./dir", "a[b]>=1"),
    *("..", "/", "~/x", "../../etc", "a/../b", ".local", ".env/config/x.json", ".artifacts/state", "*", "**", "[!a", "CON"),
    *("handoff", "run", "collector_stats", "impl/collector_stats.py", "--state", "-", "__class__", "x" * 5000, "a b", "ä ö"),
)  # fmt: skip


@dataclass(frozen=True)
class Corpus:
    """Texts to begin with, and the words in them."""

    projects: tuple[str, ...]
    functions: tuple[str, ...]

    @cached_property
    def trees(self) -> tuple[dict[str, Data], ...]:
        """The project files that are YAML."""
        return tuple(data for text in self.projects if (data := parse_yaml(text, "x").data))

    @cached_property
    def valid(self) -> tuple[dict[str, Data], ...]:
        """Those without a problem."""
        return tuple(tree for text in self.projects if (tree := _valid(text)))

    @cached_property
    def values(self) -> dict[str, list[Data]]:
        """The values of each key in all project files."""
        found: dict[str, list[Data]] = {}
        for key, value in (pair for tree in self.trees for pair in _pairs(tree)):
            found.setdefault(key, []).append(value)
        return found

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """The keys of the project file, at all depths."""
        return tuple(sorted(set(_keys(PROJECT_FILE))))

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The texts in all project files."""
        return tuple(sorted({text for tree in self.trees for text in _texts(tree)}))


def read_corpus() -> Corpus:
    """All project files there are: a text of a test is one if a line of it begins with a key of a project file."""
    key = re.compile(rf"^(?:{'|'.join(PROJECT_FILE.keys)}):", re.MULTILINE)
    texts = [
        path.read_text(encoding="utf-8")
        for place in ("projects", "handoff_kit/starters")
        for path in _files(place, "project.yml")
    ]
    texts += [
        block
        for path in _files("docs", "*.md")
        for block in re.findall("```ya?ml\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)
    ]
    for path in _files("tests", "*.py"):
        source = path.read_text(encoding="utf-8")
        if key.search(source) or re.search(r"problems_of|\bload_text", source):
            texts += [
                node.value
                for node in ast.walk(ast.parse(source))
                if isinstance(node, ast.Constant) and isinstance(node.value, str)
            ]
    found = dict.fromkeys(text for text in texts if key.search(text) and "\n\n\n" not in text)
    whole = (
        text if re.search("^commands:", text, re.MULTILINE) else f"commands: [{{command: a}}]\n{text}\n"
        for text in found
    )
    functions = [
        path.read_text(encoding="utf-8")
        for place in ("projects", "handoff_kit/starters")
        for path in _files(place, "impl.py")
    ]
    return Corpus(tuple(whole), tuple(functions))


def _valid(text: str) -> dict[str, Data] | None:
    source = parse_yaml(text, "x")
    try:
        validate_project(source)
    except ProjectFileError:
        return None
    return source.data


def _files(place: str, pattern: str) -> list[Path]:
    return sorted(path for path in (ROOT / place).rglob(pattern) if ".artifacts" not in path.parts)


def _keys(declared: Declaration) -> Iterator[str]:
    yield from declared.keys
    for inner in (*declared.keys.values(), *([declared.items] if declared.items else [])):
        yield from _keys(inner)


def _texts(data: Data) -> Iterator[str]:
    if isinstance(data, str):
        yield data
    for item in data.values() if isinstance(data, dict) else data if isinstance(data, list) else ():
        yield from _texts(item)


def _pairs(data: Data) -> Iterator[tuple[str, Data]]:
    if isinstance(data, dict):
        yield from data.items()
    for item in data.values() if isinstance(data, dict) else data if isinstance(data, list) else ():
        yield from _pairs(item)
