"""A text in the editor of whoever sits here: written to a file of theirs alone, edited, read back."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from handoff_kit.errors import HandoffError, ProjectError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["Asked", "content", "done"]

FALLBACK = "vi"


@dataclass(frozen=True)
class Asked:
    """A new text to be had: from `file` below `here` where one is named, else by editing `draft`."""

    here: Path
    file: str
    draft: Path
    command: str

    @property
    def shown(self) -> str:
        """The file as one would name it here."""
        return self.file or os.path.relpath(self.draft, self.here)

    @property
    def again(self) -> str:
        """The command that tries it once more with the text as it has become."""
        return f"{self.command} --file {shlex.quote(self.shown)}"


def content(asked: Asked, before: bytes, environ: Mapping[str, str]) -> bytes:
    """The new text; a draft stays until all is done, for whoever must start again."""
    if not asked.file:
        words = _words(environ, f"{asked.command} --file FILE")
        _write(before, asked.draft)
        _edit(words, asked.draft)
    try:
        return (asked.here / asked.file if asked.file else asked.draft).read_bytes()
    except OSError as error:
        raise ProjectError(f"{asked.shown}: {error.strerror}, expected a file one can read") from None


def done(asked: Asked) -> None:
    """The draft is of no use any more."""
    if not asked.file:
        asked.draft.unlink(missing_ok=True)


def _words(environ: Mapping[str, str], hint: str) -> list[str]:
    """The editor's command: VISUAL, else EDITOR, else vi where there is a terminal for it."""
    asked = environ.get("VISUAL") or environ.get("EDITOR")
    if not asked and not sys.stdin.isatty():
        raise ProjectError("EDITOR: found none, and no terminal for vi, expected one of both", hint)
    try:
        return shlex.split(asked or FALLBACK)
    except ValueError as error:
        raise ProjectError(f"EDITOR: found {asked!r} ({error}), expected a command", "export EDITOR=vi") from None


def _edit(words: list[str], path: Path) -> None:
    try:
        status = subprocess.run([*words, str(path)], check=False).returncode
    except OSError as error:
        message = f"EDITOR: could not start {words[0]}: {error.strerror}"
        raise ProjectError(message, "for example: export EDITOR=vi") from None
    if status:
        raise HandoffError(f"{words[0]} ended with exit {status}; nothing was stored")


def _write(content: bytes, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            path.unlink()
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
    except OSError as error:
        raise HandoffError(f"could not write {path}: {error.strerror}") from None
