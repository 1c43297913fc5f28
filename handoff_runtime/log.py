"""The log: stages' stderr and our own words, as lines with the stage's name, masked, never blocking the run.

What cannot be written yet is held; when too much is held the stages' stderr is no longer read, so a slow
terminal slows the stages as it would in a shell, but never the handling of signals.
"""

from __future__ import annotations

import codecs
import json
import os
import select
import time

from handoff_runtime import terminal
from handoff_runtime.masking import Mask
from handoff_runtime.pipeline import RUNTIME_NAME

ESCAPE, RESET = b"\x1b", b"\x1b[0m"  # a stage's colours end with its line: it may not hide what others write
LINE_LIMIT = 1 << 18
PENDING_LIMIT = 1 << 20
FILE_LIMIT = 1 << 30
CUT = b"... the log goes on; this file does not grow beyond 1 GiB\n"
LONGEST_CHAIN = 100  # of secrets that overlap one another; `aaaa` in a line of nothing but `a` has no end
ATOMIC = 4096  # a poll(2) that says writable promises a pipe this much (pipe(7), PIPE_BUF)


class Log:
    """Lines to a file descriptor, as `text` or `json`, and to a file as text."""

    def __init__(
        self,
        fd: int,
        form: str,
        mask: Mask,
        width: int = 0,
        file: int | None = None,
        *,
        file_limit: int = FILE_LIMIT,
    ) -> None:
        self.fd, self._form, self._mask, self._width, self._file = fd, form, mask, width, file
        self._file_limit = file_limit
        self._partial: dict[str, bytes] = {}
        self._unfinished: set[str] = set()  # stages that are in the line they were in at the last `show_unfinished`
        self._continued: set[str] = set()  # stages of whose line the beginning is shown
        self._pending = bytearray()
        self._written = 0
        self._broken = False

    @property
    def full(self) -> bool:
        """Whether to read no more from the stages for now."""
        return len(self._pending) > PENDING_LIMIT

    @property
    def waiting(self) -> bool:
        """Whether something is held that could not be written yet."""
        return bool(self._pending) and not self._broken

    def say(self, text: str) -> None:
        """A line of our own; what it inserts (`errors.mark_inserted`) is masked."""
        line = self._mask.mask_message(text).encode("utf-8", "surrogateescape")
        self._emit(RUNTIME_NAME, terminal.safe_bytes(line + b"\n"))

    def feed(self, stage: str, data: bytes) -> None:
        """What a stage wrote to its stderr; whole lines are passed on, and pieces of endless ones."""
        data = self._partial.pop(stage, b"") + data
        if stage in self._continued and (data := data.lstrip(b"\r")):
            self._continued.discard(stage)
            data = data.removeprefix(b"\n")
        end = data.rfind(b"\n") + 1
        if not end and len(data) > LINE_LIMIT:
            end = self._safe_cut(data, max(0, len(data) - self._mask.longest))
        if end:
            self._unfinished.discard(stage)
            self._emit(stage, self._mask_block(data[:end]))
        if end < len(data):
            self._partial[stage] = data[end:]

    def end(self, stage: str) -> None:
        """The stage writes no more: pass on its last line, newline or not."""
        rest = self._partial.pop(stage, b"")
        if rest:
            self._emit(stage, self._mask_block(rest))

    def show_unfinished(self) -> None:
        """Pass on lines begun before the last call: progress, which ends no line, or a word before a long wait."""
        for stage in [stage for stage in self._partial if stage in self._unfinished]:
            data = self._partial.pop(stage)
            last = data[-3:]  # of a character, all bytes or none
            whole = len(data) - len(last) + codecs.utf_8_decode(last, "ignore", False)[1]
            cut = self._safe_cut(data, min(whole, self._mask.secret_begun(data)))
            if shown := data[:cut].strip(b"\r"):
                self._continued.add(stage)
                self._emit(stage, self._mask_block(shown))
            if data[cut:]:
                self._partial[stage] = data[cut:]
        self._unfinished = set(self._partial)

    def flush(self, _events: int = 0) -> None:
        """Write what can be written without blocking."""
        while self.waiting and select.select([], [self.fd], [], 0)[1]:
            self._write(ATOMIC)

    def drain(self, seconds: float) -> None:
        """Write what is held, but wait no longer than this."""
        until = time.monotonic() + seconds
        while self.waiting and select.select([], [self.fd], [], max(0.0, until - time.monotonic()))[1]:
            self._write(ATOMIC)

    def _write(self, count: int) -> None:
        try:
            del self._pending[: os.write(self.fd, self._pending[:count])]
        except OSError:  # nobody reads our stderr any more; the run goes on, its log is in the file
            self._broken = True
            self._pending.clear()

    def _safe_cut(self, data: bytes, cut: int) -> int:
        """Where to cut a line, at most there, so that no secret is cut in two; 0 where that is not known yet."""
        before, forms = -1, self._mask.encoded
        for _ in range(LONGEST_CHAIN):
            if cut == before:
                break
            # Where secrets begin that reach over the cut.
            starts = (data.find(form, max(0, cut - len(form) + 1), cut + len(form) - 1) for form in forms)
            before, cut = cut, min([cut, *(start for start in starts if start >= 0)])
        return cut

    def _mask_block(self, data: bytes) -> bytes:
        """What a stage wrote, masked and safe to print; most stages write nothing that needs a closer look."""
        if data.isascii() and not terminal.has_controls(data):
            return self._mask.mask_bytes(data)
        return terminal.safe_bytes(self._mask.mask_lines(data))

    def _emit(self, stage: str, block: bytes) -> None:
        """A masked block of whole lines, tagged at once: a line at a time would be ten times slower."""
        lines = block.removesuffix(b"\n").split(b"\n")
        if ESCAPE in block:
            lines = [line.removesuffix(RESET) + RESET if ESCAPE in line else line for line in lines]
        now = time.time()
        tag = f"{time.strftime('%H:%M:%S', time.localtime(now))} {stage:<{self._width}} | ".encode()
        text = b"".join([tag + line + b"\n" for line in lines])
        self._written += len(text)
        try:
            if self._file is not None:  # a stage gone mad must not fill the disk
                os.write(self._file, text if self._written <= self._file_limit else CUT)
        except OSError:
            self._file = None  # a full disk must not end a run that does not need it
        if self._written > self._file_limit:
            self._file = None
        if not self._broken:
            self._pending += text if self._form == "text" else self._json(stage, lines, now)
            self.flush()

    def _json(self, stage: str, lines: list[bytes], now: float) -> bytes:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1000):03d}Z"
        head = {"time": stamp, "stage": stage}
        texts = [json.dumps({**head, "message": line.decode("utf-8", "replace")}) for line in lines]
        return "".join([text + "\n" for text in texts]).encode()
