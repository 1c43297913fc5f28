"""What people are notified of at the end of a run: a subject and a text, composed of its masked record and log.

The runtime writes it to S3; the alert machine sends it. `expectation` is by when a run must have succeeded, so that
the check machine notices when none has.
"""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Mapping

from handoff_runtime import exact_json, workspace
from handoff_runtime.annotations import Any
from handoff_runtime.errors import StoreError
from handoff_runtime.masking import STARS

FORMAT = 1
FAILED, RECOVERED = "failed", "recovered"
JOB = "main"
LONGEST_SUBJECT = 99  # Amazon SNS API Reference, Publish: less than 100 characters of ASCII, no control characters
LONGEST_NAME = 40  # characters of environment and project in a subject: the rest is for what happened
LARGEST_TEXT = 8 << 10  # bytes
LAST_LINES, LAST_BYTES = 20, 1 << 15
LONGEST_LINE, LONGEST_REASON, LONGEST_DATA = 400, 1000, 1000  # characters
PER_RUN = ("run_id", "trigger")  # of data: each run has another
_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f]")


def read_log() -> bytes:
    """The end of the log that a run has left; empty where a stage has removed it."""
    try:
        return workspace.tail(workspace.STDERR, LAST_LINES, LAST_BYTES)
    except StoreError:
        return b""


def compose_failure(record: Mapping[str, Any], log: bytes) -> dict[str, Any]:
    """The message of a run that failed or was refused; `log` is the end of its log."""
    words = record["reason"] or f"exit {record['exit']}"
    lines = [_cut(_ESCAPES.sub("", line), LONGEST_LINE) for line in log.decode("utf-8", "replace").splitlines()]
    head, commands = _facts(record), ["To look at it:", f"  {show_command(record)}", *_run_again(record)]
    lines = lines[-LAST_LINES:]
    while True:
        ends = ["The last lines of its log:", *lines, ""] if lines else []
        text = "\n".join([*head, "", *ends, *commands, ""])
        if not lines or len(text.encode(errors="replace")) <= LARGEST_TEXT:
            return _message(record, FAILED, f"failed, {words}", text)
        del lines[0]


def compose_recovery(record: Mapping[str, Any], failure: Mapping[str, Any]) -> dict[str, Any]:
    """The message of the first run that succeeded after a failure, of which people were notified."""
    what = [f"It had failed since {failure['since']}: {failure['subject']}", ""] if failure else []
    text = "\n".join([*_facts(record), "", *what, "To look at it:", f"  {show_command(record)}", ""])
    return _message(record, RECOVERED, "recovered, a run succeeded", text)


def compose_subject(environment: str, project: str, words: str) -> str:
    """One line that every recipient takes; a long name is cut before the words are."""
    subject = f"handoff {_cut(f'{environment}/{project}', LONGEST_NAME)}: {_ESCAPES.sub(' ', words)}"
    return _cut(" ".join(subject.encode("ascii", "replace").decode().split()), LONGEST_SUBJECT)


def expectation(success_within: int, now: float) -> dict[str, str]:
    """By when the next run must have succeeded, and under which name people are notified once if none has."""
    by = time.gmtime(now + success_within)
    return {"by": time.strftime("%Y-%m-%dT%H:%M:%SZ", by), "name": time.strftime("silence-%Y%m%dT%H%M%SZ", by)}


def show_command(record: Mapping[str, Any]) -> str:
    """The command that prints the run."""
    return f"invoke history.show --remote --run {record['run_id']} {_options(record)}"


def _run_again(record: Mapping[str, Any]) -> list[str]:
    command = "" if record["command"] == "run" else f" --command {shlex.quote(record['command'])}"
    again = f"invoke run {_options(record)}{command}"
    data = {name: value for name, value in record["data"].items() if name not in PER_RUN}
    text = exact_json.dumps(data, ensure_ascii=False) if data else ""
    if STARS in text or len(text) > LONGEST_DATA:
        return ["To run it again, with its --data, which is secret or long and not shown here:", f"  {again}"]
    return ["To run it again:", f"  {again}{f' --data {shlex.quote(text)}' if text else ''}"]


def format_facts(*facts: tuple[str, object]) -> list[str]:
    """The lines that each message begins with; those that are not known are left out."""
    return [f"{name:<12} {value}" for name, value in facts if value is not None]


def _facts(record: Mapping[str, Any]) -> list[str]:
    start = ("schedule", record["schedule"]) if record.get("schedule") else ("trigger", record["trigger"])
    reason = record["reason"] and _cut(" ".join(record["reason"].split()), LONGEST_REASON)
    named = [(name, record[name]) for name in ("project", "environment")]
    ended = [(name, record[name]) for name in ("outcome", "culprit", "exit")]
    return format_facts(*named, ("job", JOB), start, ("run", record["run_id"]), *ended, ("reason", reason))


def _message(record: Mapping[str, Any], kind: str, words: str, text: str) -> dict[str, Any]:
    subject = compose_subject(record["environment"], record["project"], words)
    text = text.encode(errors="replace").decode()  # no half characters, which JSON has and UTF-8 has not
    return {"format": FORMAT, "kind": kind, "subject": subject, "text": text}


def _options(record: Mapping[str, Any]) -> str:
    project, environment = (shlex.quote(record[name]) for name in ("project", "environment"))
    return f"--project {project} --environment {environment}"


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 3]}..."
