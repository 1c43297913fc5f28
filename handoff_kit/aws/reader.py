"""Calls that read, each made once for all who need its answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from handoff_kit.errors import AWSError, translate_store_errors
from handoff_runtime.aws.session import Session


@dataclass
class Reader:
    """One call for each request; a thread that repeats it waits for the answer of the first."""

    session: Session
    _answers: dict[str, Any] = field(default_factory=dict, repr=False)
    _locks: dict[str, Lock] = field(default_factory=dict, repr=False)
    _lock: Lock = field(default_factory=Lock, repr=False)

    def call(self, service: str, operation: str, *, allow: Collection[str] = (), **request: object) -> Any:  # noqa: ANN401
        """As Session.call; AWSError where it stays refused."""
        return self._read(
            service, operation, request, lambda: self.session.call(service, operation, allow=allow, **request)
        )

    def pages(self, service: str, operation: str, *, allow: Collection[str] = (), **request: object) -> list[Any]:
        """All pages of a listing; none where AWS answers with one of `allow`."""
        pages = self._read(
            service, operation, request, lambda: list(self.session.pages(service, operation, allow=allow, **request))
        )
        return list(pages)

    def _read(self, service: str, operation: str, request: Mapping[str, object], call: Callable[[], Any]) -> Any:  # noqa: ANN401
        key = f"{service} {operation} {json.dumps(request, sort_keys=True)}"
        with self._lock:
            lock = self._locks.setdefault(key, Lock())
        with lock:
            if key not in self._answers:
                try:
                    with translate_store_errors():
                        self._answers[key] = call()
                except AWSError as error:
                    self._answers[key] = error
        if isinstance(answer := self._answers[key], AWSError):
            raise answer
        return answer
