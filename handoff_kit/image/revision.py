"""The source revision an image is made from: git's commit, marked where files differ from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from handoff_kit.image.builder import Ask
    from handoff_kit.names import ProjectPlace

__all__ = ["revision"]


def revision(place: ProjectPlace, ask: Ask) -> str:
    """The commit, `+changed` behind it where the project's files are not as committed; empty outside of git."""
    git = ("git", "-C", str(place.directory))
    commit = ask((*git, "rev-parse", "HEAD"))
    if commit.exit:
        return ""
    changed = ask((*git, "status", "--porcelain", "--", "."))
    return commit.stdout.strip() + ("+changed" if changed.stdout.strip() else "")
