"""The words to avoid, in docs, help, refusals and messages; `PYTHONPATH=tests python tests/unit/test_prose.py` prints where they are."""

from __future__ import annotations

import re
from pathlib import Path

from doubles.sources import SOURCES, literals_of

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/**/*.md"))]
GOLDENS = sorted([*ROOT.glob("tests/golden/help/*.txt"), *ROOT.glob("tests/golden/refusals/*.txt")])
AVOID = (
    "told",
    "tells",
    "asked for",
    "anew",
    "lest",
    "meanwhile",
    "whoever",
    "thereby",
    "at hand",
    "go on",
    "goes on",
    "as it is",
    "in force",
    "in step",
    "by itself",
    "of its own",
    "stands",
    "lies",
)
FOUND = re.compile(rf"\b({'|'.join(AVOID)})\b", re.IGNORECASE)
NO_PROSE = re.compile(
    r"^ *```.*?^ *```$|<!-- (?P<name>reference|tasks|masking) -->.*?<!-- /(?P=name) -->|`[^`\n]*`",
    re.MULTILINE | re.DOTALL,
)
"""Shown output and generated parts: their texts are in the goldens and in the code."""


def test_the_docs_avoid_them() -> None:
    assert [f"{_shown(page)}: {line}" for page in PAGES for line in found_in_page(page)] == []


def test_help_and_refusals_avoid_them() -> None:
    assert [f"{_shown(path)}: {line}" for path in GOLDENS for line in found_in_golden(path)] == []


def test_messages_avoid_them() -> None:
    assert [f"{_shown(path)}: {text}" for path in SOURCES for text in found_in_source(path)] == []


def found_in_page(page: Path) -> list[str]:
    prose = NO_PROSE.sub("", page.read_text(encoding="utf-8"))
    return [paragraph for paragraph in map(_one_line, re.split(r"\n(?:\n|[-|])", prose)) if FOUND.search(paragraph)]


def found_in_golden(path: Path) -> list[str]:
    """The paragraphs of a golden file: invoke wraps its help, at any of the words."""
    paragraphs = re.split(r"\n(?= {0,4}\S|\n)", path.read_text(encoding="utf-8"))
    return [paragraph for paragraph in map(_one_line, paragraphs) if FOUND.search(paragraph)]


def found_in_source(path: Path) -> list[str]:
    return [text for text in map(_one_line, literals_of(path)) if FOUND.search(text)]


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


if __name__ == "__main__":
    for group, found_in in ((PAGES, found_in_page), (GOLDENS, found_in_golden), (SOURCES, found_in_source)):
        for each in group:
            for text in found_in(each):
                print(f"{_shown(each)}: {text}")  # noqa: T201  # for the author
