"""Data through every meter mode: byte for byte the same, counted exactly, in little memory."""

from __future__ import annotations

import hashlib
import random
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from doubles.runtime_project import PYTHON, START, Project, script, until

if TYPE_CHECKING:
    from collections.abc import Callable

    from doubles.runtime_project import Running

PLAIN = (
    PYTHON,
    "-c",
    "import os, sys, runpy\n"
    "del os.splice\n"
    "sys.argv[0] = 'handoff_runtime'\n"
    "runpy.run_module('handoff_runtime', run_name='__main__', alter_sys=True)",
)
NORMAL = (PYTHON, START)
WAYS = [
    pytest.param("rows", NORMAL, id="rows"),
    pytest.param("bytes", NORMAL, id="bytes"),
    pytest.param("off", NORMAL, id="off"),
    pytest.param("rows", PLAIN, id="rows by plain copy"),
    pytest.param("bytes", PLAIN, id="bytes by plain copy"),
]
MIB = 1 << 20
LIGHT = 8 * MIB


def source(code: str) -> list[str]:
    """A stage whose `put` writes bytes to its stdout, whole."""
    return script(f"import os, random, sys, time\nput = lambda data: sys.stdout.buffer.write(data)\n{code}")


@pytest.mark.parametrize(("meter", "python"), WAYS)
def test_any_bytes_pass_unchanged(project: Project, meter: str, python: tuple[str, ...]) -> None:
    code = "r = random.Random(7)\nput(b'\\0' * 100000)\nfor _ in range(40): put(r.randbytes(r.randrange(1, 1 << 19)))"
    done = project.params(source(code), "cat", "cat", meter=meter).run(python=python)
    numbers = random.Random(7)
    expected = b"\0" * 100_000 + b"".join(numbers.randbytes(numbers.randrange(1, 1 << 19)) for _ in range(40))
    rows = expected.count(b"\n") + (expected[-1:] != b"\n")
    size = len(expected)
    found = done.figures("rows_in", "bytes_in", "rows_out", "bytes_out")
    counts = {"rows": (rows, size), "bytes": (None, size), "off": (None, None)}[meter]
    assert (done.exit, hashlib.sha256(done.state or b"").hexdigest()) == (0, hashlib.sha256(expected).hexdigest())
    assert found == [(None, None, *counts), (*counts, *counts), (*counts, *counts)]


AMOUNTS = [
    pytest.param("pass", 0, 0, id="nothing"),
    pytest.param("put(b'x')", 1, 1, id="one byte"),
    pytest.param("put(b'\\n')", 1, 1, id="one newline"),
    pytest.param("put(b'a\\nb\\n')", 2, 4, id="whole lines"),
    pytest.param("put(b'a\\nb')", 2, 3, id="no newline at the end"),
    pytest.param("put(b'\\0\\n\\0')", 2, 3, id="NULs"),
    pytest.param("put(b'1234567\\n' * (1 << 20))", MIB, LIGHT, id="just what is counted here"),
    pytest.param("put(b'1234567\\n' * (1 << 20) + b'x')", MIB + 1, LIGHT + 1, id="a byte more"),
    pytest.param("put((b'1234567\\n' * (1 << 20))[:-1])", MIB, LIGHT - 1, id="a byte less"),
    pytest.param("put(b'1234567\\n' * (1 << 20) + b'\\n')", MIB + 1, LIGHT + 1, id="a newline more"),
    pytest.param("put(b'1234567\\n' * (3 << 20))", 3 * MIB, 3 * LIGHT, id="much"),
    pytest.param(
        "put(b'1234567\\n' * (3 << 20) + b'xyz')", 3 * MIB + 1, 3 * LIGHT + 3, id="much, no newline at the end"
    ),
    pytest.param("put(b'x' * 52428800)", 1, 52_428_800, id="a line of 50 MB"),
    pytest.param("put(b'x' * 52428800 + b'\\n')", 1, 52_428_801, id="a line of 50 MB with its newline"),
    pytest.param("[os.write(1, b'ab\\n') for _ in range(20000)]", 20_000, 60_000, id="many tiny writes"),
    pytest.param("[(os.write(1, b'a\\nb'), time.sleep(0.01)) for _ in range(20)]", 21, 60, id="a slow trickle"),
    pytest.param(
        "put(b'1234567\\n' * (1 << 20)); sys.stdout.flush(); [(os.write(1, b'a\\nb'), time.sleep(0.06)) for _ in range(30)]",
        MIB + 31,
        LIGHT + 90,
        id="a slow trickle after much",
    ),
    pytest.param(
        "put(b'1234567\\n' * (1 << 20)); sys.stdout.flush(); [os.write(1, b'\\n') for _ in range(20000)]",
        MIB + 20_000,
        LIGHT + 20_000,
        id="tiny writes after much",
    ),
]


@pytest.mark.parametrize("python", [pytest.param(NORMAL, id="spliced"), pytest.param(PLAIN, id="copied")])
@pytest.mark.parametrize(("code", "rows", "size"), AMOUNTS)
def test_rows_and_bytes_are_exact(project: Project, code: str, rows: int, size: int, python: tuple[str, ...]) -> None:
    done = project.params(source(code), "cat", "cat > copy; cat copy").run(python=python)
    assert (done.exit, done.figures("rows_out", "bytes_out")) == (0, [(rows, size)] * 3)
    assert project.path("copy").stat().st_size == size


