"""An HTTP server that webhooks of alerts lead to."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from doubles.http_server import Handler, serve

if TYPE_CHECKING:
    from collections.abc import Iterator


class Subscriber(Handler):
    """Keeps what is posted."""

    got: list[Any]

    def answer_request(self) -> None:
        self.got.append(json.loads(self.read_body()))
        self.send(200, b"ok", {})


@contextmanager
def serve_subscriber() -> Iterator[tuple[str, list[Any]]]:
    """Its URL, and what is posted to it."""
    got: list[Any] = []
    with serve(Subscriber, got=got) as url:
        yield url, got
