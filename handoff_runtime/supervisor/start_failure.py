"""Why a command cannot start, and the fix: by what its file shows, and by errno (execve(2))."""

from __future__ import annotations

import errno
import os
import shlex
from collections.abc import Mapping, Sequence

from handoff_runtime.errors import SYSTEM_HINTS, StartError, mark_inserted

NOT_FOUND, NOT_EXECUTABLE = 127, 126
LONGEST_WORD = (1 << 17) - 1  # bytes, of a page of 4 KiB (MAX_ARG_STRLEN)
HEAD = 256  # bytes that the kernel reads of a script (BINPRM_BUF_SIZE)

INSTALL = "install what the stage needs: `invoke install`; see what would run: `invoke show-commands`"
SHEBANG = "begin it with a line that names its interpreter, like `#!/usr/bin/env python3`"
OF_THIS_MACHINE = "install one for this machine; an image has the `platform` of `image`"
WITHOUT_MARK = r"save it without: perl -pi -e 's/^\xEF\xBB\xBF//' FILE"
UNIX_LINES = r"convert its lines: perl -pi -e 's/\r$//' FILE"
MACHINES = {3: "i386", 21: "ppc64le", 22: "s390x", 40: "arm", 62: "x86_64", 183: "aarch64", 243: "riscv64"}  # elf(5)
# What a file that is no program of this machine begins with, what it is then, and the fix.
HEADS = (
    (b"#!", f"its first line names no interpreter within {HEAD} bytes", SHEBANG),
    (b"\xef\xbb\xbf", "it begins with a byte order mark", WITHOUT_MARK),
    (b"\xff\xfe", "it is text in UTF-16", "save it as UTF-8, without a byte order mark"),
    (b"\x7fELF", "a damaged program found", OF_THIS_MACHINE),
    (b"MZ", "a program for Windows found", OF_THIS_MACHINE),
    (b"\xcf\xfa\xed\xfe", "a program for macOS found", OF_THIS_MACHINE),
    (b"\xca\xfe\xba\xbe", "a program for macOS found", OF_THIS_MACHINE),
    (b"", "no program found, and no first line that names an interpreter", SHEBANG),
)
HINTS = {
    **SYSTEM_HINTS,
    errno.EACCES: "see who may execute it, and whether its file system may (noexec): ls -l FILE; findmnt -T FILE",
    errno.E2BIG: "put long values into a file: one in `.local/` is in `.env/config/` during a run, one in `files/` in"
    " `.env/files/`",
    errno.ETXTBSY: "another process writes to it: wait for that one; which it is: fuser -v FILE",
}


def start_error(stage: str, name: str, code: int, why: str, hint: str | None, path: str = "") -> StartError:
    """The error of a command that cannot start; FILE in the hint is its path."""
    hint = hint and hint.replace("FILE", mark_inserted(shlex.quote(path)))
    return StartError(stage, code, f"stage {stage}: cannot start {mark_inserted(repr(name))}: {why}", hint)


def missing(stage: str, name: str, where: str) -> StartError:
    """Of a command that is not where it is looked for."""
    return start_error(stage, name, NOT_FOUND, f"not found in {where}", INSTALL)


def not_executable(stage: str, name: str, path: str) -> StartError:
    """Of a command whose file is there, but cannot be executed."""
    if os.path.isdir(path):
        found, hint = "a directory", "write the path of a program in it"
    else:
        found = f"{mark_inserted(path)}, which is not executable"
        hint = HINTS[errno.EACCES] if os.stat(path).st_mode & 0o111 else "make it executable: chmod +x FILE"
    why = f"{found} found, an executable file expected"
    return start_error(stage, name, NOT_EXECUTABLE, why, hint, path)


def bad_interpreter(stage: str, path: str) -> StartError | None:
    """Of a script whose interpreter cannot be executed, for which the kernel says that the script is missing."""
    head = _head(path)
    line, newline, _ = head[2:].partition(b"\n")
    words = [word for word in line.replace(b"\t", b" ").split(b" ") if word]
    if not head.startswith(b"#!") or not words or (len(words) == 1 and not newline and len(head) == HEAD):
        return None
    interpreter = words[0]
    if words[-1].endswith(b"\r") and (len(words) == 1 or os.path.basename(interpreter) == b"env"):
        why = "its first line ends in CRLF, as on Windows, and the CR is a part of the interpreter's name"
        return start_error(stage, path, NOT_FOUND, why, UNIX_LINES, path)
    if os.path.isfile(interpreter) and os.access(interpreter, os.X_OK):
        return None
    shown = mark_inserted(interpreter.decode("utf-8", "replace"))
    if os.path.exists(interpreter):
        return start_error(stage, path, NOT_EXECUTABLE, f"its interpreter {shown} is not executable", SHEBANG)
    return start_error(stage, path, NOT_FOUND, f"its interpreter {shown} is not there", INSTALL)


def refused(stage: str, path: str, argv: Sequence[str], environ: Mapping[str, str], error: OSError) -> StartError:
    """Of a command that the kernel refused."""
    code, why, hint = NOT_EXECUTABLE, error.strerror or str(error), HINTS.get(error.errno or 0)
    if error.errno == errno.ENOENT:
        code, hint = NOT_FOUND, INSTALL
        if os.path.exists(path):
            why = f"{why}: its loader is not there, which is of another system or C library"
    elif error.errno == errno.ENOEXEC:
        found, hint = _of_head(_head(path))
        why = f"{why}: {found}"
    elif error.errno == errno.E2BIG:
        why = f"{why}: {_longest(argv, environ)}"
    return start_error(stage, argv[0], code, why, hint, path)


def _head(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(HEAD)
    except OSError:  # a program may be executable and not readable
        return b""


def _of_head(head: bytes) -> tuple[str, str]:
    found, hint = next((found, hint) for begin, found, hint in HEADS if head.startswith(begin))
    machine = int.from_bytes(head[18:20], "big" if head[5:6] == b"\2" else "little")
    ours = os.uname().machine
    if head.startswith(b"\x7fELF") and MACHINES.get(machine, ours) != ours:
        found = f"a program for {MACHINES[machine]} found, one for {ours} expected"
    return found, hint


def _longest(argv: Sequence[str], environ: Mapping[str, str]) -> str:
    """What is too long: one word or variable, or all of them together."""
    sizes = [(len(os.fsencode(word)), "a word") for word in argv]
    for name, value in environ.items():
        sizes.append((len(os.fsencode(f"{name}={value}")), f"the variable {mark_inserted(name)}"))
    size, what = max(sizes)
    if size > LONGEST_WORD:
        return f"{what} of {size:,} bytes found, at most {LONGEST_WORD:,} expected"
    return f"words and variables of {sum(size for size, _ in sizes):,} bytes found"
