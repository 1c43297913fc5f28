"""Many files between a directory and a prefix of S3: a plan first, then several calls at a time."""

from __future__ import annotations

import os
import stat

from handoff_runtime import s3_keys, symlinks
from handoff_runtime.aws import checksum
from handoff_runtime.aws.concurrency import map_concurrently
from handoff_runtime.aws.download import Downloaded, StoredObject, download
from handoff_runtime.aws.session import S3
from handoff_runtime.aws.upload import UploadTarget, upload
from handoff_runtime.errors import StoreError
from handoff_runtime.namedtuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
    from typing import Any

    from handoff_runtime.aws.session import Session


BESIDE = ".handoff-fetching"
LARGE = 64 << 20  # such files go one after another, each in several calls at a time
MOST_KEYS = 1000  # of one DeleteObjects


class TransferResult(NamedTuple):
    """What went over: files and bytes."""

    files: int
    bytes: int


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


def fetch(session: Session, place: Place, directory: str, *, skip: Collection[str] = ()) -> TransferResult:
    """Fetch all below a place into a directory, but the paths in `skip`; StoreError unless all came whole and right."""
    found = [item for item in list_items(session, place) if item.path not in skip]
    if not found:
        return TransferResult(0, 0)
    root = os.path.realpath(directory)
    beside = os.path.join(directory, BESIDE)  # in which files wait until they are whole
    try:
        symlinks.remove_tree(beside)  # what a killed run left
        os.makedirs(beside)
    except OSError as error:
        raise StoreError(f"{beside}: {error.strerror}, a directory one can write to expected") from None

    def fetch_one(numbered: tuple[int, Item]) -> Downloaded:
        number, item = numbered
        source, path = StoredObject(place.bucket, item.key, item.size, item.etag), os.path.join(root, item.path)
        if os.path.realpath(os.path.dirname(path)) != os.path.dirname(path):
            message = f"{os.path.join(directory, item.path)}: a symbolic link found on the way to it"
            raise StoreError(f"{message}, a directory expected", "remove it")
        return download(session, source, os.path.join(beside, str(number)), os.path.join(directory, item.path))

    try:
        numbered = list(enumerate(found))
        got = list(map_concurrently(fetch_one, (one for one in numbered if one[1].size < LARGE)))
        got += map(fetch_one, (one for one in numbered if one[1].size >= LARGE))
    finally:
        try:
            os.rmdir(beside)
        except OSError:
            pass
    return TransferResult(len(got), sum(one.size for one in got))


def list_files(directory: str, say: Callable[[str], None], *, skip: Collection[str] = ()) -> Iterator[LocalFile]:
    """The files below a directory in order of their paths; links to files count as files, pipes and sockets do not.

    Of a link that leads out of the directory it is said where it leads.
    """
    root = os.path.realpath(directory)
    for parent, directories, names in os.walk(directory):
        directories[:] = sorted(name for name in directories if name != BESIDE)
        links = [name for name in directories if os.path.islink(os.path.join(parent, name))]
        for name in sorted([*names, *links]):
            file = os.path.join(parent, name)
            path = os.path.relpath(file, directory)
            if path in skip:
                continue
            if os.path.islink(file) and (place := symlinks.target_outside(file, root)):
                say(symlinks.outside_note(file, place, root))
                continue
            try:
                found = os.stat(file)
            except OSError:
                continue
            if stat.S_ISREG(found.st_mode):
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
        try:
            fd = symlinks.open_file(file.file, file.within)
        except OSError as error:
            raise StoreError(f"{file.file}: {error.strerror}, a file to store expected") from None
        try:
            content = checksum.read_content(fd)
        finally:
            os.close(fd)
        if content.etag == item.etag:
            return True
        head = session.call(S3, "head_object", allow=("404",), Bucket=place.bucket, Key=item.key)
        return head is not None and head.get("Metadata", {}).get(checksum.SHA256) == content.sha256

    same = list(map_concurrently(is_same, known))
    names = {file.path for file in known}
    return UploadPlan(
        tuple(file for file, unchanged in zip(known, same, strict=True) if not unchanged),
        tuple(file for file, unchanged in zip(known, same, strict=True) if unchanged),
        tuple(item for path, item in stored.items() if path not in names),
    )


def store(session: Session, send: Sequence[LocalFile], place: Place) -> TransferResult:
    """Send these files."""

    def one(file: LocalFile) -> int:
        upload(session, file.file, UploadTarget(place.bucket, f"{place.prefix}{file.path}"), file.within)
        return file.size

    sizes = [*map_concurrently(one, (file for file in send if file.size < LARGE))]
    sizes += map(one, (file for file in send if file.size >= LARGE))
    return TransferResult(len(sizes), sum(sizes))


def put(session: Session, directory: str, place: Place, *, skip: Collection[str] = ()) -> TransferResult:
    """Store what changed of a directory; what is there and not here stays."""
    here = list_files(directory, session.effects.say, skip=skip)
    return store(session, plan(session, here, place).send, place)


def remove(session: Session, bucket: str, keys: Sequence[str]) -> int:
    """Delete keys, a thousand a call; StoreError that names those that stay."""
    for start in range(0, len(keys), MOST_KEYS):
        some = [{"Key": key} for key in keys[start : start + MOST_KEYS]]
        answer = session.call(S3, "delete_objects", Bucket=bucket, Delete={"Objects": some, "Quiet": True})
        if errors := answer.get("Errors"):
            key, code = errors[0]["Key"], errors[0]["Code"]
            message = f"s3://{bucket}/{key}: not deleted ({code}), nor {len(errors) - 1} others"
            raise StoreError(message, f"the permission s3:DeleteObject on arn:aws:s3:::{bucket}/{key} is needed")
    return len(keys)


class Place(NamedTuple):
    """A bucket, and what the keys that matter in it begin with."""

    bucket: str
    prefix: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}"


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
