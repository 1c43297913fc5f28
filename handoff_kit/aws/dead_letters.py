"""The dead-letter queue of a project's schedules: what EventBridge Scheduler could not start.

A received message is invisible to others for a while. So that the next look finds it again, it is made visible as soon
as all are read. Attributes of a message:
https://docs.aws.amazon.com/scheduler/latest/UserGuide/configuring-schedule-dlq.html
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from handoff_kit import resource_names
from handoff_kit.aws.history import unrecorded_line
from handoff_kit.aws.target import Target
from handoff_kit.errors import AWSError
from handoff_kit.project.execution_input import SCHEDULER_KEYS, RunInput, parse_input
from handoff_kit.text import plural, timestamp
from handoff_runtime import exact_json
from handoff_runtime.masking import STARS, Mask
from handoff_runtime.terminal import safe_name

SQS = "sqs"
NO_QUEUE = ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist", "NonExistentQueue")
BATCH = 10
"""Messages of one call. Amazon SQS API Reference, ReceiveMessage."""
INVISIBLE = 60
"""Seconds for which messages are invisible while all are read."""
LONG_POLL = 1
"""Seconds: a shorter answer asks only some of the servers that hold a queue."""
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@dataclass(frozen=True)
class DeadLetter:
    """A run that a schedule could not start; `scheduled_at` and `given_up_at` are UTC to the second, or empty."""

    id: str
    receipt: str = field(repr=False)
    schedule: str
    scheduled_at: str
    given_up_at: str
    error: str
    message: str
    data: Mapping[str, Any] = field(default_factory=dict)

    def masked(self, mask: Mask) -> DeadLetter:
        """With the secrets of the project starred."""
        return replace(self, message=mask.mask_text(self.message), data=mask.mask_data(self.data))


def find_queue(target: Target) -> str | None:
    """The URL of the queue; None where a project has no schedules."""
    name = resource_names.dead_letters(target.name)
    answer = target.call(SQS, "get_queue_url", allow=NO_QUEUE, QueueName=name)
    return str(answer["QueueUrl"]) if answer else None


def peek(target: Target, url: str) -> tuple[DeadLetter, ...]:
    """Up to ten dead letters, in a call that leaves all visible."""
    return _receive(target, url, visible_after=0)


def list_all(target: Target, url: str) -> tuple[DeadLetter, ...]:
    """Every dead letter, by scheduled time; afterwards all are visible again."""
    found = {letter.id: letter for letters in _receive_all(target, url) for letter in letters}
    _release(target, url, found.values())
    return tuple(sorted(found.values(), key=lambda letter: (letter.scheduled_at, letter.schedule)))


def delete(target: Target, url: str, ids: Collection[str]) -> int:
    """Delete exactly these messages, by fresh receipts; how many were still there."""
    deleted, others = 0, list[DeadLetter]()
    try:
        for letters in _receive_all(target, url):
            shown = [letter for letter in letters if letter.id in ids]
            others += [letter for letter in letters if letter.id not in ids]
            entries = [{"Id": str(number), "ReceiptHandle": each.receipt} for number, each in enumerate(shown)]
            answer = target.call(SQS, "delete_message_batch", QueueUrl=url, Entries=entries) if shown else {}
            if failed := answer.get("Failed"):
                message = f"queue {url.rpartition('/')[2]}: {plural(len(failed), 'message')} could not be deleted"
                raise AWSError(f"{message}: {failed[0].get('Message') or failed[0]['Code']}", "run the command again")
            deleted += len(shown)
    finally:
        _release(target, url, others)
    return deleted


def _receive_all(target: Target, url: str) -> Iterator[tuple[DeadLetter, ...]]:
    """Batches of messages, invisible from here on, until there is none that is new."""
    seen: set[str] = set()
    while True:
        received = _receive(target, url, visible_after=INVISIBLE)
        if seen.issuperset(letter.id for letter in received):
            return
        seen |= {letter.id for letter in received}
        yield received


def _receive(target: Target, url: str, *, visible_after: int) -> tuple[DeadLetter, ...]:
    answer = target.call(
        SQS,
        "receive_message",
        allow=NO_QUEUE,
        QueueUrl=url,
        MaxNumberOfMessages=BATCH,
        VisibilityTimeout=visible_after,
        WaitTimeSeconds=LONG_POLL,
        AttributeNames=["SentTimestamp"],
        MessageAttributeNames=["All"],
    )
    return tuple(map(parse_message, answer.get("Messages", ()))) if answer else ()


def _release(target: Target, url: str, letters: Iterable[DeadLetter]) -> None:
    """Make messages visible; one whose receipt is void becomes visible after INVISIBLE seconds."""
    kept = list(letters)
    for start in range(0, len(kept), BATCH):
        entries = [
            {"Id": str(number), "ReceiptHandle": each.receipt, "VisibilityTimeout": 0}
            for number, each in enumerate(kept[start : start + BATCH])
        ]
        target.call(SQS, "change_message_visibility_batch", QueueUrl=url, Entries=entries)


def parse_message(message: Mapping[str, Any]) -> DeadLetter:
    """A message of ReceiveMessage."""
    attributes = {name: each.get("StringValue", "") for name, each in message.get("MessageAttributes", {}).items()}
    given = _read_body(message.get("Body", ""))
    sent = message.get("Attributes", {}).get("SentTimestamp")
    scheduled = attributes.get("SCHEDULED_TIME") or str(given.data.get("scheduled_at", ""))
    return DeadLetter(
        message["MessageId"],
        message["ReceiptHandle"],
        attributes.get("SCHEDULE_ARN", "").rpartition("/")[2] or given.schedule or "?",
        scheduled if _TIME.fullmatch(scheduled) else "",
        timestamp(int(sent) / 1000) if sent else "",
        attributes.get("ERROR_CODE", "?"),
        " ".join(attributes.get("ERROR_MESSAGE", "").split()),
        {name: value for name, value in given.data.items() if name not in SCHEDULER_KEYS},
    )


def _read_body(body: str) -> RunInput:
    """The input of the execution that was not started: the body, or a text in the request that the body is."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return RunInput()
    text = next((found[key] for key in ("Input", "input") if key in found), None) if isinstance(found, dict) else None
    return parse_input(text if isinstance(text, str) else body)


