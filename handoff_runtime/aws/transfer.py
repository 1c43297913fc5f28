"""Many files between a directory and a prefix of S3: a plan first, then several calls at a time."""

from __future__ import annotations

import os
import stat
from itertools import count

from handoff_runtime import s3_keys, symlinks
from handoff_runtime.aws import checksum
from handoff_runtime.aws.concurrency import map_concurrently
from handoff_runtime.aws.download import StoredObject, download
from handoff_runtime.aws.errors import Call, required_permission
from handoff_runtime.aws.session import S3
from handoff_runtime.aws.upload import UploadTarget, open_to_store, upload
from handoff_runtime.errors import StoreError
from handoff_runtime.namedtuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
    from typing import Any, TypeVar

    from handoff_runtime.aws.session import Session

    Sized = TypeVar("Sized", "LocalFile", "Item")

BESIDE = ".handoff-fetching"
LARGE = 64 << 20  # such files go one after another, each in several calls at a time
MOST_KEYS = 1000  # of one DeleteObjects


class LocalFile(NamedTuple):
    """A file here: its path below the directory, with slashes, and where it is; no link may lead out of `within`."""

    path: str
    file: str
    size: int
    within: str | None = None


class UploadPlan(NamedTuple):
    """What storing a directory comes to: files to send, those that are there already, keys of which no file is here.

    `notes` say what of the directory was left out.
    """

    send: tuple[LocalFile, ...]
    same: tuple[LocalFile, ...]
    gone: tuple[Item, ...]
    notes: tuple[str, ...] = ()


def fetch(session: Session, place: Place, directory: str, *, skip: Collection[str] = ()) -> None:
    """Fetch all below a place into a directory, but the paths in `skip`; StoreError unless all came whole and right."""
    found = [item for item in list_items(session, place) if item.path not in skip]
    if not found:
        return
    root = os.path.realpath(directory)
    beside = os.path.join(directory, BESIDE)  # in which files wait until they are whole
    try:
        symlinks.remove_tree(beside)  # what a killed run left
        os.makedirs(beside)
    except OSError as error:
        raise StoreError(f"{beside}: {error.strerror}, a directory one can write to expected") from None

    numbers = count()

    def fetch_one(item: Item) -> None:
        source, path = StoredObject(place.bucket, item.key, item.size, item.etag), os.path.join(root, item.path)
        if os.path.realpath(os.path.dirname(path)) != os.path.dirname(path):
            message = f"{os.path.join(directory, item.path)}: a symbolic link found on the way to it"
            raise StoreError(f"{message}, a directory expected", "remove it")
        download(session, source, os.path.join(beside, str(next(numbers))), os.path.join(directory, item.path))

    try:
        _for_each(fetch_one, found)
    finally:
        try:
            os.rmdir(beside)
        except OSError:
            pass


def _for_each(work: Callable[[Sized], object], of: Collection[Sized]) -> None:
    """Several at a time, but a large one alone, which makes several calls at a time itself."""
    list(map_concurrently(work, (one for one in of if one.size < LARGE)))
    for one in of:
        if one.size >= LARGE:
            work(one)


def list_files(directory: str, say: Callable[[str], None]) -> Iterator[LocalFile]:
    """The files below a directory in order of their paths; links to files count as files.

    What else there is (pipes, linked directories, links that lead nowhere or out of the directory) is said.
    """
    root = os.path.realpath(directory)
    for parent, directories, names in os.walk(directory):
        directories[:] = sorted(name for name in directories if name != BESIDE)
        links = [name for name in directories if os.path.islink(os.path.join(parent, name))]
        for name in sorted([*names, *links]):
            file = os.path.join(parent, name)
            path = os.path.relpath(file, directory)
            if os.path.islink(file) and (place := symlinks.target_outside(file, root)):
                say(symlinks.outside_note(file, place, root))
                continue
            try:
                found = os.stat(file)
                is_file, is_directory = stat.S_ISREG(found.st_mode), stat.S_ISDIR(found.st_mode)
            except OSError:
                is_file = is_directory = False
            if not is_file:
                if os.path.lexists(file):  # else it has gone since
                    say(f"note: {file}: {'a link to a directory' if is_directory else 'no file found there'}: left out")
                continue
            try:
                path.encode()
            except UnicodeEncodeError:
                message = f"{path!r}: a name that is not UTF-8 found, one that can be a key expected"
                raise StoreError(message, "rename it") from None
            yield LocalFile(path, file, found.st_size, root)


def plan(session: Session, local: Iterable[LocalFile], place: Place) -> UploadPlan:
    """Compare files with what is stored, by size and content; a HEAD is needed only where the ETag is no MD5 of it."""
    stored = {item.path: item for item in list_items(session, place)}
    known = list(local)

    def is_same(file: LocalFile) -> bool:
        item = stored.get(file.path)
        if item is None or item.size != file.size:
            return False
        with open_to_store(file.file, file.within) as opened:
            content = checksum.read_content(opened.fileno())
        return content.etag == item.etag or content.sha256 == checksum.stored_sha256(session, place.bucket, item.key)

    same = {file.path: unchanged for file, unchanged in zip(known, map_concurrently(is_same, known), strict=True)}
    return UploadPlan(
        tuple(file for file in known if not same[file.path]),
        tuple(file for file in known if same[file.path]),
        tuple(item for path, item in stored.items() if path not in same),
    )


def store(session: Session, send: Collection[LocalFile], place: Place) -> None:
    """Send these files."""

    def send_one(file: LocalFile) -> None:
        upload(session, file.file, UploadTarget(place.bucket, f"{place.prefix}{file.path}"), file.within)

    _for_each(send_one, send)


def remove(session: Session, bucket: str, keys: Sequence[str]) -> None:
    """Delete keys, a thousand a call; StoreError that names those that stay."""
    for start in range(0, len(keys), MOST_KEYS):
        some = [{"Key": key} for key in keys[start : start + MOST_KEYS]]
        answer = session.call(S3, "delete_objects", Bucket=bucket, Delete={"Objects": some, "Quiet": True})
        if errors := answer.get("Errors"):
            key, code = errors[0]["Key"], errors[0]["Code"]
            message = f"s3://{bucket}/{key}: not deleted ({code}), nor {len(errors) - 1} others"
            call = Call("S3", "DeleteObjects", {"Bucket": bucket, "Key": key}, session.region)
            raise StoreError(message, f"the permission {required_permission(call)} is needed")


class Place(NamedTuple):
    """A bucket, and what the keys that matter in it begin with."""

    bucket: str
    prefix: str


class Item(NamedTuple):
    """An object; `path` is its key below the prefix."""

    key: str
    path: str
    size: int
    etag: str
    modified: float


def list_items(session: Session, place: Place) -> Iterator[Item]:
    """Every object below a prefix, in the order of keys; one call a thousand. A key that leads out is refused.

    Empty objects whose key ends with a slash are the folders that consoles draw, and left out.
    """
    for found in list_objects(session, place):
        key, size = found["Key"], found["Size"]
        if size or not key.endswith("/"):
            path = s3_keys.path_below(key, place.prefix)
            yield Item(key, path, size, found["ETag"], found["LastModified"].timestamp())


def list_objects(session: Session, place: Place) -> Iterator[Any]:
    """Every object below a prefix as ListObjectsV2 describes it, whatever its key."""
    for page in session.pages(S3, "list_objects_v2", Bucket=place.bucket, Prefix=place.prefix):
        yield from page.get("Contents", ())
