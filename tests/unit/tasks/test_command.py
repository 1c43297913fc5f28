"""The tasks' flags: each is described by itself, with its default."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

from handoff_kit.tasks.collection import create_collection


def test_the_help_of_every_flag_stands_alone() -> None:
    flags = {
        f"{context.name} --{flag.name}": flag.help or ""
        for context in deepcopy(create_collection(Path())).to_contexts(ignore_unknown_help=False)  # which empties it
        for flag in context.args.values()
    }
    assert len(flags) > 100
    assert not [
        f"{flag}: {text}"
        for flag, text in flags.items()
        if not text[:1].isupper() or not ("; default: " in text or text.endswith("; required")) or "the same" in text
    ]
