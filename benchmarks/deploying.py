"""Measure how long `invoke --dry deploy` works before its first call: `uv run python benchmarks/deploying.py`.

A server that refuses whoever calls plays AWS, and notes when the first call came: until then files are read, images
hashed, templates rendered. Checkouts of several sizes are measured in turns. Prints Markdown.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import machine
from checkout import INVOKE, ROOT

SIZES = (1, 50, 100, 200)
LIMITS = {1: 1.5, 200: 6.0}
ANSWER = b"<ErrorResponse><Error><Code>AccessDenied</Code><Message>by the benchmark</Message></Error></ErrorResponse>"
PROJECT = """
description: Project {number}
vars: {{base: JPY}}
envs: {{TZ: UTC}}
commands:
  - command: cat
    args: ./requirements.txt
  - command: collector_stats
  - command: wc
    args: "-l"
deploy: {{cpu: 512, memory: 1GB, tags: {{team: data}}}}
schedules:
  - {{name: nightly, cron: "{minute} 2 * * *", timezone: Europe/Berlin}}
"""
SETTINGS = {
    "AWS_ACCESS_KEY_ID": "made-up",
    "AWS_SECRET_ACCESS_KEY": "made-up",
    "AWS_REGION": "eu-central-1",
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
}


class Refusing(BaseHTTPRequestHandler):
    """Answers every call with 403, and notes on the server when the first came."""

    def do_POST(self) -> None:
        """Refuse."""
        self.server.called.append(time.monotonic())  # type: ignore[attr-defined]  # a list that we put there
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(403)
        self.send_header("Content-Length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # as the base class has it
        """Say nothing."""


def main(rounds: int) -> None:
    """Measure, and print."""
    with tempfile.TemporaryDirectory(prefix="handoff-benchmark-") as work:
        checkouts = {size: _checkout(Path(work) / str(size), size) for size in SIZES}
        print(f"{machine.described()}; load at the start {machine.load()}\n", flush=True)
        found: dict[int, list[float]] = {size: [] for size in SIZES}
        for _ in range(rounds + 1):  # the first one warms up
            for size, directory in checkouts.items():
                found[size].append(_before_first_call(directory, size))
        _report({size: seconds[1:] for size, seconds in found.items()}, rounds)


def _report(found: dict[int, list[float]], rounds: int) -> None:
    print(f"## From the start of `invoke --dry deploy --all` to its first call ({rounds} rounds)\n")
    print("| projects | median | lowest - highest | limit | |\n| --- | --- | --- | --- | --- |")
    for size, seconds in found.items():
        median, limit = statistics.median(seconds), LIMITS.get(size)
        verdict = "" if limit is None else "met" if median <= limit else "**missed**"
        told = "" if limit is None else f"{limit:g} s"
        print(f"| {size} | {median:.2f} s | {min(seconds):.2f} - {max(seconds):.2f} | {told} | {verdict} |")
    first, *_, last = found
    each = (statistics.median(found[last]) - statistics.median(found[first])) / (last - first)
    half = (statistics.median(found[100]) - statistics.median(found[first])) / (100 - first)
    print(f"\na further project: {each * 1000:.1f} ms up to {last}, {half * 1000:.1f} ms up to 100")
    print(f"\nload at the end {machine.load()}")


def _checkout(directory: Path, size: int) -> Path:
    for number in range(size):
        project = directory / "projects" / f"project-{number:03}"
        project.mkdir(parents=True)
        (project / "project.yml").write_text(PROJECT.format(number=number, minute=number % 60))
        shutil.copy(ROOT / "projects/word-count/requirements.txt", project)
    for name in ("tasks.py", "Dockerfile.j2"):
        shutil.copy(ROOT / name, directory)
    shutil.copytree(ROOT / "templates", directory / "templates")
    return directory


def _before_first_call(directory: Path, size: int) -> float:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    called: list[float] = []
    server.called = called  # type: ignore[attr-defined]  # for its handlers
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_address[1]}"
    words = ("--project", "project-000") if size == 1 else ("--all",)
    begun = time.monotonic()
    done = subprocess.run(
        [str(INVOKE), "--dry", "deploy", *words],
        cwd=directory,
        env={**os.environ, **SETTINGS, "AWS_ENDPOINT_URL": address},
        capture_output=True,
        text=True,
        check=False,
    )
    server.shutdown()
    server.server_close()
    if not called or "AccessDenied" not in done.stderr:
        raise SystemExit(f"invoke deploy ended with {done.returncode} before it called AWS:\n{done.stderr}")
    return called[0] - begun


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="measured rounds (default: 5)")
    main(parser.parse_args().rounds)
