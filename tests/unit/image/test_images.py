"""Images that exist, from what docker and podman tell of them to the table one reads."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from handoff_kit.errors import ImageError
from handoff_kit.image.build import Image, image_line, images_table, inspected_image, list_images
from handoff_kit.image.builder import Answer, Builder

if TYPE_CHECKING:
    from collections.abc import Sequence

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=timezone.utc)
ID = "0123456789abcdef" * 4
LABELS = {
    "handoff.project": "elements",
    "handoff.context": "c0ffee",
    "org.opencontainers.image.revision": "f16606fb74eb0b146008f983e503c97bd25ab58f+changed",
}
DOCKER = {
    "Id": f"sha256:{ID}",
    "RepoTags": ["handoff-elements:c0ffee", "mine:1"],
    "RepoDigests": [],
    "Created": "2026-11-24T09:59:59.123456789Z",
    "Config": {"Labels": LABELS},
    "Architecture": "amd64",
    "Os": "linux",
    "Size": 161_234_567,
}
PODMAN = {
    **DOCKER,
    "Id": ID,
    "RepoTags": ["localhost/handoff-elements:c0ffee", "localhost/mine:1"],
    "Labels": LABELS,
    "VirtualSize": 161_234_567,
    "Created": "2026-11-24T09:59:59.12Z",
}
FOUND = Image(
    "elements",
    ("handoff-elements:c0ffee", "mine:1"),
    f"sha256:{ID}",
    161_234_567,
    datetime(2026, 11, 24, 9, 59, 59, tzinfo=timezone.utc),
    "linux/amd64",
    "f16606fb74eb0b146008f983e503c97bd25ab58f+changed",
    "c0ffee",
)


def builder(answers: dict[str, Answer], kind: Any = "docker") -> Builder:
    """One that answers `image ls` and `image inspect`, and notes what it was asked."""

    def ask(argv: Sequence[str]) -> Answer:
        assert argv[:2] == (kind, "image")
        return answers[argv[2]]

    return Builder(kind, "linux/amd64", ask)


@pytest.mark.parametrize(
    ("expected", "names"),
    [
        pytest.param(DOCKER, FOUND.names, id="docker"),
        pytest.param(PODMAN, ("localhost/handoff-elements:c0ffee", "localhost/mine:1"), id="podman"),
        pytest.param({**DOCKER, "RepoTags": None}, (), id="no name left"),
    ],
)
def test_what_an_inspection_tells(expected: dict[str, Any], names: tuple[str, ...]) -> None:
    found = inspected_image(expected)
    assert found == Image(
        FOUND.project, names, FOUND.id, FOUND.size, FOUND.created, FOUND.platform, FOUND.revision, FOUND.context
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("2026-11-24T09:59:59Z", "2026-11-24T09:59:59+00:00", id="whole seconds"),
        pytest.param("2026-11-24T09:59:59.123456789Z", "2026-11-24T09:59:59+00:00", id="nanoseconds"),
        pytest.param("2026-11-24T11:59:59.1+02:00", "2026-11-24T09:59:59+00:00", id="a zone"),
        pytest.param("2026-11-24T04:29:59-05:30", "2026-11-24T09:59:59+00:00", id="another zone"),
        pytest.param("0001-01-01T00:00:00Z", "0001-01-01T00:00:00+00:00", id="nobody knows"),
    ],
)
def test_when_it_was_made(text: str, expected: str) -> None:
    assert inspected_image({**DOCKER, "Created": text}).created.isoformat() == expected


def test_the_table() -> None:
    other = Image("word-count", (), "sha256:" + "f" * 64, 0, NOW, "linux/arm64", "", "")
    assert images_table((FOUND, other), NOW) == (
        "PROJECT     IMAGE                    ID            SIZE      AGE        PLATFORM     REVISION\n"
        "elements    handoff-elements:c0ffee  0123456789ab  161.2 MB  2 hours    linux/amd64  f16606fb74eb+changed\n"
        "elements    mine:1                   0123456789ab  161.2 MB  2 hours    linux/amd64  f16606fb74eb+changed\n"
        "word-count  <none>                   ffffffffffff  0 B       0 seconds  linux/arm64\n"
    )


@pytest.mark.parametrize(
    ("revision", "expected"),
    [
        pytest.param("a" * 40, "a" * 12, id="as committed"),
        pytest.param("a" * 40 + "+changed", "a" * 12 + "+changed", id="changed"),
        pytest.param("", "linux/amd64", id="not of git"),
    ],
)
def test_a_revision_is_short(revision: str, expected: str) -> None:
    image = Image("p", ("p:1",), FOUND.id, 0, NOW, "linux/amd64", revision, "")
    assert images_table((image,), NOW).split()[-1] == expected


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        pytest.param(timedelta(), "0 seconds", id="now"),
        pytest.param(timedelta(seconds=1.9), "1 second", id="one"),
        pytest.param(timedelta(seconds=59), "59 seconds", id="nearly a minute"),
        pytest.param(timedelta(seconds=60), "1 minute", id="a minute"),
        pytest.param(timedelta(minutes=59, seconds=59), "59 minutes", id="nearly an hour"),
        pytest.param(timedelta(hours=1), "1 hour", id="an hour"),
        pytest.param(timedelta(hours=47), "1 day", id="a day"),
        pytest.param(timedelta(days=400), "400 days", id="long ago"),
        pytest.param(timedelta(seconds=-5), "0 seconds", id="a clock that is behind"),
    ],
)
def test_an_age(age: timedelta, expected: str) -> None:
    image = Image("p", ("p:1",), FOUND.id, 0, NOW - age, "linux/amd64", "", "")
    assert f"  {expected}  " in images_table((image,), NOW)


# asking


@pytest.mark.parametrize(
    ("project", "wanted"),
    [
        pytest.param(None, "label=handoff.project", id="of all"),
        pytest.param("shop", "label=handoff.project=shop", id="of one"),
    ],
)
def test_images_are_asked_for_by_their_label(project: str | None, wanted: str) -> None:
    asked: list[Sequence[str]] = []

    def ask(argv: Sequence[str]) -> Answer:
        asked.append(argv)
        return Answer(0, "", "")

    assert list_images(Builder("podman", "", ask), project) == ()
    assert asked == [("podman", "image", "ls", "--quiet", "--no-trunc", "--filter", wanted)]


def test_the_newest_comes_first_and_each_once() -> None:
    """An image with two names is listed twice; it is one."""
    asked: list[Sequence[str]] = []
    newer = {**DOCKER, "Id": "sha256:2", "Created": "2026-11-24T10:00:00Z", "RepoTags": ["b:1"]}

    def ask(argv: Sequence[str]) -> Answer:
        asked.append(argv)
        return Answer(0, "sha256:1\nsha256:2\nsha256:1\n" if argv[2] == "ls" else json.dumps([DOCKER, newer]), "")

    assert [image.names[0] for image in list_images(Builder("docker", "", ask), None)] == [
        "b:1",
        "handoff-elements:c0ffee",
    ]
    assert asked[1] == ("docker", "image", "inspect", "sha256:1", "sha256:2")


def test_an_image_that_went_away_meanwhile_is_not_listed() -> None:
    answers = {"ls": Answer(0, "sha256:1\nsha256:2\n", ""), "inspect": Answer(1, json.dumps([DOCKER]), "No such image")}
    assert list_images(builder(answers), None) == (FOUND,)


def test_a_builder_that_cannot_list() -> None:
    with pytest.raises(ImageError) as caught:
        list_images(builder({"ls": Answer(1, "", "Cannot connect\n")}), None)
    assert str(caught.value) == "error: docker cannot list its images: Cannot connect"


def test_the_line_of_a_build() -> None:
    worker = builder({"inspect": Answer(0, json.dumps([PODMAN]), "")}, "podman")
    assert image_line(worker, "a:1", 12.345) == f"a:1  sha256:{ID}  161.2 MB  12.3 s\n"


def test_the_line_of_a_push() -> None:
    worker = builder({"inspect": Answer(0, json.dumps([DOCKER]), "")})
    assert image_line(worker, "r/a:1", 0.04, "sha256:9") == "r/a:1  sha256:9  161.2 MB  0.0 s\n"


def test_an_image_that_the_builder_keeps_to_itself() -> None:
    with pytest.raises(ImageError) as caught:
        image_line(builder({"inspect": Answer(1, "[]", "")}), "a:1", 1)
    assert str(caught.value) == (
        "error: a:1: built, but docker does not have it\nhint: see which it has: docker image ls"
    )
