"""Commands that a page shows with their output: run again, and compared. UPDATE_GOLDENS=1 has the page rewritten."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BLOCK = re.compile(
    r"^```\n(?P<transcript>\$ .*?)^```$|^<!-- (?P<event>the [^\n]*) -->$(\n+```text\n(?P<text>.*?)^```$)?",
    re.MULTILINE | re.DOTALL,
)
COMMAND = re.compile(r"^\$ (?P<command>.*\n(?:> .*\n)*)(?P<output>(?:(?!\$ ).*\n)*)", re.MULTILINE)


def is_update() -> bool:
    return bool(os.environ.get("UPDATE_GOLDENS"))


def commands(page: Path) -> list[tuple[str, str]]:
    """Each command of the page, and the output that the page shows."""
    found = [block["transcript"] for block in BLOCK.finditer(page.read_text(encoding="utf-8")) if block["transcript"]]
    return [(each["command"], each["output"]) for text in found for each in COMMAND.finditer(text)]


def follow(
    page: Path,
    run: Callable[[str, str], str],
    stable: Callable[[str], list[str]],
    on_event: Callable[[str], str | None] = lambda _name: None,
) -> None:
    """Run every command of the page in its order: `run` gets the command and the shown output, and returns the real one.

    `stable` leaves out of a text what differs from run to run; `on_event` gets comments like `<!-- the sun rises -->`,
    and returns what the text block below the comment shows, if there is one.
    """

    def replay(block: re.Match[str]) -> str:
        if block["event"]:
            text = on_event(block["event"])
            if block["text"] is None or text is None:
                return block[0]
            if not is_update():
                assert stable(text) == stable(block["text"]), f"{block['event']}\n{text}"
            return block[0].replace(f"```text\n{block['text']}```", f"```text\n{text}```")
        return f"```\n{''.join(map(typed, COMMAND.finditer(block['transcript'])))}```"

    def typed(each: re.Match[str]) -> str:
        output = run(re.sub(r"^> ", "", each["command"], flags=re.MULTILINE), each["output"])
        if not is_update():
            assert stable(output) == stable(each["output"]), f"{each['command']}{output}"
        return f"$ {each['command']}{output}"

    followed = BLOCK.sub(replay, page.read_text(encoding="utf-8"))
    if is_update():
        page.write_text(followed, encoding="utf-8")


def without(differing: tuple[tuple[str, str], ...], text: str) -> list[str]:
    """The lines of a text, their words one blank apart, with each pattern replaced by its name."""
    for pattern, name in differing:
        text = re.sub(pattern, name, text)
    return [" ".join(line.split()) for line in text.splitlines()]
