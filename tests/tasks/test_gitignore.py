"""What git would take of a project's credentials, in real repositories of a team's own."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from doubles.checkout import Checkout, InvokeResult

from handoff_kit.paths import ProjectPaths
from handoff_kit.run import gitignore
from handoff_kit.run.starters import list_starters

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PROJECT = "commands: [{command: cat}]\n"
ALL = (
    "note: projects/shop: git does not ignore .local, .env, .artifacts, which hold credentials and artifacts\n"
    "hint: printf '%s\\n' /.local /.env /.artifacts >> projects/shop/.gitignore"
)
SECRETS = {".local/tap.json": '{"password": "x"}', ".env/config/tap.json": "{}", ".artifacts/state": "{}"}
ROTATE = "then rotate every secret in it: the history of the repository keeps it"


def git(checkout: Checkout, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=checkout.root, capture_output=True, text=True, check=True)
    return done.stdout


@pytest.mark.parametrize("starter", list_starters())
@pytest.mark.parametrize("ignored", ["", "!.local\n!.env\n!.artifacts\n"], ids=["bare", "root takes it back"])
def test_git_takes_no_credentials_of_a_new_project(checkout: Checkout, starter: str, ignored: str) -> None:
    git(checkout, "init", "--quiet")
    (checkout.root / ".gitignore").write_text(f"{ignored}build/\n")
    assert checkout.invoke("new", "--project", "shop", "--starter", starter).exit == 0
    checkout.project(
        "shop", (checkout.root / "projects/shop/project.yml").read_text(), {**SECRETS, "venv/tap/pyvenv.cfg": ""}
    )
    added = git(checkout, "add", "-An").splitlines()
    assert "add 'projects/shop/.gitignore'" in added
    assert [
        line for line in added if any(f"/{name}/" in line for name in (".local", ".env", ".artifacts", "venv"))
    ] == []
    assert " git " not in checkout.invoke("check").stderr


def test_a_hint_pasted_is_enough(checkout: Checkout) -> None:
    git(checkout, "init", "--quiet")
    checkout.project("shop", PROJECT, SECRETS)
    before = checkout.invoke("check")
    assert before == InvokeResult(
        0,
        "",
        "projects/shop/project.yml: no problem found\n"
        "state: all, since no stage is given .artifacts/state and project.yml names no `state`\n"
        f"{ALL}\nnext: invoke run-local --project shop\n",
    )
    assert "projects/shop/.local/" in git(checkout, "status", "--porcelain", "-uall")
    command = ALL.rpartition("hint: ")[2]
    subprocess.run(["sh", "-c", command], cwd=checkout.root, check=True)
    assert "note: " not in checkout.invoke("check").stderr
    assert "projects/shop/.local/" not in git(checkout, "status", "--porcelain", "-uall")


def track(checkout: Checkout, *paths: str) -> None:
    git(checkout, "add", "--force", *(f"projects/shop/{path}" for path in paths))


@pytest.mark.parametrize(
    ("root", "own", "tracked", "expected"),
    [
        pytest.param("", None, [], (ALL,), id="nothing ignored"),
        pytest.param("projects/*/.local/\n.env/\n.artifacts/\n", None, [], (), id="ignored at the root"),
        pytest.param("projects/\n", None, [], (), id="all of projects ignored"),
        pytest.param("", gitignore.GITIGNORE, [], (), id="as invoke new writes it"),
        pytest.param(
            ".artifacts\n",
            None,
            [],
            (ALL.replace(", .artifacts", "").replace(" /.artifacts", ""),),
            id="some ignored",
        ),
        pytest.param(
            "",
            gitignore.GITIGNORE,
            [".local/tap.json"],
            (
                "note: git tracks projects/shop/.local/tap.json: everyone with the repository can read it\n"
                f"hint: git rm -r --cached projects/shop/.local; {ROTATE}",
            ),
            id="tracked before it was ignored",
        ),
        pytest.param(
            ".env\n.artifacts\n",
            None,
            list(SECRETS),
            (
                "note: git tracks projects/shop/.artifacts/state, projects/shop/.env/config/tap.json,"
                " projects/shop/.local/tap.json: everyone with the repository can read it\n"
                "hint: git rm -r --cached projects/shop/.artifacts projects/shop/.env projects/shop/.local; " + ROTATE,
                ALL.replace(".local, .env, .artifacts", ".local").replace(" /.env /.artifacts", ""),
            ),
            id="tracked, and one not ignored",
        ),
        pytest.param(".local/\n.env\n.artifacts\n", "!.local/\n", [".local/tap.json"], (), id="taken back on purpose"),
    ],
)
def test_notes(
    checkout: Checkout, root: str, own: str | None, tracked: Sequence[str], expected: tuple[str, ...]
) -> None:
    checkout.project("shop", PROJECT, SECRETS if own is None else {**SECRETS, ".gitignore": own})
    git(checkout, "init", "--quiet")
    (checkout.root / ".gitignore").write_text(root)
    if tracked:
        track(checkout, *tracked)
    assert gitignore.private_file_notes(paths(checkout)) == expected


def paths(checkout: Checkout) -> ProjectPaths:
    return ProjectPaths("shop", checkout.root)


def test_without_a_repository_nothing_is_said(checkout: Checkout) -> None:
    checkout.project("shop", PROJECT, SECRETS)
    assert gitignore.private_file_notes(paths(checkout)) == ()


def test_without_git_nothing_is_said(checkout: Checkout, tmp_path: Path) -> None:
    git(checkout, "init", "--quiet")
    checkout.project("shop", PROJECT, SECRETS)
    result = checkout.invoke("check", env={"PATH": str(tmp_path)})
    assert (result.exit, "note" in result.stderr) == (0, False)


def test_a_link_in_the_place_of_the_config_is_no_config(checkout: Checkout, tmp_path: Path) -> None:
    """Git stores where a link leads to, not what it finds there; its name is to be ignored all the same."""
    git(checkout, "init", "--quiet")
    directory = checkout.project("shop", PROJECT, {".gitignore": "/.env\n/.artifacts\n"})
    (tmp_path / "secrets").mkdir()
    (directory / ".local").symlink_to(tmp_path / "secrets")
    assert len(gitignore.private_file_notes(paths(checkout))) == 1
    (directory / ".gitignore").write_text(gitignore.GITIGNORE)
    assert gitignore.private_file_notes(paths(checkout)) == ()