def test_a_slow_reader_is_counted_the_same(project: Project) -> None:
    slow = script("import os, time\nwhile block := os.read(0, 300001): os.write(1, block); time.sleep(0.001)")
    done = project.params(source("put(b'row\\n' * 4000000)"), slow, "cat > /dev/null").run()
    assert (done.exit, done.figures("rows_out", "bytes_out")[:2]) == (0, [(4_000_000, 16_000_000)] * 2)


# the counter


def without_wc(project: Project) -> str:
    """A PATH on which there is cat, and no wc."""
    for name in ("cat", "sh", "sleep"):
        project.path("bin").mkdir(exist_ok=True)
        project.path(
            "bin",
        ).joinpath(name).symlink_to(f"/bin/{name}")
    return str(project.path("bin"))


def test_rows_are_counted_without_wc(project: Project) -> None:
    path = without_wc(project)
    done = project.params(source("put(b'1234567\\n' * (4 << 20) + b'x')"), "cat > copy").run(env={"PATH": path})
    assert (done.exit, done.figures("rows_out", "bytes_out")[0]) == (0, (4 * MIB + 1, 4 * LIGHT + 1))
    assert project.path("copy").stat().st_size == 4 * LIGHT + 1


def test_rows_are_counted_on_when_wc_goes_away(project: Project) -> None:
    path = without_wc(project)
    project.path("bin/wc").symlink_to("/usr/bin/wc")
    block = "put(b'1234567\\n' * (3 << 20)); sys.stdout.flush()"
    code = f"{block}; os.unlink('bin/wc'); time.sleep(2.3); {block}; put(b'x')"
    done = project.params(source(code), "cat > copy").run(env={"PATH": path})
    assert (done.exit, done.figures("rows_out", "bytes_out")[0]) == (0, (6 * MIB + 1, 6 * LIGHT + 1))
    assert project.path("copy").stat().st_size == 6 * LIGHT + 1


@pytest.mark.parametrize("way", ["killed", "slow", "wrong"])
def test_a_counter_that_fails_costs_the_count_not_the_data(project: Project, way: str) -> None:
    path = without_wc(project)
    words = {
        "killed": "head -c 1000000 > /dev/null; kill -KILL $$",
        "slow": "/usr/bin/env PATH=/usr/bin:/bin sh -c 'while head -c 100000 | grep -q . ; do sleep 0.001; done'; echo",
        "wrong": "cat > /dev/null; echo many",
    }
    project.write("bin/wc", f"#!/bin/sh\nPATH=/usr/bin:/bin\n{words[way]}\n", 0o755)
    done = project.params(source("put(b'1234567\\n' * (4 << 20) + b'x')"), "cat > copy").run(env={"PATH": path})
    assert (done.exit, done.figures("rows_out", "bytes_out")[0]) == (0, (None, 4 * LIGHT + 1))
    assert project.path("copy").stat().st_size == 4 * LIGHT + 1


# memory, and no deadlock


def peak(running: Running) -> int:
    """The most memory the runtime has had so far, in KiB."""
    lines = Path(f"/proc/{running.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


LOUD = f"yes {'e' * 98} | head -c {{size}} >&2 & {{work}}; wait"
HOLD = "; touch written; until [ -e go ]; do sleep 0.02; done"


def flood(project: Project, size: int, meter: str, python: tuple[str, ...] = NORMAL) -> tuple[int, int]:
    """Much on every stage's stderr and on the last one's stdout at once; bytes at the end, and the runtime's peak."""
    first, *others = (LOUD.format(size=size, work=work) for work in (f"head -c {size} /dev/zero", "cat", "cat"))
    running = project.params(first, others[0], others[1] + HOLD, meter=meter).start(
        stderr=subprocess.DEVNULL, python=python
    )
    until(lambda: project.path("written").exists(), "the output", 50)
    most = peak(running)
    project.write("go", "")
    done = running.finish()
    log = project.path(".artifacts/stderr.log")
    assert done.exit == 0
    assert log.stat().st_size > 3 * size
    log.unlink()
    return len(done.state or b""), most


@pytest.mark.parametrize(("meter", "python"), WAYS)
def test_memory_is_small_and_flat(projects: Callable[[str], Project], meter: str, python: tuple[str, ...]) -> None:
    sizes = (2_000_000, 40_000_000 if (meter, python) == ("rows", NORMAL) else 10_000_000)
    (little, before), (much, after) = (flood(projects(f"p{size}"), size, meter, python) for size in sizes)
    assert (little, much) == sizes
    assert after < 25 * 1024
    assert after - before < 3 * 1024


def test_memory_is_flat_for_endless_lines(projects: Callable[[str], Project]) -> None:
    def most(size: int) -> int:
        project = projects(f"p{size}")
        code = f"import os, sys\nfor _ in range({size} >> 16): os.write(1, b'x' * 65536); os.write(2, b'e' * 65536)\n"
        hold = "import time\nopen('one', 'w').close()\nwhile not os.path.exists('go'): time.sleep(0.02)"
        files = {"secret.json": '{"password": "correct horse battery staple"}'}
        running = project.params(script(code + hold), "cat", state="singer", files=files).start(
            stderr=subprocess.DEVNULL
        )
        until(lambda: project.path("one").exists(), "it", 50)
        most = peak(running)
        project.write("go", "")
        assert running.finish().exit == 0
        assert project.path(".artifacts/stdout.log").stat().st_size == size
        return most

    with ThreadPoolExecutor(2) as pool:
        before, after = pool.map(most, (10 << 20, 200 << 20))
    assert after < 25 * 1024
    assert after - before < 3 * 1024
