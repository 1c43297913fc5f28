"""Files to and from S3 on bad days: over real HTTP, a proxy between that cuts, spoils, delays and refuses."""

from __future__ import annotations

import hashlib
import random
import re
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from handoff_runtime.aws import checksum, download, state, transfer, upload
from handoff_runtime.aws.upload import UploadTarget
from handoff_runtime.errors import HandoffError, StoreError

if TYPE_CHECKING:
    from pathlib import Path

    from doubles.fault_proxy import Proxy
    from doubles.moto_bucket import MotoBucket

    from handoff_runtime.aws.session import Session
    from handoff_runtime.aws.transfer import Place

pytestmark = pytest.mark.takes(60)


MB = 1 << 20
ODD_KEYS = (
    "a b  c.txt",
    "käse/日本語/🧀.json",
    "plus+and&and=and%20.txt",
    "quote\"'`<xml>.txt",
    "#?;:@$,!*().txt",
    "tab\there\x7f.txt",
    "-dash",
    "...",
    "~/tilde",
)


def tree(directory: Path) -> dict[str, bytes]:
    """Every file below a directory."""
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def written(directory: Path, content: dict[str, bytes]) -> Path:
    for name, data in content.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return directory


def put(session: Session, directory: str, place: Place) -> None:
    """Store what changed of a directory; what is there and not here stays."""
    transfer.store(session, transfer.plan(session, transfer.list_files(directory, print), place).send, place)


