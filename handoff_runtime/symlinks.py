"""Files that a stage may have replaced by anything: opened without waiting, never through a symlink that leads out.

A name may become another between a look and an open(2), so the look is at what is open: the kernel says where that is.
"""

from __future__ import annotations

import errno
import os
import stat

READ = os.O_RDONLY | os.O_NOCTTY
APPEND = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW  # a new one where there is none
KINDS = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def open_file(path: str, within: str | None = None, flags: int = READ) -> int:
    """Open a regular file; OSError for all else, and where a link leads out of `within` (a real path)."""
    fd = os.open(path, flags | os.O_CLOEXEC | os.O_NONBLOCK, 0o644)
    if error := _unfit(fd, path, within):
        os.close(fd)
        raise error
    return fd


def _unfit(fd: int, path: str, within: str | None) -> OSError | None:
    mode = os.fstat(fd).st_mode
    if not stat.S_ISREG(mode):
        kind = next((name for is_kind, name in KINDS if is_kind(mode)), "no file")
        return OSError(errno.EINVAL, f"{kind} found", path)
    if within is None:
        return None
    try:
        place = os.readlink(f"/proc/self/fd/{fd}")  # where the open file is (proc(5))
    except OSError:  # no /proc: where its path leads to now
        place = os.path.realpath(path)
    if not is_below(place, within):
        return outside_error(path, place, within)
    return None


def outside_error(path: str, place: str, within: str) -> OSError:
    """Of a link that is not followed."""
    found = f"a link to {display_path(place)} found, which is outside of {display_path(within)}"
    return OSError(errno.ELOOP, found, path)


def read_file(path: str, within: str | None = None) -> bytes:
    """What a regular file holds; OSError as `open_file`."""
    with open(open_file(path, within), "rb") as file:
        return file.read()


def target_outside(path: str, within: str) -> str | None:
    """Where a link leads, if that is outside of a directory (a real path)."""
    place = os.path.realpath(path)
    return None if place == within or is_below(place, within) else place


def is_below(place: str, directory: str) -> bool:
    """Whether a real path is in a directory (a real path), at whatever depth."""
    return place.startswith(directory.rstrip("/") + "/")


def display_path(place: str) -> str:
    """A real path as a person in the working directory would write it."""
    here = os.path.realpath(".")
    return os.path.relpath(place, here) if is_below(place, here) else place


def outside_note(path: str, place: str, within: str) -> str:
    """What is said of a link that is left out."""
    return f"note: {path}: a link to {display_path(place)}, which is outside of {display_path(within)}: left out"


def remove_tree(path: str) -> None:
    """Remove a file, a link or a directory with all in it, following no link (shutil would cost 3 ms of imports)."""
    if os.path.islink(path) or not os.path.isdir(path):
        if os.path.lexists(path):
            os.unlink(path)
        return
    for directory, directories, files in os.walk(path, topdown=False):
        for name in files:
            os.unlink(os.path.join(directory, name))
        for name in directories:
            inner = os.path.join(directory, name)
            os.unlink(inner) if os.path.islink(inner) else os.rmdir(inner)
    os.rmdir(path)
