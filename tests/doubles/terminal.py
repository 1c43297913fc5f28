"""A terminal for tests: a pseudo-terminal of a given size, and the screen that what was written to it makes."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import termios
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from doubles.checkout import PATIENCE

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Mapping

    from doubles.checkout import Checkout

_PIECE = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|\r|\n|[^\x1b\r\n]+")


class Screen:
    """Text, carriage return, line feed, cursor up and erase line: all that a live table needs; endlessly high."""

    def __init__(self, width: int) -> None:
        self._width, self._lines, self._x, self._y = width, [""], 0, 0

    def write(self, text: str) -> None:
        """Show it as a terminal would."""
        for piece in _PIECE.finditer(text):
            self._take(piece[0], piece[1], piece[2])

    @property
    def lines(self) -> list[str]:
        """What is seen, from top to bottom."""
        return [line.rstrip() for line in self._lines]

    def _take(self, text: str, argument: str | None, command: str | None) -> None:
        if command == "A":
            self._y -= int(argument or 1)
        elif command == "K":
            self._lines[self._y] = ""
        elif text == "\r":
            self._x = 0
        elif text == "\n":
            self._down()
        elif command is None:
            for character in text:
                self._put(character)

    def _put(self, character: str) -> None:
        if self._x == self._width:
            self._x = 0
            self._down()
        line = self._lines[self._y].ljust(self._x)
        self._lines[self._y] = line[: self._x] + character + line[self._x + 1 :]
        self._x += 1

    def _down(self) -> None:
        self._y += 1
        if self._y == len(self._lines):
            self._lines.append("")


@dataclass
class Shown:
    """A program on a terminal, and what it has written there."""

    process: subprocess.Popen[bytes]
    master: int
    width: int
    written: bytearray = field(default_factory=bytearray)

    def read_until(self, true: Callable[[], object], seconds: float = PATIENCE) -> None:
        """Read what comes until a condition holds, or all has come."""
        end = time.monotonic() + seconds
        while not true():
            if time.monotonic() > end:
                raise TimeoutError(f"not within {seconds} s; there is {bytes(self.written[-2000:])!r}")
            if select.select([self.master], [], [], 0.1)[0] and not self._read():
                return

    def finish(self) -> int:
        """Read to the end; the exit code."""
        self.read_until(lambda: False)
        os.close(self.master)
        return self.process.wait(PATIENCE)

    def type(self, keys: bytes) -> None:
        """As if typed."""
        os.write(self.master, keys)

    @property
    def text(self) -> str:
        """All that was written, escape codes and all."""
        return self.written.decode(errors="replace")

    @property
    def lines(self) -> list[str]:
        """What is seen now."""
        screen = Screen(self.width)
        screen.write(self.text)
        return screen.lines

    def _read(self) -> bool:
        try:
            data = os.read(self.master, 1 << 16)
        except OSError:  # EIO: nobody has the terminal open any more (pty(7))
            return False
        self.written += data
        return bool(data)


def show(checkout: Checkout, *words: str, width: int = 100, env: Mapping[str, str] | None = None) -> Shown:
    """Start invoke on a terminal that is its own, as a shell in a window would."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    environ = {"TERM": "xterm-256color", **(env or {})}
    process = checkout.start(*words, env=environ, terminal=True, stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    return Shown(process, master, width)
