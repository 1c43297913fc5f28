"""Files and checksums, where no store is needed."""

from __future__ import annotations

import hashlib
import os
import socket
import threading
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, cast

import pytest

from handoff_runtime.aws import checksum, transfer, upload
from handoff_runtime.aws.checksum import PART, ExpectedChecksum, FileContent, RunningChecksum
from handoff_runtime.aws.concurrency import map_concurrently
from handoff_runtime.aws.transfer import Place
from handoff_runtime.errors import StoreError

MD5 = "d41d8cd98f00b204e9800998ecf8427e"


def answer(headers: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    return {"ETag": f'"{MD5}"', **more, "ResponseMetadata": {"HTTPHeaders": headers or {}}}


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        pytest.param(answer(Metadata={"sha256": "ab"}), ExpectedChecksum("sha256", "ab"), id="ours"),
        pytest.param(answer({"x-amz-checksum-crc32": "AAAAAQ=="}), ExpectedChecksum("crc32", "00000001"), id="crc32"),
        pytest.param(answer({"x-amz-checksum-sha1": "/w=="}), ExpectedChecksum("sha1", "ff"), id="sha1"),
        pytest.param(
            answer({"x-amz-checksum-sha256": "/w==-3"}), ExpectedChecksum("md5", MD5), id="of parts, by its look"
        ),
        pytest.param(
            answer({"x-amz-checksum-crc32": "AAAAAQ==", "x-amz-checksum-type": "COMPOSITE"}),
            ExpectedChecksum("md5", MD5),
            id="of parts, by its type",
        ),
        pytest.param(
            answer({"x-amz-checksum-crc64nvme": "AAAA"}), ExpectedChecksum("md5", MD5), id="one we cannot count"
        ),
        pytest.param(answer(), ExpectedChecksum("md5", MD5), id="etag"),
        pytest.param(answer(ETag=f'"{MD5}-2"'), ExpectedChecksum("", ""), id="etag of parts"),
        pytest.param(answer(ServerSideEncryption="AES256"), ExpectedChecksum("md5", MD5), id="etag, S3's own key"),
        pytest.param(answer(ServerSideEncryption="aws:kms"), ExpectedChecksum("", ""), id="etag, KMS"),
        pytest.param(answer(ServerSideEncryption="aws:kms:dsse"), ExpectedChecksum("", ""), id="etag, KMS twice"),
        pytest.param(answer(SSECustomerAlgorithm="AES256"), ExpectedChecksum("", ""), id="etag, customer's key"),
    ],
)
def test_the_checksum_that_counts(message: dict[str, Any], expected: ExpectedChecksum) -> None:
    assert checksum.expected_checksum(message) == expected


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("", ""),
        ("crc32", "352441c2"),
        ("md5", hashlib.md5(b"abc", usedforsecurity=False).hexdigest()),
        ("sha256", hashlib.sha256(b"abc").hexdigest()),
    ],
)
def test_a_checksum_grows(tmp_path: Path, kind: str, expected: str) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    running, fd = RunningChecksum(kind), os.open(tmp_path / "x", os.O_RDONLY)
    running.feed_file(fd, 0, 1)
    running.feed_file(fd, 1, 3)
    os.close(fd)
    assert running.value == expected


@pytest.mark.parametrize(("size", "parts"), [(0, 1), (1, 1), (PART, 1), (PART + 1, 2)])
def test_content_and_its_etag(tmp_path: Path, size: int, parts: int) -> None:
    data = b"x" * size
    (tmp_path / "x").write_bytes(data)
    fd = os.open(tmp_path / "x", os.O_RDONLY)
    content, whole = checksum.read_content(fd), checksum.read_content(fd, whole=True)
    os.close(fd)
    assert (content.size, content.sha256, len(content.parts)) == (size, hashlib.sha256(data).hexdigest(), parts)
    md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
    assert (whole.parts[0].hex(), whole.etag) == (md5, f'"{md5}"')
    assert content.etag == whole.etag or content.etag.endswith('-2"')


@pytest.mark.parametrize("size", [0, 1, 5 << 30, 5 << 40])
def test_parts_are_never_too_many(size: int) -> None:
    assert checksum.part_size(size) * checksum.MOST_PARTS >= size
    assert checksum.part_size(size) % PART == 0


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param({"ETag": f'"{MD5}"'}, False, id="the same"),
        pytest.param({"ETag": f'"{MD5[:-1]}0"'}, True, id="another"),
        pytest.param({"ETag": f'"{MD5[:-1]}0"', "ServerSideEncryption": "aws:kms"}, False, id="tells nothing"),
        pytest.param({"ETag": '"opaque"'}, False, id="of another kind"),
    ],
)
def test_whether_an_answer_differs(answer: dict[str, str], expected: bool) -> None:  # noqa: FBT001
    assert checksum.has_other_etag(answer, FileContent(0, "", (bytes.fromhex(MD5),))) == expected