def some(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


MANY = {f"d{number % 3}/f{number}": some(100 + number, number) for number in range(40)}


@dataclass(frozen=True)
class Transfers:
    """Files from `here` to a bucket, below s/, and from there to `out`; a proxy between."""

    moto_bucket: MotoBucket
    proxy: Proxy
    directory: Path

    def put(self, content: dict[str, bytes]) -> Path:
        here = written(self.directory / "here", content)
        put(self.moto_bucket.session(self.proxy), str(here), self.moto_bucket.place("s/"))
        return here

    def fetch(self, **effects: Any) -> dict[str, bytes]:
        out, session = self.directory / "out", self.moto_bucket.session(self.proxy, **effects)
        transfer.fetch(session, self.moto_bucket.place("s/"), str(out))
        return tree(out)


@pytest.fixture
def transfers(moto_bucket: MotoBucket, proxy: Proxy, tmp_path: Path) -> Transfers:
    return Transfers(moto_bucket, proxy, tmp_path)


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is large is smaller, so that tests are fast."""
    monkeypatch.setattr(download, "RANGE", MB)
    monkeypatch.setattr(download, "LARGE", 2 * MB)
    monkeypatch.setattr(download, "BLOCK", 1 << 16)


def test_what_is_put_is_fetched(moto_bucket: MotoBucket, tmp_path: Path) -> None:
    session, here = moto_bucket.session(), written(tmp_path / "here", {**MANY, "empty": b""})
    put(session, str(here), moto_bucket.place("s/"))
    transfer.fetch(session, moto_bucket.place("s/"), str(tmp_path / "there"))
    assert tree(tmp_path / "there") == tree(here)
    assert moto_bucket.said == []


@pytest.mark.parametrize("size", [0, 1, 2 * MB - 1, 2 * MB, 2 * MB + 1, 5 * MB + 17])
@pytest.mark.usefixtures("small_parts")
def test_sizes_around_the_ranges(transfers: Transfers, size: int) -> None:
    transfers.moto_bucket.put("s/x", some(size))
    assert transfers.fetch() == {"x": some(size)}


def test_odd_keys_there_and_back(moto_bucket: MotoBucket, tmp_path: Path) -> None:
    here = written(tmp_path / "here", {name: name.encode() for name in ODD_KEYS if name != "..."})
    put(moto_bucket.session(), str(here), moto_bucket.place("s p/ä/"))
    assert sorted(moto_bucket.keys()) == sorted(f"s p/ä/{name}" for name in ODD_KEYS if name != "...")
    transfer.fetch(moto_bucket.session(), moto_bucket.place("s p/ä/"), str(tmp_path / "there"))
    assert tree(tmp_path / "there") == tree(here)


@pytest.mark.parametrize("key", ["s/../x", "s/a/../../x", "s//x", "s/./x", "s/a/.."])
def test_a_key_that_leads_out_is_refused_before_anything_is_fetched(
    moto_bucket: MotoBucket, tmp_path: Path, key: str
) -> None:
    moto_bucket.put("s/good", b"x")
    moto_bucket.put(key, b"x")
    with pytest.raises(StoreError, match="leads out of its directory"):
        transfer.fetch(moto_bucket.session(), moto_bucket.place("s/"), str(tmp_path / "out"))
    assert tree(tmp_path) == {}


def test_a_symbolic_link_leads_nothing_out_of_the_directory(moto_bucket: MotoBucket, tmp_path: Path) -> None:
    moto_bucket.put("s/link/x", b"x")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match=r"out/link/x: a symbolic link found on the way to it"):
        transfer.fetch(moto_bucket.session(), moto_bucket.place("s/"), str(tmp_path / "out"))
    assert tree(tmp_path) == {}


def test_a_listing_that_is_cut_is_asked_for_again(transfers: Transfers) -> None:
    transfers.put(MANY)
    transfers.proxy.fault("cut", path="list-type", after=1000, times=2)
    assert (transfers.fetch(), len(transfers.moto_bucket.said)) == (MANY, 2)


def test_folders_that_consoles_draw_are_left_out(transfers: Transfers) -> None:
    for key, content in {"s/": b"", "s/folder/": b"", "s/folder/x": b"x"}.items():
        transfers.moto_bucket.put(key, content)
    assert transfers.fetch() == {"folder/x": b"x"}


def test_a_key_that_is_the_directory_of_another_is_told(transfers: Transfers) -> None:
    for key in ("s/a", "s/a/b"):
        transfers.moto_bucket.put(key, b"x")
    with pytest.raises(StoreError, match=r"(Not a directory|Is a directory|File exists)") as caught:
        transfers.fetch()
    assert caught.value.hint == "one key is the directory of another: remove one of the two"


def test_only_what_changed_is_sent_and_no_head_is_asked_for(
    moto_bucket: MotoBucket, proxy: Proxy, tmp_path: Path
) -> None:
    here = written(tmp_path / "here", {**MANY, "large": some(17 * MB)})
    put(moto_bucket.session(), str(here), moto_bucket.place("s/"))
    written(here, {"d0/f0": b"other", "new": b"new"})
    (here / "d1/f1").unlink()
    session = moto_bucket.session(proxy)
    plan = transfer.plan(session, transfer.list_files(str(here), session.effects.say), moto_bucket.place("s/"))
    assert [file.path for file in plan.send] == ["new", "d0/f0"]
    assert (len(plan.same), [item.path for item in plan.gone]) == (39, ["d1/f1"])
    assert [call for call in proxy.calls if call.startswith("HEAD")] == []
    transfer.remove(session, moto_bucket.bucket, [item.key for item in plan.gone])
    assert {"s/d1/f1"} & set(moto_bucket.keys()) == set()


def test_an_etag_that_tells_nothing_is_asked_about(moto_bucket: MotoBucket, proxy: Proxy, tmp_path: Path) -> None:
    """As under a KMS key: here the object was sent in parts, by us and by another."""
    here = written(tmp_path / "here", {"x": some(100), "y": some(200)})
    s3, known = moto_bucket.boto("s3"), {"x": checksum.SHA256, "y": "nothing"}
    for name, key in known.items():
        place = {"Bucket": moto_bucket.bucket, "Key": f"s/{name}"}
        sha = hashlib.sha256((here / name).read_bytes()).hexdigest()
        place["UploadId"] = s3.create_multipart_upload(**place, Metadata={key: sha})["UploadId"]
        part = s3.upload_part(**place, PartNumber=1, Body=(here / name).read_bytes())["ETag"]
        s3.complete_multipart_upload(**place, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part}]})
    plan = transfer.plan(moto_bucket.session(proxy), transfer.list_files(str(here), print), moto_bucket.place("s/"))
    assert ([file.path for file in plan.same], [file.path for file in plan.send]) == (["x"], ["y"])


@pytest.mark.parametrize("every", [2, 3, 7])
@pytest.mark.parametrize(
    ("status", "code"),
    [(500, "InternalError"), (503, "ServiceUnavailable"), (503, "SlowDown"), (429, "TooManyRequestsException")],
)
def test_every_nth_call_fails(transfers: Transfers, every: int, status: int, code: str) -> None:
    few = dict(list(MANY.items())[:12])
    fault = transfers.proxy.fault("answer", every=every, status=status, code=code)
    transfers.put(few)
    assert transfers.fetch() == few
    assert len(transfers.moto_bucket.said) == fault.done
    assert all(f": {status} {code}; attempt " in line and line.startswith("S3 ") for line in transfers.moto_bucket.said)


SPOILT = {"kind": "spoil", "method": "GET", "path": "/s/x"}
FAILURES = [
    pytest.param(
        {"kind": "answer", "status": 503, "code": "ServiceUnavailable"},
        {},
        r"s3://BUCKET/s/: S3 ListObjectsV2 answered 503 ServiceUnavailable, still after 8 attempts \(by the proxy\)",
        8,
        id="away",
    ),
    pytest.param(
        {"kind": "answer", "status": 403, "code": "AccessDenied"},
        {},
        "s3://BUCKET/s/: AccessDenied found, the permission s3:ListBucket on arn:aws:s3:::BUCKET expected",
        1,
        id="no listing",
    ),
    *(
        pytest.param({"kind": "answer", "status": status, "code": code}, {}, f"s3://BUCKET/s/: {message}", 1, id=code)
        for code, status, message in (
            ("ExpiredToken", 400, r"the credentials have expired \(ExpiredToken\), valid ones expected"),
            ("InvalidAccessKeyId", 403, r"credentials that AWS does not accept found \(InvalidAccessKeyId\)"),
            ("SignatureDoesNotMatch", 403, r"credentials that AWS does not accept found \(SignatureDoesNotMatch\)"),
            (
                "RequestTimeTooSkewed",
                403,
                r"this machine's clock is wrong \(RequestTimeTooSkewed\), the time of AWS expected",
            ),
        )
    ),
    pytest.param(
        {"kind": "cut", "method": "GET", "path": "/s/x", "after": 0},
        {},
        r".*0 of 1,000 bytes, and nothing more in 8 attempts.*",
        9,
        id="it never moves",
    ),
    *(
        pytest.param(SPOILT, stored, rf".*/s/x: its {kind} is \w+, expected \w+, 3 times.*", 4, id=name)
        for stored, kind, name in (
            ({"Metadata": {"sha256": "0" * 64}}, "sha256", "a checksum of ours differs"),
            ({"ChecksumAlgorithm": "SHA256"}, "sha256", "s3 sha256"),
            ({"ChecksumAlgorithm": "SHA1"}, "sha1", "s3 sha1"),
            ({"ChecksumAlgorithm": "CRC32"}, "crc32", "s3 crc32"),
        )
    ),
]


@pytest.mark.parametrize(("fault", "stored", "message", "calls"), FAILURES)
def test_a_fetch_that_fails_is_told_and_leaves_nothing(
    transfers: Transfers, fault: dict[str, Any], stored: dict[str, Any], message: str, calls: int
) -> None:
    transfers.moto_bucket.put("s/x", some(1000), **stored)
    transfers.proxy.fault(**fault)
    with pytest.raises(StoreError) as caught:
        transfers.fetch()
    result = caught.value.message.replace(transfers.moto_bucket.bucket, "BUCKET")
    assert re.fullmatch(message, result), result
    assert (caught.value.exit_code, len(transfers.proxy.calls), tree(transfers.directory)) == (69, calls, {})


def test_every_attempt_is_told(transfers: Transfers) -> None:
    transfers.proxy.fault("answer", status=503, code="ServiceUnavailable")
    with pytest.raises(StoreError):
        transfers.fetch()
    said = [line.partition("attempt ")[2].partition(" in ")[0] for line in transfers.moto_bucket.said]
    assert said == [f"{n} of 8" for n in range(2, 9)]


def test_patience_ends_before_the_attempts_do(transfers: Transfers) -> None:
    transfers.proxy.fault("answer", status=500)
    with pytest.raises(StoreError, match=r"500 InternalError \(by the proxy\)"):
        transfers.fetch(patience=0.05)
    assert (len(transfers.proxy.calls), transfers.moto_bucket.said) == (1, [])


@pytest.mark.parametrize("after", [0, 1, 70_000, 400_000])
@pytest.mark.parametrize("size", [1_000_001, 3 * MB - 5])
@pytest.mark.usefixtures("small_parts")
def test_a_cut_download_goes_on_where_it_was_cut(transfers: Transfers, size: int, after: int) -> None:
    transfers.moto_bucket.put("s/x", some(size))
    transfers.proxy.fault("cut", method="GET", path="/s/x", after=after, times=2)
    assert transfers.fetch() == {"x": some(size)}
    assert len([line for line in transfers.moto_bucket.said if "going on from there" in line]) == 2


@pytest.mark.usefixtures("small_parts")
def test_a_download_cut_again_and_again_comes_as_long_as_it_moves(transfers: Transfers) -> None:
    transfers.moto_bucket.put("s/x", some(MB))
    transfers.proxy.fault("cut", method="GET", path="/s/x", after=40_000)
    assert transfers.fetch() == {"x": some(MB)}


@pytest.mark.parametrize("size", [1000, 20 * MB])
@pytest.mark.parametrize(
    ("fault", "times"),
    [
        pytest.param({"kind": "cut-upload", "after": 500}, 2, id="cut"),
        pytest.param({"kind": "spoil-upload"}, 1, id="damaged: S3 refuses it by its Content-MD5, and moto by its ETag"),
    ],
)
def test_an_upload_that_does_not_arrive_whole_is_sent_again(
    transfers: Transfers, fault: dict[str, Any], times: int, size: int
) -> None:
    transfers.proxy.fault(method="PUT", times=times, **fault)
    transfers.put({"x": some(size)})
    assert (transfers.moto_bucket.get("s/x") == some(size), len(transfers.moto_bucket.said)) == (True, times)


def test_an_upload_that_fails_leaves_no_parts(transfers: Transfers) -> None:
    transfers.proxy.fault("answer", method="PUT", path="partNumber=2", status=403, code="AccessDenied")
    with pytest.raises(StoreError, match="s3:PutObject"):
        transfers.put({"x": some(20 * MB)})
    bucket = transfers.moto_bucket.bucket
    assert transfers.moto_bucket.boto("s3").list_multipart_uploads(Bucket=bucket).get("Uploads", []) == []


@pytest.mark.parametrize("size", [100_000, 3 * MB])
@pytest.mark.usefixtures("small_parts")
def test_a_checksum_that_differs_once_is_healed(transfers: Transfers, size: int) -> None:
    transfers.put({"x": some(size)})
    transfers.proxy.fault("spoil", method="GET", path="/s/x", times=1)
    assert (transfers.fetch() == {"x": some(size)}, len(transfers.moto_bucket.said)) == (True, 1)


def test_one_key_that_is_denied_is_named_with_the_permission(transfers: Transfers) -> None:
    transfers.put(MANY)
    transfers.proxy.fault("answer", method="GET", path="/s/d1/f7", status=403, code="AccessDenied")
    with pytest.raises(StoreError) as caught:
        transfers.fetch()
    assert caught.value.message.replace(transfers.moto_bucket.bucket, "BUCKET") == (
        "s3://BUCKET/s/d1/f7: AccessDenied found, the permission s3:GetObject on arn:aws:s3:::BUCKET/s/d1/f7 expected"
    )


def test_a_bucket_that_is_missing(moto_bucket: MotoBucket, tmp_path: Path) -> None:
    missing = moto_bucket.place("s/")._replace(bucket="no-such-bucket-here")
    with pytest.raises(StoreError) as caught:
        transfer.fetch(moto_bucket.session(), missing, str(tmp_path / "out"))
    hint = "set S3_BUCKET_NAME to the bucket of this environment, or make it: aws s3 mb s3://no-such-bucket-here"
    assert (caught.value.message, caught.value.hint) == ("bucket no-such-bucket-here: no such bucket found", hint)


def test_no_endpoint(moto_bucket: MotoBucket, tmp_path: Path) -> None:
    gone = replace(moto_bucket, endpoint="http://127.0.0.1:9")
    with pytest.raises(StoreError, match=r"S3 ListObjectsV2 got no connection .*http://127.0.0.1:9/"):
        transfer.fetch(gone.session(), moto_bucket.place("s/"), str(tmp_path / "out"))


@pytest.mark.parametrize("names", [["large"], [f"f{number}" for number in range(30)]], ids=["one file", "many"])
@pytest.mark.usefixtures("small_parts")
def test_a_disk_that_is_full_in_the_middle(
    moto_bucket: MotoBucket, small_disk: Path, tmp_path: Path, names: list[str]
) -> None:
    here = written(tmp_path / "here", {name: some(6 * MB // len(names)) for name in names})
    put(moto_bucket.session(), str(here), moto_bucket.place("s/"))
    with pytest.raises(StoreError, match=r"No space left on device \(while s3://.* was fetched\)") as caught:
        transfer.fetch(moto_bucket.session(), moto_bucket.place("s/"), str(small_disk / "out"))
    assert caught.value.hint == "make room, or give the task a larger disk"
    there = tree(small_disk)
    assert {f"out/{name}": (here / name).read_bytes() for name in names}.items() >= there.items()


def test_what_a_killed_fetch_left_is_removed(moto_bucket: MotoBucket, tmp_path: Path) -> None:
    moto_bucket.put("s/x", b"x")
    written(tmp_path, {f"out/{transfer.BESIDE}/17": b"half"})
    transfer.fetch(moto_bucket.session(), moto_bucket.place("s/"), str(tmp_path / "out"))
    assert tree(tmp_path / "out") == {"x": b"x"}


@pytest.mark.usefixtures("small_parts")
def test_an_object_that_changes_while_it_is_fetched_is_fetched_anew(
    moto_bucket: MotoBucket, proxy: Proxy, tmp_path: Path
) -> None:
    moto_bucket.put("s/x", some(5 * MB, 1))
    found = list(transfer.list_items(moto_bucket.session(), moto_bucket.place("s/")))
    moto_bucket.put("s/x", some(4 * MB, 2))
    source = download.StoredObject(moto_bucket.bucket, "s/x", found[0].size, found[0].etag)
    got = download.download(moto_bucket.session(proxy), source, str(tmp_path / "new"), str(tmp_path / "x"))
    assert (got.size, (tmp_path / "x").read_bytes()) == (4 * MB, some(4 * MB, 2))
    assert moto_bucket.said == [f"s3://{moto_bucket.bucket}/s/x: changed while it was fetched; fetch 1 of 3"]


def test_a_fetch_that_is_told_to_stop_stops(moto_bucket: MotoBucket, tmp_path: Path) -> None:
    put(moto_bucket.session(), str(written(tmp_path / "here", MANY)), moto_bucket.place("s/"))
    calls: list[int] = []

    def check() -> None:
        calls.append(1)
        if len(calls) > 10:
            raise HandoffError("stopped")

    with pytest.raises(HandoffError, match="stopped"):
        transfer.fetch(moto_bucket.session(check=check), moto_bucket.place("s/"), str(tmp_path / "out"))
    assert len(tree(tmp_path / "out")) < len(MANY)


def test_a_slow_answer_is_waited_for(transfers: Transfers) -> None:
    transfers.moto_bucket.put("s/x", b"x")
    transfers.proxy.fault("wait", seconds=0.5)
    assert transfers.fetch() == {"x": b"x"}


def test_a_large_artifact_goes_up_and_down_in_flat_memory(moto_bucket: MotoBucket, tmp_path: Path) -> None:
    """The 300 MB of the benchmark are measured there, in a process of its own: the server is in ours."""
    with (tmp_path / "large").open("wb") as file:
        for seed in range(100):
            file.write(some(MB, seed))
    session, target = moto_bucket.session(), UploadTarget(moto_bucket.bucket, "s/large")
    etag = upload.upload(session, str(tmp_path / "large"), target)
    assert etag is not None
    assert etag.endswith('-13"')
    transfer.fetch(session, moto_bucket.place("s/"), str(tmp_path / "out"))
    assert subprocess.run(["cmp", tmp_path / "large", tmp_path / "out" / "large"], check=False).returncode == 0


STATE = b'{"bookmark": 1}\n'


def test_a_state_is_replaced_by_who_knows_it(moto_bucket: MotoBucket, tmp_path: Path) -> None:
    session, path = moto_bucket.session(), tmp_path / "state"
    assert state.fetch_state(session, moto_bucket.bucket, moto_bucket.stack, str(path)) is None
    assert not path.exists()
    path.write_bytes(STATE)
    first = state.replace_state(session, moto_bucket.bucket, moto_bucket.stack, str(path), None)
    assert state.fetch_state(session, moto_bucket.bucket, moto_bucket.stack, str(tmp_path / "again")) == first
    path.write_bytes(b'{"bookmark": 2}\n')
    state.replace_state(session, moto_bucket.bucket, moto_bucket.stack, str(path), first)
    assert moto_bucket.get(f"{moto_bucket.stack}/.artifacts/state") == b'{"bookmark": 2}\n'


@pytest.mark.parametrize("begun_with", [None, STATE], ids=["without a state", "with one"])
def test_a_state_another_run_replaced_is_not_overwritten(
    moto_bucket: MotoBucket, tmp_path: Path, begun_with: bytes | None
) -> None:
    session, path = moto_bucket.session(), tmp_path / "state"
    base = None
    if begun_with:
        path.write_bytes(begun_with)
        base = state.replace_state(session, moto_bucket.bucket, moto_bucket.stack, str(path), None)
    moto_bucket.put(f"{moto_bucket.stack}/.artifacts/state", b'{"by": "another"}')
    path.write_bytes(b'{"by": "us"}')
    with pytest.raises(StoreError, match="another run stored a newer state since this one began"):
        state.replace_state(session, moto_bucket.bucket, moto_bucket.stack, str(path), base)
    assert moto_bucket.get(f"{moto_bucket.stack}/.artifacts/state") == b'{"by": "another"}'


def test_a_state_that_was_cleared_meanwhile_is_not_brought_back(moto_bucket: MotoBucket, tmp_path: Path) -> None:
    session, path = moto_bucket.session(), tmp_path / "state"
    path.write_bytes(STATE)
    base = state.replace_state(session, moto_bucket.bucket, moto_bucket.stack, str(path), None)
    moto_bucket.boto("s3").delete_object(Bucket=moto_bucket.bucket, Key=f"{moto_bucket.stack}/.artifacts/state")
    with pytest.raises(StoreError, match="since this one began"):
        state.replace_state(session, moto_bucket.bucket, moto_bucket.stack, str(path), base)


def test_a_state_in_a_bucket_that_is_missing_is_no_missing_state(moto_bucket: MotoBucket, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="bucket no-such-bucket: no such bucket found"):
        state.fetch_state(moto_bucket.session(), "no-such-bucket", moto_bucket.stack, str(tmp_path / "state"))


def test_two_runs_that_end_at_once_keep_one_state(moto_bucket: MotoBucket, tmp_path: Path) -> None:
    """Fifty trials: one wins, the other is told, and what is stored is whole and the winner's."""
    session = moto_bucket.session()
    for trial in range(50):
        stack = f"{moto_bucket.stack}-{trial}"
        (tmp_path / "base").write_bytes(STATE)
        base = state.replace_state(session, moto_bucket.bucket, stack, str(tmp_path / "base"), None)
        barrier = threading.Barrier(2)

        def end(
            number: int, stack: str = stack, base: state.StoredState = base, barrier: threading.Barrier = barrier
        ) -> bool:
            path = tmp_path / f"state-{number}"
            path.write_bytes(b"x" * 1000 + str(number).encode())
            barrier.wait()
            try:
                state.replace_state(session, moto_bucket.bucket, stack, str(path), base)
            except StoreError:
                return False
            return True

        with ThreadPoolExecutor(2) as pool:
            won = list(pool.map(end, range(2)))
        assert won.count(True) == 1
        assert moto_bucket.get(f"{stack}/.artifacts/state") == b"x" * 1000 + str(won.index(True)).encode()


@pytest.mark.parametrize("empty", [b"", b"\n", b"{}", b" {} \n"])
def test_an_empty_state_never_replaces_a_full_one(moto_bucket: MotoBucket, tmp_path: Path, empty: bytes) -> None:
    session, path = moto_bucket.session(), tmp_path / "state"
    path.write_bytes(STATE)
    base = state.replace_state(session, moto_bucket.bucket, moto_bucket.stack, str(path), None)
    path.write_bytes(empty)
    with pytest.raises(StoreError, match="an empty state found, which may not replace one of 16 bytes"):
        state.replace_state(session, moto_bucket.bucket, moto_bucket.stack, str(path), base)
    assert moto_bucket.get(f"{moto_bucket.stack}/.artifacts/state") == STATE


@pytest.mark.parametrize("begun_with", [None, STATE], ids=["without a state", "with one"])
def test_a_state_whose_answer_was_lost_is_known_as_our_own(
    moto_bucket: MotoBucket, proxy: Proxy, tmp_path: Path, begun_with: bytes | None
) -> None:
    session, path, base = moto_bucket.session(proxy), tmp_path / "state", None
    if begun_with:
        path.write_bytes(begun_with)
        base = state.replace_state(session, moto_bucket.bucket, moto_bucket.stack, str(path), None)
    path.write_bytes(b'{"bookmark": 3}')
    proxy.fault("lose", method="PUT", times=1)
    kept = state.replace_state(session, moto_bucket.bucket, moto_bucket.stack, str(path), base)
    assert moto_bucket.get(f"{moto_bucket.stack}/.artifacts/state") == b'{"bookmark": 3}'
    assert state.fetch_state(session, moto_bucket.bucket, moto_bucket.stack, str(path)) == kept
