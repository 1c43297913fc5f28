"""The directory a run works in: the project's, here and in the image, and the places in it."""

from __future__ import annotations

import fcntl
import os

from handoff_runtime.errors import BusyError, StoreError
from handoff_runtime.store import ConfigFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

ARTIFACTS = ".artifacts"
CONFIG = ".env/config"
FILES = ".env/files"
STATE = f"{ARTIFACTS}/state"
STDOUT = f"{ARTIFACTS}/stdout.log"
STDERR = f"{ARTIFACTS}/stderr.log"
RECORD = f"{ARTIFACTS}/run.json"
LOCK = f"{ARTIFACTS}/.lock"
BLOCK = 1 << 18
FIRST_PROCESS = "1"


def take() -> int:
    """Make `.artifacts` and hold its lock until we end, however we end; BusyError where another run holds it."""
    try:
        os.makedirs(ARTIFACTS, exist_ok=True)
        lock = os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise StoreError(f"{ARTIFACTS}: {error.strerror}, a directory one can write to expected") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.read(lock, 32).decode("ascii", "replace").strip()
        os.close(lock)
        message = f"{ARTIFACTS}: another run of this project is under way"
        if holder == FIRST_PROCESS:
            raise BusyError(f"{message} (in a container)", "wait for it, or stop it: docker ps names it") from None
        raise BusyError(f"{message} (process {holder})", f"wait for it, or stop it: kill {holder}") from None
    _sign(lock)
    return lock


def _sign(lock: int) -> None:
    """Say who holds it; a full disk must not keep a run from trying."""
    try:
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    except OSError:
        pass


def prepare(config: Iterable[ConfigFile], *, copy: bool = True) -> None:
    """Write the config files (0600, directories 0700) and copy `files`; what an earlier run left is removed.

    Without `copy` the files come from elsewhere.
    """
    try:
        _write_config(config)
        _remove(FILES)
        if copy:
            _copy_files()
    except OSError as error:
        raise StoreError(f"{error.filename or '.env'}: {error.strerror}, a place one can write to expected") from None


def fresh(path: str) -> int:
    """A new file of that name, open to append; the one of the run before stays whole for whoever reads it."""
    try:
        if os.path.lexists(path):
            os.unlink(path)
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}, a place one can write to expected") from None


def measure(path: str, *, count_rows: bool) -> tuple[int, int | None]:
    """Bytes of a file and, if asked for, its lines; a last one without its newline counts."""
    try:
        return _counted(path) if count_rows else (os.stat(path).st_size, None)
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}, what the last stage wrote expected") from None


def _counted(path: str) -> tuple[int, int]:
    size, newlines, last = 0, 0, b"\n"
    with open(path, "rb") as file:
        while block := file.read(BLOCK):
            size, newlines, last = size + len(block), newlines + block.count(b"\n"), block[-1:]
    return size, newlines + (last != b"\n")


def _write_config(config: Iterable[ConfigFile]) -> None:
    _remove(CONFIG)
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


def _copy_files() -> None:
    if not os.path.isdir("files"):
        return
    import shutil

    shutil.copytree("files", FILES)


def _remove(path: str) -> None:
    """Remove a directory and all in it (shutil would cost every run three milliseconds of imports)."""
    if os.path.islink(path):
        raise NotADirectoryError(20, "a symbolic link, a directory expected", path)
    for directory, directories, files in os.walk(path, topdown=False):
        for name in files:
            os.unlink(os.path.join(directory, name))
        for name in directories:
            inner = os.path.join(directory, name)
            os.unlink(inner) if os.path.islink(inner) else os.rmdir(inner)
    if os.path.lexists(path):
        os.rmdir(path)
