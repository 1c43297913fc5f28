"""The directory a run works in: the project's, here and in the image, and the places in it."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterable
from io import BufferedReader

from handoff_runtime import symlinks
from handoff_runtime.errors import SYSTEM_HINTS, BusyError, StoreError, mark_inserted
from handoff_runtime.params import ConfigFile

ARTIFACTS = ".artifacts"
ENV = ".env"
CONFIG = f"{ENV}/config"
FILES = f"{ENV}/files"
STATE = f"{ARTIFACTS}/state"
STDOUT = f"{ARTIFACTS}/stdout.log"
STDERR = f"{ARTIFACTS}/stderr.log"
RECORD = f"{ARTIFACTS}/run.json"
RESERVED = f"{ARTIFACTS}/.run.json"  # space for the last record of a run, while it goes on
LOCK = f"{ARTIFACTS}/.lock"
BLOCK = 1 << 18
FIRST_PROCESS = "1"


def lock_directory() -> int:
    """Make `.artifacts` and hold its lock until we end, however we end; BusyError where another run holds it."""
    try:
        os.makedirs(ARTIFACTS, exist_ok=True)
        lock = os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise unwritable_error(str(error.filename or ARTIFACTS), error) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(lock, 32).decode("ascii", "replace").strip()
        os.close(lock)
        message = f"{ARTIFACTS}: another run of this project is under way"
        if not holder.isdecimal():
            raise BusyError(message, f"wait for it; who it is: fuser -v {LOCK}") from None
        if holder == FIRST_PROCESS:
            raise BusyError(f"{message} (in a container)", "wait for it, or stop it: docker ps names it") from None
        raise BusyError(f"{message} (process {holder})", f"wait for it, or stop it: kill {holder}") from None
    except OSError as error:  # a file system without locks
        os.close(lock)
        message = f"{LOCK}: {mark_inserted(error.strerror)}, a file system with locks (flock) expected"
        raise StoreError(message) from None
    try:
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    except OSError:
        pass  # a full disk must not keep a run from trying
    return lock


def prepare(config: Iterable[ConfigFile], files: str | None = "files") -> list[str]:
    """Write the config files (0600, directories 0700) and copy those of a directory, if it is there, to FILES.

    What an earlier run left is removed. Returns notes of what of the directory was left out.
    """
    try:
        _clear(CONFIG)
        old = os.umask(0o077)
        try:
            os.makedirs(CONFIG)
            for file in config:
                path = os.path.join(CONFIG, file.name)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
                    out.write(file.value.encode("utf-8", "surrogatepass"))
        finally:
            os.umask(old)
        _clear(FILES)
        if not files or not os.path.lexists(files):
            return []
        return _copy(files) if os.path.isdir(files) else [f"note: {files}: no directory found there: left out"]
    except OSError as error:
        raise unwritable_error(error.filename or ".env", error) from None


def unwritable_error(path: str, error: OSError) -> StoreError:
    """A place of ours that cannot be written; what is in the way of it is the user's to remove."""
    message = f"{path}: {mark_inserted(error.strerror or str(error))}, a place one can write to expected"
    parts = path.split("/")
    places = ["/".join(parts[: count + 1]) for count in range(len(parts))]
    in_the_way = next((place for place in places if os.path.lexists(place) and not os.path.isdir(place)), "")
    if in_the_way == ENV and os.path.isfile(ENV):  # a file of variables (dotenv): its values may be nowhere else
        hint = f"keep it as config, which a run has as {CONFIG}/env: mkdir -p .local && mv -n {ENV} .local/env"
        return StoreError(message, hint)
    if error.errno in (errno.EEXIST, errno.EISDIR, errno.ENOTDIR, errno.EINVAL, errno.ELOOP, errno.ENXIO):
        in_the_way = in_the_way or path
    elif error.errno != errno.ENOENT:
        in_the_way = ""
    if in_the_way:
        return StoreError(message, f"remove what is in its place: rm -r {in_the_way}")
    return StoreError(message, SYSTEM_HINTS.get(error.errno or 0))


def open_output(path: str) -> BufferedReader:
    """Open what stages have left in a directory; OSError where it is no file, or a link out of that directory."""
    return open(symlinks.open_file(path, os.path.realpath(os.path.dirname(path) or ".")), "rb")


def create_file(path: str) -> int:
    """A new file of that name, open to append; the one of the run before stays whole for its readers."""
    try:
        if os.path.lexists(path):
            os.unlink(path)
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise unwritable_error(path, error) from None


def tail(path: str, lines: int, most: int) -> bytes:
    """The last lines of what a stage wrote, as many as are whole in its last `most` bytes; none of what is gone."""
    try:
        with open_output(path) as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - most))
            data = file.read(most)
    except OSError:
        return b""
    whole = data if size <= most else data.partition(b"\n")[2]
    return b"\n".join(whole.removesuffix(b"\n").split(b"\n")[-lines:])


def measure(path: str, *, count_rows: bool) -> tuple[int, int | None]:
    """Bytes of a file and, with `count_rows`, its lines; a last one without its newline counts."""
    try:
        with open_output(path) as file:
            if not count_rows:
                return os.fstat(file.fileno()).st_size, None
            size, newlines, last = 0, 0, b"\n"
            while block := file.read(BLOCK):
                size, newlines, last = size + len(block), newlines + block.count(b"\n"), block[-1:]
            return size, newlines + (last != b"\n")
    except OSError as error:
        raise StoreError(f"{path}: {mark_inserted(error.strerror)}, what the last stage wrote expected") from None


def _copy(files: str) -> list[str]:
    """Copy a directory; what is no file, and links that lead out of it or around in it, are left out and noted."""
    import shutil

    root, notes = os.path.realpath(files), list[str]()

    def left_out(directory: str, names: list[str]) -> set[str]:
        found = {name: _unfit(os.path.join(directory, name), root) for name in names}
        notes.extend(note for note in found.values() if note)
        return {name for name, note in found.items() if note}

    try:
        shutil.copytree(files, FILES, ignore=left_out)
    except shutil.Error as error:
        source, _, why = error.args[0][0]
        raise StoreError(f"{source}: {why}, a file one can read expected") from None
    return notes


def _unfit(path: str, root: str) -> str | None:
    """Why a path below `files` is not copied."""
    if os.path.islink(path):
        if place := symlinks.target_outside(path, root):
            return symlinks.outside_note(path, place, root)
        parent, target = os.path.dirname(path), os.path.realpath(path)
        while parent and os.path.realpath(parent) != target:
            parent = os.path.dirname(parent)
        if parent:
            return f"note: {path}: a link to a directory that it is in: left out"
    if os.path.isfile(path) or os.path.isdir(path):
        return None
    return f"note: {path}: no file found there: left out"


def _clear(path: str) -> None:
    """Remove what an earlier run left; a link on the way to it that leads out of the project is not followed."""
    for place in (os.path.dirname(path), path):
        if os.path.islink(place) and (place == path or symlinks.target_outside(place, os.path.realpath("."))):
            raise NotADirectoryError(errno.ENOTDIR, "a symbolic link found", place)
    if os.path.exists(path) and not os.path.isdir(path):
        raise NotADirectoryError(errno.ENOTDIR, "a file found", path)
    symlinks.remove_tree(path)
