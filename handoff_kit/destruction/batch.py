"""Calls that remove things, several at a time; what AWS leaves there is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from handoff_kit.remote.errors import AWSError, told
from handoff_runtime.aws.together import each

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from handoff_kit.remote.change import Change
    from handoff_runtime.aws.clients import Clients

    Say = Callable[[str], None]

__all__ = ["Batch", "execute"]

GONE = ("NoSuchBucket", "NoSuchUpload", "ParameterNotFound", "RepositoryNotFoundException")
"""How AWS answers where somebody else was quicker."""
_GONE_TOO = ("NoSuchKey", "NoSuchVersion", "ImageNotFound")


@dataclass(frozen=True)
class Batch:
    """Calls of which none waits for another; each is told by itself."""

    calls: tuple[Change, ...]


def execute(batch: Batch, clients: Clients, *, dry: bool, say: Say) -> None:
    """Make the calls, several at a time, and say each; or only say it."""
    if dry:
        for call in batch.calls:
            say(f"would {call.told}")
        return
    with told():
        for call, _ in zip(batch.calls, each(lambda call: _make(call, clients), batch.calls), strict=True):
            say(call.told)


def _make(call: Change, clients: Clients) -> None:
    answer = clients.call_unless(GONE, call.service, call.operation, **call.request)
    if refused := _refused(answer or {}):
        more = f", nor {len(refused) - 1} others" if len(refused) > 1 else ""
        raise AWSError(f"{call.told}: {refused[0]}{more}", "run it again")


def _refused(answer: Mapping[str, Any]) -> list[str]:
    """What S3 and ECR did not remove, of a call that they answered all the same."""
    keys = [(one.get("Code", ""), f"{one.get('Key')} not removed") for one in answer.get("Errors", ())]
    images = [(one.get("failureCode", ""), _image(one)) for one in answer.get("failures", ())]
    return [f"{what} ({code})" for code, what in (*keys, *images) if code not in _GONE_TOO]


def _image(failure: Mapping[str, Any]) -> str:
    return f"image {failure.get('imageId', {}).get('imageDigest', '')} not removed"
