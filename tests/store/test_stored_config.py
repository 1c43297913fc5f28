"""Config files that only Parameter Store has: kept by a push, removed by `--prune`, written here by a pull."""

from __future__ import annotations

import json
import stat
import threading
from typing import TYPE_CHECKING, Any

import pytest
from doubles.checkout import InvokeResult
from doubles.stub_project import CONFIG

from handoff_kit.aws.params import find_replaceable_params, get_params, plan_push, push_params
from handoff_kit.aws.target import Target

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from doubles.moto_bucket import MotoBucket
    from doubles.stub_project import MotoProject

    from handoff_kit.steps import StoreParams

TAP, NOTE = CONFIG[".local/tap.json"], CONFIG[".local/note.txt"]
HINT = "hint: to write them here: invoke params.pull --project shop; to remove them there: add --prune\n"
NEXT = "next: invoke files.push --project shop\n"


@pytest.fixture
def clone(shop: MotoProject) -> MotoProject:
    """A checkout whose params are stored, and that has no `.local`, as a fresh clone."""
    shop.invoke("params.push")
    for file in (shop.directory / ".local").iterdir():
        file.unlink()
    (shop.directory / ".local").rmdir()
    return shop


def stored(shop: MotoProject) -> dict[str, str]:
    document = json.loads(shop.raw("params.dump", "--reveal").stdout)
    return {file["name"]: file["value"] for file in document["files"]}


def local(shop: MotoProject, **files: str) -> None:
    for name, value in files.items():
        path = shop.directory / ".local" / f"{name}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text(value, encoding="utf-8")


def test_a_push_from_a_fresh_clone_keeps_what_is_stored(clone: MotoProject) -> None:
    before = clone.stored()
    assert clone.invoke("params.push") == InvokeResult(
        0,
        "",
        f"note: a push keeps 2 stored config files that are not here: note.txt, tap.json\n{HINT}"
        f"parameter handoff-dev-shop__params is up to date (version 1)\n{NEXT}",
    )
    assert clone.stored() == before


def test_a_push_merges_file_by_file(clone: MotoProject) -> None:
    local(clone, note="mine\n", new="1\n")
    result = clone.invoke("params.push")
    assert (result.exit, result.stderr.splitlines()[0]) == (
        0,
        "note: a push keeps 1 stored config file that is not here: tap.json",
    )
    assert stored(clone) == {"new.txt": "1\n", "note.txt": "mine\n", "tap.json": TAP}


def test_prune_is_refused_where_nobody_can_be_asked(clone: MotoProject) -> None:
    before = clone.stored()
    question = "remove 2 stored config files that are not here: note.txt, tap.json"
    assert clone.invoke("params.push", "--prune") == InvokeResult(
        2,
        "",
        f"error: params.push: {question}: needs --yes without a terminal\n"
        "hint: invoke params.push --prune --project shop --yes\n",
    )
    dry = clone.invoke("--dry", "params.push", "--prune")
    assert (dry.exit, dry.stderr.splitlines()[0]) == (0, f"note: --prune removes {question.removeprefix('remove ')}")
    assert clone.stored() == before
    done = clone.invoke("params.push", "--prune", "--yes")
    assert (done.exit, done.stderr.splitlines()[0]) == (0, f"note: --prune removes {question.removeprefix('remove ')}")
    assert stored(clone) == {}


def test_diff_shows_what_is_stored_only(clone: MotoProject) -> None:
    only = "= .local/note.txt  stored only\n= .local/tap.json  stored only\n"
    kept = "= stored in version 1 only; a push keeps it\n"
    assert clone.invoke("params.diff") == InvokeResult(0, only, f"{kept}next: invoke params.pull --project shop\n")
    local(clone, note="other\n")
    result = clone.invoke("params.diff")
    assert [line[:17] for line in result.stdout.splitlines()] == ["~ .local/note.txt", "= .local/tap.json"]
    assert result.stderr == f"{kept}- stored in version 1, + local\nnext: invoke params.push --project shop\n"


# pull


def modes(root: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in (root, *root.rglob("*"))}


def test_pull_writes_files_that_you_alone_can_read(clone: MotoProject) -> None:
    document = json.loads(clone.raw("params.dump", "--reveal").stdout)
    document["files"].append({"name": "a/b/deep.txt", "value": "3\r\n"})
    (clone.checkout.root / "p.json").write_text(json.dumps(document))
    clone.invoke("params.push", "--params", "p.json")
    assert clone.invoke("params.pull") == InvokeResult(
        0,
        "",
        "write projects/shop/.local/a/b/deep.txt (3 bytes)\n"
        f"write projects/shop/.local/note.txt ({len(NOTE)} bytes)\n"
        f"write projects/shop/.local/tap.json ({len(TAP)} bytes)\n"
        "next: invoke params.diff --project shop\n",
    )
    place = clone.directory / ".local"
    assert modes(place) == {
        ".local": 0o700, "a": 0o700, "b": 0o700, "deep.txt": 0o600, "note.txt": 0o600, "tap.json": 0o600,
    }  # fmt: skip
    assert (place / "a/b/deep.txt").read_bytes() == b"3\r\n"
    assert clone.invoke("params.diff").stderr.startswith("no difference: version 2 ")
    again = clone.invoke("params.pull")
    assert again.stderr.splitlines()[0] == "already up to date: a/b/deep.txt, note.txt, tap.json"


