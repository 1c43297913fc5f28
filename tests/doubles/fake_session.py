"""A session that answers from a table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class FakeSession:
    """Answers by the names of operations, else `other`: one is called with the request if it can be, an error is raised."""

    answers: dict[str, Any]
    calls: list[str] = field(default_factory=list)
    region: str = "eu-central-1"
    other: Exception | None = None

    def call(self, _service: str, operation: str, *, allow: object = (), **request: object) -> Any:  # noqa: ARG002
        self.calls.append(operation)
        answer = self.answers.get(operation, self.other)
        if isinstance(answer, Exception):
            raise answer
        return answer(**request) if callable(answer) else answer

    def pages(self, service: str, operation: str, **request: object) -> Iterator[Any]:
        answer = self.call(service, operation, **request)
        yield from answer if isinstance(answer, list) else () if answer is None else (answer,)

    def account(self) -> str:
        return "1"
