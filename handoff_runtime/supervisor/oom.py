"""The memory we are given: its limit, and whether the kernel has killed one of us for it (cgroups(7)).

Of both versions of control groups. In a container the path the kernel gives may be one of the host, while
what is mounted begins at our own group; so the mount itself is looked at too.
"""

from __future__ import annotations

from collections.abc import Iterator

from handoff_runtime.namedtuple import NamedTuple

UNITS = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"), (1, "bytes"))
NO_LIMIT = 1 << 62  # what version 1 says where there is none is a little below 2 to the 63rd


class _Version(NamedTuple):
    """Where a version of control groups keeps what we ask for; `controller` as in /proc/self/cgroup."""

    controller: str
    mount: str
    counter: str
    limit: str


_ONE = _Version("memory", "/sys/fs/cgroup/memory", "memory.oom_control", "memory.limit_in_bytes")
_TWO = _Version("", "/sys/fs/cgroup", "memory.events", "memory.max")


class OomDetector:
    """What may be used, and the kills since this was made; below `root` lies the system's tree."""

    def __init__(self, root: str = "") -> None:
        self._root = root
        self._counter, self._before = _counter(root)

    def why_killed(self) -> str | None:
        """What limit was reached, if the kernel has killed a process of our group for memory since."""
        kills = _kills(self._counter)
        if kills is None or self._before is None or kills <= self._before:
            return None
        # The least limit of our group and those around it, as far as we see them.
        texts = [_read(f"{place}/{version.limit}").strip() for version, place in _directories(self._root)]
        limits = (int(text) for text in texts if text.isdigit())
        limit = min((each for each in limits if 0 < each < NO_LIMIT), default=None)
        return f"the limit of {format_size(limit)} was reached" if limit else "there was none left"


def format_size(count: int) -> str:
    """Bytes in the largest unit that holds them as a whole number, or in MiB."""
    if count >= 1 << 20 and count % (1 << 30):
        return f"{round(count / (1 << 20), 1):g} MiB"
    unit, name = next((unit, name) for unit, name in UNITS if count % unit == 0)
    return f"{count // unit} {name}"


def _counter(root: str) -> tuple[str, int | None]:
    """The file that counts the kills in our group, and how many it has counted."""
    paths = (f"{directory}/{version.counter}" for version, directory in _directories(root))
    return next(((path, kills) for path in paths if (kills := _kills(path)) is not None), ("", None))


def _directories(root: str) -> Iterator[tuple[_Version, str]]:
    """Where our group's files may be, from our own upwards."""
    lines = _read(f"{root}/proc/self/cgroup").splitlines()  # like `4:memory:/docker/0123`
    groups = [line.split(":", 2)[1:] for line in lines if line.count(":") > 1]
    for version in (_ONE, _TWO):
        path = next((path for controllers, path in groups if version.controller in controllers.split(",")), "")
        path = path.rstrip("/")
        while path:
            yield version, f"{root}{version.mount}{path}"
            path = path.rpartition("/")[0]
        yield version, root + version.mount


def _kills(path: str) -> int | None:
    words = [line.split() for line in _read(path).splitlines()]
    return next((int(pair[1]) for pair in words if pair[:1] == ["oom_kill"]), None)


def _read(path: str) -> str:
    """A small file of the kernel's; nothing where it is not there or not for us."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
