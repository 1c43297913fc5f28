"""Locks, states and installation plans: values in, values out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from handoff_kit.errors import ProjectError
from handoff_kit.paths import ProjectPaths
from handoff_kit.project.load import load_project
from handoff_kit.project.model import Venv
from handoff_kit.steps import LockRequirements, RunCommand, Step, SwitchVenv
from handoff_kit.venvs import locks
from handoff_kit.venvs.install import (
    PYTHON,
    Installer,
    VenvState,
    find_installer,
    plan_install,
    read_venv_state,
    stamp_text,
    venv_status,
)
from handoff_runtime.supervisor.process import STAMP

ROOT = Path(__file__).parents[3]
HASH = "--hash=sha256:" + "0" * 64
PATHS = ProjectPaths("shop", Path("/team"))
TAP = Venv("tap", "venv/tap", ("Tap.A", "b>=2"))
PINS = f"b==2.1 ; python_version < '3.11' \\\n    {HASH}\ntap-a==1.0 \\\n    {HASH} \\\n    {HASH}"
LOCK = locks.lock_text(TAP.requirements, PINS, "3.10")
UV = Installer("uv", "/python", "3.12")
ABSENT = VenvState(None, None, interpreter=False)
READY = VenvState(LOCK, stamp_text(LOCK, Path("/team/projects/shop/venv/tap"), "3.12"), interpreter=True, number=3)


def test_a_lock_says_what_it_was_made_from() -> None:
    text = locks.lock_text(TAP.requirements, PINS, "3.10")
    assert text == (
        f"{locks.TITLE}\n# serves: Python 3.10 and later, on every platform\n# requirement: Tap.A\n# requirement: b>=2\n\n"
        f"b==2.1 ; python_version < '3.11' \\\n    {HASH}\ntap-a==1.0 \\\n    {HASH} \\\n    {HASH}\n"
    )
    assert locks.locked_requirements(LOCK) == TAP.requirements
    locks.check_lock(LOCK, TAP.requirements, "locks/tap.txt", "again")


@pytest.mark.parametrize(
    ("text", "requirements"),
    [
        pytest.param(None, ("a",), id="no lock"),
        pytest.param("", ("a",), id="empty"),
        pytest.param(f"a==1 {HASH}\n", ("a",), id="not ours"),
        pytest.param(LOCK, ("Tap.A",), id="one fewer"),
        pytest.param(LOCK, ("b>=2", "Tap.A"), id="another order"),
        pytest.param(LOCK, ("Tap.A", "b>=3"), id="another version"),
    ],
)
def test_a_lock_of_something_else_is_stale(text: str | None, requirements: tuple[str, ...]) -> None:
    assert not locks.is_current(text, requirements)


@pytest.mark.parametrize(
    ("pins", "expected"),
    [
        pytest.param(
            "<<<<<<< HEAD\n" + PINS,
            ":6: found '<<<<<<< HEAD', expected a requirement with an exact version, NAME==VERSION",
            id="conflict",
        ),
        pytest.param(
            PINS + "\n--extra-index-url https://example.com/simple",
            ":11: found '--extra-index-url https://example.com/si', expected a requirement with an exact "
            "version, NAME==VERSION",
            id="address",
        ),
        pytest.param(
            PINS.replace("b==2.1", "b>=2.1"),
            ":6: found \"b>=2.1 ; python_version < '3.11' --hash=\", expected a requirement with an exact "
            "version, NAME==VERSION",
            id="range",
        ),
        pytest.param(PINS + "\nc==1", ":11: found no hash of c==1, expected --hash=sha256:...", id="no hash"),
        pytest.param(
            PINS + "\nc==1 --hash=md5:12",
            ":11: found '--hash=md5:12', expected --hash=sha256: and 64 hexadecimal digits",
            id="weak hash",
        ),
        pytest.param(f"b==2.1 {HASH}", ": found no version of 'Tap.A', expected one", id="lost entry"),
    ],
)
def test_a_lock_edited_wrongly_is_refused(pins: str, expected: str) -> None:
    text = locks.lock_text(TAP.requirements, pins, "3.10")
    with pytest.raises(ProjectError) as caught:
        plan(replace(READY, lock=text))
    assert str(caught.value) == (
        f"error: projects/shop/locks/tap.txt{expected}\n"
        "hint: create it again: rm projects/shop/locks/tap.txt && invoke install --project shop"
    )


def plan(state: VenvState, installer: Installer = UV, *, upgrade: bool = False) -> tuple[Step, ...]:
    return plan_install(PATHS, (TAP,), {"tap": state}, installer, upgrade=upgrade)


def shape(steps: tuple[Step, ...]) -> list[str]:
    """A plan as the names of its steps; a command by its purpose's verb."""
    return [step.purpose.split()[0] if isinstance(step, RunCommand) else type(step).__name__ for step in steps]


OTHER_LOCK = locks.lock_text(("Tap.A",), PINS, "3.10")
NEW = ["create", "install", "SwitchVenv"]


@pytest.mark.parametrize(
    ("state", "upgrade", "expected"),
    [
        pytest.param(READY, False, [], id="ready"),
        pytest.param(ABSENT, False, ["LockRequirements", *NEW], id="nothing there"),
        pytest.param(replace(ABSENT, lock=LOCK), False, NEW, id="only the lock"),
        pytest.param(replace(READY, stamp=None), False, NEW, id="killed in the middle"),
        pytest.param(replace(READY, stamp="{"), False, NEW, id="unreadable stamp"),
        pytest.param(replace(READY, interpreter=False), False, NEW, id="python gone"),
        pytest.param(
            replace(READY, lock=OTHER_LOCK),
            False,
            ["LockRequirements", *NEW],
            id="requirements changed",
        ),
        pytest.param(
            replace(READY, lock=LOCK.replace("3.10", "3.11")),
            False,
            NEW,
            id="lock changed",
        ),
        pytest.param(READY, True, ["LockRequirements", *NEW], id="upgrade"),
    ],
)
def test_the_plan_is_what_is_missing(state: VenvState, upgrade: bool, expected: list[str]) -> None:  # noqa: FBT001
    assert shape(plan(state, upgrade=upgrade)) == expected


