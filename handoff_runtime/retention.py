"""How long the bucket keeps an object: the one tag it is stored with, by which the bucket's lifecycle rules know it.

keep=DAYS       expires after so many days; what replaced it goes a day later
keep-old=DAYS   stays; an earlier version goes so many days after it was replaced
states=NUMBER   stays; an earlier version goes once as many newer ones were replaced too, though not within a day

What has no tag, or a value without a rule (`forever`), stays for ever.
"""

from __future__ import annotations

from handoff_runtime import s3_keys
from handoff_runtime.namedtuple import NamedTuple

FOREVER = "forever"
KEEP, KEEP_OLD, STATES = TAG_KEYS = ("keep", "keep-old", "states")
PUTS = ("PutObject", "CreateMultipartUpload", "CopyObject")
"""The operations of S3 that create an object, or replace one."""
EXPIRING = tuple(f"/{name}/" for name in ("runs", "history", "maps", "occurrences", "alerts"))


class Keep(NamedTuple):
    """`keep` of a project: days (None: for ever) and a number of states, each one that the bucket has a rule for."""

    runs: int | None = 90
    artifacts: int | None = 30
    states: int = 50


def object_tag(key: str, keep: Keep) -> tuple[str, str] | None:
    """Key and value of the tag of an object; None for one that is below no project's stack."""
    stack = key.partition("/")[0]
    if stack == key or stack.startswith("."):
        return None
    if key[len(stack) :].startswith(EXPIRING):
        return (KEEP, str(keep.runs)) if keep.runs else (KEEP_OLD, "1")  # each run replaces the index of its day
    if key == s3_keys.state(stack):
        return STATES, str(keep.states)
    if key == s3_keys.lease(stack) or key.startswith(s3_keys.expectation(stack, "").removesuffix(".json")):
        return KEEP_OLD, "1"  # each heartbeat replaces the one, each success the other
    return KEEP_OLD, str(keep.artifacts or FOREVER)