def test_a_slice_reads_and_rewinds(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"0123456789")
    fd = os.open(tmp_path / "x", os.O_RDONLY)
    part = upload.FileSlice(fd, 2, 7)
    found = (len(part), part.read(2), part.tell(), part.read(), part.read(1), part.seek(0), part.read(None))
    ends = (part.seek(-1, os.SEEK_END), part.read(9), part.seek(-2, os.SEEK_CUR), part.read(1))
    os.close(fd)
    assert found == (5, b"23", 2, b"456", b"", 0, b"23456")
    assert ends == (4, b"6", 3, b"5")


def test_the_files_of_a_directory(tmp_path: Path) -> None:
    for name in ("b", "a/z", "a/ä b", f"{transfer.BESIDE}/1"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "broken").symlink_to("nowhere")
    (tmp_path / "link").symlink_to("b")
    (tmp_path / "away").symlink_to("/etc")
    (tmp_path / "linked").symlink_to("a")
    with socket.socket(socket.AF_UNIX) as unix:
        here = Path.cwd()
        os.chdir(tmp_path)
        unix.bind("socket")
        os.chdir(here)
    said: list[str] = []
    found = list(transfer.list_files(str(tmp_path), said.append))
    assert [file.path for file in found] == ["b", "link", "a/z", "a/ä b"]
    assert {file.size for file in found} == {1}
    assert said == [
        f"note: {tmp_path}/away: a link to /etc, which is outside of {tmp_path}: left out",
        f"note: {tmp_path}/broken: no file found there: left out",
        f"note: {tmp_path}/linked: a link to a directory: left out",
        f"note: {tmp_path}/pipe: no file found there: left out",
        f"note: {tmp_path}/socket: no file found there: left out",
    ]


def test_a_file_that_becomes_a_link_after_the_look_is_not_sent(tmp_path: Path) -> None:
    """What is open counts, not what a name led to before; the session is never reached."""
    (tmp_path / "secret").write_text("hunter2")
    here = tmp_path / "here"
    here.mkdir()
    (here / "a").write_text("a")
    (file,) = transfer.list_files(str(here), print)
    (here / "a").unlink()
    (here / "a").symlink_to("../secret")
    nobody: Any = None
    with pytest.raises(
        StoreError, match=r"here/a: a link to .*secret found, which is outside of .*here, a file to store"
    ):
        transfer.store(nobody, [file], Place("b", "s/"))
    (here / "a").unlink()
    os.mkfifo(here / "a")
    with pytest.raises(StoreError, match=r"here/a: a named pipe found, a file to store expected"):
        transfer.store(nobody, [file], Place("b", "s/"))


class OneObject:
    """A listing of one object, which cannot be fetched."""

    def pages(self, *_call: str, **_request: str) -> list[dict[str, Any]]:
        time = datetime.fromtimestamp(0, timezone.utc)
        return [{"Contents": [{"Key": "s/a", "Size": 1, "ETag": '"x"', "LastModified": time}]}]

    def call(self, *_call: object, **_request: str) -> None:
        raise StoreError("refused")


def test_what_waits_to_be_whole_is_never_cleared_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious/a").write_text("a")
    (tmp_path / transfer.BESIDE).symlink_to("precious")
    with pytest.raises(StoreError, match="refused"):
        transfer.fetch(cast("Any", OneObject()), Place("b", "s/"), str(tmp_path))
    assert ((tmp_path / "precious/a").read_text(), (tmp_path / transfer.BESIDE).is_symlink()) == ("a", False)


def test_a_name_that_cannot_be_a_key_is_told(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff")).write_text("x")
    with pytest.raises(StoreError, match="a name that is not UTF-8 found"):
        list(transfer.list_files(str(tmp_path), print))


def test_a_directory_that_is_not_there_has_no_files(tmp_path: Path) -> None:
    assert list(transfer.list_files(str(tmp_path / "none"), print)) == []


def test_several_at_a_time_keep_their_order() -> None:
    together = threading.Barrier(4)

    def work(number: int) -> int:
        together.wait(5)
        return number * 2

    assert list(map_concurrently(work, range(8), 4)) == [0, 2, 4, 6, 8, 10, 12, 14]


def test_the_first_that_fails_ends_the_others() -> None:
    begun: list[int] = []

    def work(number: int) -> None:
        begun.append(number)
        if number == 5:
            raise StoreError("no")
        time.sleep(0.001)

    with pytest.raises(StoreError, match="no"):
        list(map_concurrently(work, range(10_000), 4))
    assert len(begun) < 20


def test_who_wants_no_more_ends_the_others() -> None:
    begun: list[int] = []

    def work(number: int) -> None:
        begun.append(number)
        time.sleep(0.001)

    results = map_concurrently(work, range(1000), 2)
    next(results)
    results.close()
    assert len(begun) < 200
