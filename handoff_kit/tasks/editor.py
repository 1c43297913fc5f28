"""A text edited in VISUAL, EDITOR or vi, or read from a file."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from handoff_kit.errors import ProjectError
from handoff_runtime.errors import HandoffError

FALLBACK = "vi"


@dataclass(frozen=True)
class Edit:
    """The new text comes from `file` in `cwd`, or without one from editing `draft`; `command` is the task's."""

    cwd: Path
    file: str
    draft: Path
    command: str

    @property
    def display_path(self) -> str:
        """The file, relative to the current directory."""
        return self.file or os.path.relpath(self.draft, self.cwd)

    @property
    def retry_command(self) -> str:
        """The command that stores the edited text after a refusal."""
        return f"{self.command} --file {shlex.quote(self.display_path)}"


def read_new_text(edit: Edit, before: bytes, environ: Mapping[str, str]) -> bytes:
    """The new text. A draft stays on disk, readable by its owner alone, until `delete_draft`."""
    if not edit.file:
        _edit(before, edit.draft, environ, f"{edit.command} --file FILE")
    try:
        return (edit.cwd / edit.file if edit.file else edit.draft).read_bytes()
    except OSError as error:
        raise ProjectError(f"could not read {edit.display_path}: {error.strerror}") from None


def delete_draft(edit: Edit) -> None:
    """Delete the draft once its text is stored; a file of --file is kept."""
    if not edit.file:
        edit.draft.unlink(missing_ok=True)


def _edit(before: bytes, draft: Path, environ: Mapping[str, str], hint: str) -> None:
    """Write the draft and run VISUAL, EDITOR or vi on it; `hint` is for a machine without any."""
    command = environ.get("VISUAL") or environ.get("EDITOR")
    if not command and not sys.stdin.isatty():
        raise ProjectError("EDITOR is not set, and there is no terminal for vi", hint)
    try:
        words = shlex.split(command or FALLBACK)
    except ValueError as error:
        raise ProjectError(f"EDITOR: found {command!r} ({error}), expected a command", "export EDITOR=vi") from None
    try:
        draft.parent.mkdir(parents=True, exist_ok=True)
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(before)
    except OSError as error:
        raise HandoffError(f"could not write {draft}: {error.strerror}") from None
    try:
        status = subprocess.run([*words, str(draft)], check=False).returncode
    except OSError as error:
        message = f"EDITOR: could not start {words[0]}: {error.strerror}"
        raise ProjectError(message, "for example: export EDITOR=vi") from None
    if status:
        raise HandoffError(f"{words[0]} ended with exit {status}; nothing was stored")