def test_pull_overwrites_only_by_force(clone: MotoProject) -> None:
    local(clone, note="mine\n")
    tree = clone.checkout.tree()
    assert clone.invoke("params.pull") == InvokeResult(
        2,
        "",
        "error: projects/shop/.local/note.txt: differs from the stored one; nothing is written\n"
        "hint: to overwrite: invoke params.pull --project shop --force\n",
    )
    clone.invoke("--dry", "params.pull", "--force")
    assert clone.checkout.tree() == tree
    assert clone.invoke("params.pull", "--force").exit == 0
    place = clone.directory / ".local"
    assert {path.name: path.read_text() for path in place.iterdir()} == {"note.txt": NOTE, "tap.json": TAP}
    assert modes(place / "note.txt") == {"note.txt": 0o600}


def _link_the_file(place: Path, outside: Path) -> None:
    (place / "note.txt").symlink_to(outside / "kept.txt")


def _make_a_directory(place: Path, _: Path) -> None:
    (place / "tap.json").mkdir()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        pytest.param(
            _link_the_file,
            "projects/shop/.local/note.txt: projects/shop/.local/note.txt is a symbolic link",
            id="a link that leads out",
        ),
        pytest.param(_make_a_directory, "projects/shop/.local/tap.json: is not a file", id="a directory"),
    ],
)
def test_pull_never_writes_outside(
    clone: MotoProject, tmp_path: Path, spoil: Callable[[Path, Path], None], message: str
) -> None:
    (tmp_path / "kept.txt").write_text("untouched\n")
    (clone.directory / ".local").mkdir()
    spoil(clone.directory / ".local", tmp_path)
    tree = clone.checkout.tree()
    result = clone.invoke("params.pull", "--force")
    assert result == InvokeResult(
        2, "", f"error: {message}\nhint: move it away, then: invoke params.pull --project shop\n"
    )
    assert (clone.checkout.tree(), (tmp_path / "kept.txt").read_text()) == (tree, "untouched\n")


def test_pull_refuses_a_linked_directory(clone: MotoProject, tmp_path: Path) -> None:
    local(clone, note=NOTE)
    document = json.loads(clone.raw("params.dump", "--reveal").stdout)
    document["files"] = [{"name": "a/x.txt", "value": "1"}]
    (clone.checkout.root / "p.json").write_text(json.dumps(document))
    clone.invoke("params.push", "--params", "p.json", "--prune", "--yes")
    (clone.directory / ".local/a").symlink_to(tmp_path)
    result = clone.invoke("params.pull")
    message = "error: projects/shop/.local/a/x.txt: projects/shop/.local/a is a symbolic link\n"
    assert (result.exit, result.stderr.splitlines(keepends=True)[0], (tmp_path / "x.txt").exists()) == (
        2,
        message,
        False,
    )


def test_pull_brings_back_an_earlier_version(clone: MotoProject) -> None:
    clone.invoke("params.push", "--prune", "--yes")
    assert clone.invoke("params.pull").stderr.startswith("version 2 of parameter handoff-dev-shop__params holds no ")
    assert clone.invoke("params.pull", "--version", "1").exit == 0
    assert (clone.directory / ".local/tap.json").read_text() == TAP


# two pushes at once


def stack_of(shop: MotoProject, moto_bucket: MotoBucket) -> Target:
    return Target(shop.name, "dev", shop.stack, "", f"--project {shop.name}", moto_bucket.session())


def document_of(shop: MotoProject, *names: str) -> dict[str, Any]:
    pipeline = json.loads(shop.raw("params").stdout)["pipeline"]
    return {"format": 1, "pipeline": pipeline, "files": [{"name": name, "value": name} for name in names]}


def planned(stack: Target, document: dict[str, Any], **more: Any) -> StoreParams:
    return plan_push(stack, document, find_replaceable_params(stack), advanced=False, **more)


def names_in(stack: Target) -> list[str]:
    return [file.name for file in get_params(stack).params.files]


@pytest.mark.parametrize("before", [pytest.param((), id="the first ones"), pytest.param(("o",), id="later ones")])
def test_two_pushes_at_once_lose_no_file(shop: MotoProject, moto_bucket: MotoBucket, before: tuple[str, ...]) -> None:
    stack, said = stack_of(shop, moto_bucket), list[str]()
    if before:
        push_params(planned(stack, document_of(shop, *before)), stack, said.append)
    pushes = [planned(stack, document_of(shop, name)) for name in ("a", "b", "c")]
    for push in pushes:
        push_params(push, stack, said.append)
    assert names_in(stack) == sorted([*before, "a", "b", "c"])
    assert [line for line in said if "another push in between" in line] != []
    assert planned(stack, document_of(shop, "a")).change is None


def test_a_prune_removes_only_what_was_confirmed(shop: MotoProject, moto_bucket: MotoBucket) -> None:
    stack, said = stack_of(shop, moto_bucket), list[str]()
    push_params(planned(stack, document_of(shop, "old")), stack, said.append)
    prune = planned(stack, document_of(shop, "a"), prune=True)
    push_params(planned(stack, document_of(shop, "new")), stack, said.append)
    push_params(prune, stack, said.append)
    assert names_in(stack) == ["a", "new"]


def test_many_pushes_at_once(shop: MotoProject, moto_bucket: MotoBucket) -> None:
    """Real threads; whoever loses a race each of five times is refused, and says so."""
    stack, said, failed = stack_of(shop, moto_bucket), list[str](), list[Exception]()
    documents = [document_of(shop, f"f{number}") for number in range(4)]
    barrier = threading.Barrier(len(documents))

    def run(document: dict[str, Any]) -> None:
        push = planned(stack, document)
        barrier.wait()
        try:
            push_params(push, stack, said.append)
        except Exception as error:  # noqa: BLE001  # compared below
            failed.append(error)

    threads = [threading.Thread(target=run, args=(document,)) for document in documents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert names_in(stack) == ["f0", "f1", "f2", "f3"]
