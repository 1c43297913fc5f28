"""Killed for memory, or not: trees as the kernel shows them, in both versions of control groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from handoff_runtime.supervisor.oom import OomDetector, format_size

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ONE, TWO = "sys/fs/cgroup/memory", "sys/fs/cgroup"
HYBRID = "9:name=systemd:/\n4:memory:{path}\n3:cpu,cpuacct:/\n0::/\n"
UNLIMITED = "9223372036854771712\n"


def oom_control(kills: int) -> str:
    return f"oom_kill_disable 0\nunder_oom 0\noom_kill {kills}\n"


def events(kills: int) -> str:
    return f"low 0\nhigh 0\nmax 41\noom 2\noom_kill {kills}\noom_group_kill 0\n"


def written(root: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


MIB_256 = f"{256 << 20}\n"
KILLED = "the limit of 256 MiB was reached"
TREES = [
    pytest.param(
        {
            "proc/self/cgroup": "0::/\n",
            f"{TWO}/memory.events": events(3),
            f"{TWO}/memory.max": MIB_256,
        },
        {f"{TWO}/memory.events": events(4)},
        KILLED,
        id="version 2 in a container",
    ),
    pytest.param(
        {
            "proc/self/cgroup": "0::/user.slice/run.scope\n",
            f"{TWO}/user.slice/run.scope/memory.events": events(0),
            f"{TWO}/user.slice/run.scope/memory.max": "max\n",
            f"{TWO}/user.slice/memory.events": events(7),
            f"{TWO}/user.slice/memory.max": MIB_256,
        },
        {f"{TWO}/user.slice/run.scope/memory.events": events(1), f"{TWO}/user.slice/memory.events": events(8)},
        KILLED,
        id="version 2, a group in a group that has the limit",
    ),
    pytest.param(
        {
            "proc/self/cgroup": "0::/user.slice/run.scope\n",
            f"{TWO}/user.slice/run.scope/memory.events": events(0),
            f"{TWO}/user.slice/memory.events": events(7),
        },
        {f"{TWO}/user.slice/memory.events": events(8)},
        None,
        id="version 2, a neighbour was killed",
    ),
    pytest.param(
        {
            "proc/self/cgroup": "0::/init.scope\n",
            f"{TWO}/init.scope/memory.events": events(0),
            f"{TWO}/init.scope/memory.max": "max\n",
        },
        {f"{TWO}/init.scope/memory.events": events(1)},
        "there was none left",
        id="version 2 without a limit",
    ),
    pytest.param(
        {
            "proc/self/cgroup": HYBRID.format(path="/docker/0123"),
            f"{ONE}/memory.oom_control": oom_control(0),
            f"{ONE}/memory.limit_in_bytes": MIB_256,
        },
        {f"{ONE}/memory.oom_control": oom_control(1)},
        KILLED,
        id="version 1 in a container, told by the path of the host",
    ),
    pytest.param(
        {
            "proc/self/cgroup": HYBRID.format(path="/a/b"),
            f"{ONE}/memory.oom_control": oom_control(9),
            f"{ONE}/memory.limit_in_bytes": UNLIMITED,
            f"{ONE}/a/b/memory.oom_control": oom_control(1),
            f"{ONE}/a/b/memory.limit_in_bytes": MIB_256,
            f"{ONE}/a/memory.limit_in_bytes": f"{1 << 30}\n",
        },
        {f"{ONE}/a/b/memory.oom_control": oom_control(2)},
        KILLED,
        id="version 1, a group in a group",
    ),
    pytest.param(
        {
            "proc/self/cgroup": HYBRID.format(path="/"),
            f"{ONE}/memory.oom_control": oom_control(0),
            f"{ONE}/memory.limit_in_bytes": UNLIMITED,
        },
        {f"{ONE}/memory.oom_control": oom_control(1)},
        "there was none left",
        id="version 1 without a limit",
    ),
    pytest.param(
        {
            f"{TWO}/memory.events": events(0),
            f"{TWO}/memory.max": MIB_256,
        },
        {f"{TWO}/memory.events": events(1)},
        KILLED,
        id="no /proc",
    ),
    pytest.param(
        {
            "proc/self/cgroup": "0::/\n",
            f"{TWO}/memory.events": events(3),
            f"{TWO}/memory.max": MIB_256,
        },
        {f"{TWO}/memory.events": events(3)},
        None,
        id="not killed for memory",
    ),
    pytest.param(
        {"proc/self/cgroup": HYBRID.format(path="/"), f"{ONE}/memory.oom_control": "oom_kill_disable 0\n"},
        {f"{ONE}/memory.oom_control": "oom_kill_disable 0\n\nunder_oom 0\n"},
        None,
        id="a kernel that does not count",
    ),
    pytest.param({}, {}, None, id="absent"),
    pytest.param({"proc/self/cgroup": "what is this\n"}, {}, None, id="not understood"),
    pytest.param({}, {f"{TWO}/memory.events": events(1)}, None, id="not there before"),
]


@pytest.mark.parametrize(("before", "after", "expected"), TREES)
def test_a_kill_for_memory_is_told_with_the_limit(
    tmp_path: Path, before: Mapping[str, str], after: Mapping[str, str], expected: str | None
) -> None:
    written(tmp_path, before)
    memory = OomDetector(str(tmp_path))
    written(tmp_path, after)
    assert memory.why_killed() == expected


@pytest.mark.parametrize("name", ["memory.events", "memory.max", "memory.oom_control"])
def test_what_cannot_be_read_is_not_told(tmp_path: Path, name: str) -> None:
    (tmp_path / TWO / "memory").mkdir(parents=True)
    for place in (tmp_path / TWO, tmp_path / ONE):
        (place / name).mkdir()  # root reads every file, but no directory
    assert OomDetector(str(tmp_path)).why_killed() is None


def test_what_is_gone_at_the_end_is_not_told(tmp_path: Path) -> None:
    written(tmp_path, {f"{TWO}/memory.events": events(0)})
    memory = OomDetector(str(tmp_path))
    (tmp_path / TWO / "memory.events").unlink()
    assert memory.why_killed() is None


def test_the_tree_of_this_system_is_read() -> None:
    assert OomDetector().why_killed() is None


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (256 << 20, "256 MiB"),
        (2 << 30, "2 GiB"),
        (3 << 29, "1536 MiB"),
        (100_000_000, "95.4 MiB"),
        (512 << 10, "512 KiB"),
        (1000, "1000 bytes"),
    ],
)
def test_a_size_is_told_in_a_unit(count: int, words: str) -> None:
    assert format_size(count) == words