def history_line(letter: DeadLetter, environment: str) -> dict[str, Any]:
    """A missed schedule as a line of the history; it has no run, and started at no time but its scheduled one."""
    return unrecorded_line(
        environment=environment,
        command="run",
        trigger="schedule",
        started_at=f"{(letter.scheduled_at or letter.given_up_at).removesuffix('Z')}.000Z",
        outcome="missed",
        culprit=letter.error,
        reason=f"{letter.error}: {letter.message}",
        schedule=letter.schedule,
        data=dict(letter.data),
    )


def run_command(letter: DeadLetter, options: str) -> str:
    """The command that runs by hand what was missed, for the time it was due."""
    data = {**letter.data, **({"scheduled_at": letter.scheduled_at} if letter.scheduled_at else {})}
    text = exact_json.dumps(data, ensure_ascii=False)
    if STARS in text:
        return f"invoke run {options} --data DATA, in place of {STARS} the value of .local: {safe_name(text)}"
    return f"invoke run {options}{f' --data {shlex.quote(text)}' if data else ''}"


def format_letters(letters: Sequence[DeadLetter], options: str) -> str:
    """A paragraph for each: schedule and times, why it was not started, the command to run it by hand."""
    paragraphs = []
    for letter in letters:
        lines = (
            f"schedule  {letter.schedule}, due {letter.scheduled_at or '?'}, given up {letter.given_up_at or '?'}",
            f"error     {letter.error}: {letter.message}" if letter.message else f"error     {letter.error}",
            f"run it    {run_command(letter, options)}",
        )
        paragraphs.append("".join(f"{safe_name(line)}\n" for line in lines))
    return "\n".join(paragraphs)


def letter_as_json(letter: DeadLetter, options: str) -> dict[str, Any]:
    """A dead letter for programs."""
    return {
        "schedule": letter.schedule,
        "scheduled_at": letter.scheduled_at or None,
        "given_up_at": letter.given_up_at or None,
        "error": letter.error,
        "message": letter.message,
        "data": dict(letter.data),
        "command": run_command(letter, options),
    }
