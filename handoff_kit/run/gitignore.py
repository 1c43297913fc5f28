"""The `.gitignore` of a new project, and notes on private files that git tracks or would add."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from handoff_kit.image import builder
from handoff_kit.image.builder import Ask
from handoff_kit.paths import ProjectPaths
from handoff_kit.text import join_first
from handoff_runtime.terminal import safe_name

PRIVATE = (".local", ".env", ".artifacts")
GITIGNORE = """\
# Credentials and artifacts of runs, not for git.
/.local
/.env
/.artifacts
/venv
__pycache__/
"""
PROBE = "probe"  # a pattern like `.local/` matches a directory that does not exist yet by a path inside
NOT_IGNORED = "::"
NEGATED = re.compile(r":\d+:!")
MAX_LISTED = 3


def private_file_notes(paths: ProjectPaths, ask: Ask = builder.ask) -> tuple[str, ...]:
    """Notes on private files that git tracks or would add; none without git or outside of a repository.

    Files that the team's `.gitignore` re-includes (`!.local/`) are left out.
    """
    git = ("git", "-C", str(paths.directory))
    listed = ask((*git, "ls-files", "-z", "--", *PRIVATE))
    rules = _rules(paths, git, ask)
    if listed.exit or not rules:
        return ()
    tracked = [path for path in listed.stdout.split("\0") if path and not NEGATED.search(rules[path.split("/")[0]])]
    exposed = [name for name, rule in rules.items() if rule == NOT_IGNORED * 2]
    notes, where = [], f"projects/{paths.name}"
    if tracked:
        names = join_first([f"{where}/{safe_name(path)}" for path in tracked], MAX_LISTED)
        directories = sorted({f"{where}/{path.split('/')[0]}" for path in tracked})
        remove = shlex.join(["git", "rm", "-r", "--cached", *directories])
        note = f"note: git tracks {names}: everyone with the repository can read it"
        notes.append(f"{note}\nhint: {remove}; then rotate every secret in it: the history of the repository keeps it")
    if exposed:
        lines = shlex.join([f"/{name}" for name in exposed])
        note = f"note: {where}: git does not ignore {', '.join(exposed)}, which hold credentials and artifacts"
        notes.append(f"{note}\nhint: printf '%s\\n' {lines} >> {where}/.gitignore")
    return tuple(notes)


def _rules(paths: ProjectPaths, git: Sequence[str], ask: Ask) -> dict[str, str]:
    """For each private directory the rules for it and its content, as `check-ignore --verbose` prints them."""
    links = [name for name in PRIVATE if (paths.directory / name).is_symlink()]
    probes = [path for name in PRIVATE for path in (name, name if name in links else f"{name}/{PROBE}")]
    answer = ask((*git, "check-ignore", "--no-index", "--verbose", "--non-matching", "--", *probes))
    matches = [line.rpartition("\t")[0] for line in answer.stdout.splitlines()]
    pairs = zip(matches[::2], matches[1::2], strict=True)
    return {name: rule + inside for name, (rule, inside) in zip(PRIVATE, pairs, strict=False)}