def test_another_python_or_directory_creates_it_again() -> None:
    assert shape(plan(READY, replace(UV, python="3.13"))) == NEW
    moved = plan_install(ProjectPaths("shop", Path("/moved")), (TAP,), {"tap": READY}, UV)
    assert shape(moved) == NEW


def test_uv_s_plan() -> None:
    cwd, lock = Path("/team/projects/shop"), Path("/team/projects/shop/locks/tap.txt")
    flags = "--quiet --universal --generate-hashes --python /python --no-header --no-annotate"
    bare = "--no-emit-index-url --no-emit-find-links --no-emit-index-annotation -"
    assert plan(replace(READY, lock=None)) == (
        LockRequirements(
            lock,
            TAP.requirements,
            tuple(f"uv pip compile {flags} {bare}".split()),
            cwd,
            "lock venv tap of project shop",
            ("3.10", "3.12"),
        ),
        RunCommand(
            ("uv", "venv", "--quiet", "--no-project", "--prompt", "tap", "--python", "/python", "venv/.tap.3"),
            cwd,
            "create venv tap of project shop",
        ),
        RunCommand(
            (
                "uv",
                "pip",
                "install",
                "--quiet",
                "--compile-bytecode",
                "--python",
                "venv/.tap.3",
                "--require-hashes",
                "-r",
                "locks/tap.txt",
            ),
            cwd,
            "install venv tap of project shop",
            patterns=locks.FAILURES,
        ),
        SwitchVenv(cwd / "venv/tap", cwd / "venv/.tap.3", lock, "3.12", lock),
    )


def test_an_upgrade_leaves_a_ready_environment_its_lock() -> None:
    """Until the new one is complete: a run that begins while it is installed finds nothing stale."""
    lock, *_, install, switch = plan(READY, upgrade=True)
    directory = Path("/team/projects/shop/venv")
    resolved = directory / ".tap.3.txt"
    assert isinstance(lock, LockRequirements)
    assert isinstance(install, RunCommand)
    assert (lock.lock, install.argv[-2:]) == (resolved, ("-r", "venv/.tap.3.txt"))
    assert switch == SwitchVenv(directory / "tap", directory / ".tap.3", PATHS.lock("tap"), "3.12", resolved)


@pytest.mark.parametrize(
    ("requirement", "required"),
    [
        pytest.param("a @ https://example.com/a-1.tar.gz", True, id="archive"),
        pytest.param("a @ git+https://example.com/a@main", False, id="repository"),
        pytest.param("git+ssh://git@example.com/a", False, id="nameless repository"),
        pytest.param("./my-tap", False, id="directory"),
        pytest.param("a[s3]>=1; python_version < '4'", True, id="version"),
    ],
)
def test_hashes_are_required_of_all_that_has_one(requirement: str, required: bool) -> None:  # noqa: FBT001
    venv = Venv("tap", "venv/tap", (requirement,))
    install = plan_install(PATHS, (venv,), {"tap": ABSENT}, UV)[2]
    assert isinstance(install, RunCommand)
    assert ("--require-hashes" in install.argv) is required


def test_states_are_read_from_disk(tmp_path: Path) -> None:
    paths = ProjectPaths("shop", tmp_path)
    directory = paths.directory / "venv/tap"
    assert read_venv_state(paths, TAP) == ABSENT
    assert venv_status(paths, TAP) == "missing"
    (directory / "bin").mkdir(parents=True)
    (directory / "bin/python").symlink_to(tmp_path / "gone")
    assert read_venv_state(paths, TAP) == ABSENT
    assert venv_status(paths, TAP) == "missing"
    (tmp_path / "gone").write_text("")
    paths.locks.mkdir()
    paths.lock("tap").write_text(LOCK)
    assert venv_status(paths, TAP) == "stale"
    stamp = stamp_text(LOCK, directory, PYTHON)
    (directory / STAMP).write_text(stamp)
    assert read_venv_state(paths, TAP) == VenvState(LOCK, stamp, interpreter=True)
    assert venv_status(paths, TAP) == "ready"
    assert venv_status(paths, replace(TAP, requirements=("b",))) == "stale"
    for name in (".tap.1", ".tap.9", ".tap.10.txt", ".tap.x", ".tap.a.11", "tap.12", ".tap.13.removed"):
        (directory.parent / name).mkdir()
    assert read_venv_state(paths, TAP).number == 11


def test_an_environment_no_longer_declared_is_left_alone() -> None:
    assert plan_install(PATHS, (), {}, UV) == ()


def test_uv_is_started_by_its_path() -> None:
    """`python -m uv` would search the project's directory for modules first."""
    assert Path(find_installer().uv).is_absolute()


@pytest.mark.parametrize("name", ["elements", "word-count"])
def test_the_samples_locks_are_current_and_hold_no_address(name: str) -> None:
    paths = ProjectPaths(name, ROOT)
    for venv in load_project(paths.file, paths.display_path).venvs:
        text = paths.lock(venv.name).read_text()
        assert locks.is_current(text, venv.requirements)
        locks.check_lock(text, venv.requirements, paths.display_path, "")
        assert "://" not in text
