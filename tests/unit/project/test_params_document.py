"""The params document: the pipeline and the sensitive config, one version together."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from handoff_kit.errors import ProjectError
from handoff_kit.paths import ProjectPaths
from handoff_kit.project import params_document
from handoff_runtime.params import ConfigFile, parse_params

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def paths(tmp_path: Path) -> ProjectPaths:
    paths = ProjectPaths("shop", tmp_path)
    paths.directory.mkdir(parents=True)
    paths.file.write_text("commands: [{command: cat}]\n")
    return paths


def local(paths: ProjectPaths, **files: bytes) -> None:
    for name, content in files.items():
        path = paths.local / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def test_config_is_sorted_and_whole(paths: ProjectPaths) -> None:
    local(paths, z=b"1\r\n", a__b=b"{{ x }}", a__c="\N{SNOWMAN}".encode())
    (paths.local / ".gitkeep").touch()
    (paths.local / "empty").touch()
    document = params_document.load_params_document(paths, "dev")
    assert [(file["name"], file["value"]) for file in document["files"]] == [
        ("a/b", "{{ x }}"),
        ("a/c", "\N{SNOWMAN}"),
        ("empty", ""),
        ("z", "1\r\n"),
    ]


def test_the_runtime_reads_what_we_write(paths: ProjectPaths) -> None:
    local(paths, a=b"1")
    document = params_document.load_params_document(paths, "prod")
    text = params_document.to_json(document)
    read = parse_params(text.encode(), "test")
    assert (read.document, read.pipeline.environment) == (document, "prod")
    assert read.files == (ConfigFile("a", "1"),)
    assert text == params_document.to_json(json.loads(text))


def test_files_of_editors_are_no_config(paths: ProjectPaths) -> None:
    local(paths, **dict.fromkeys(("tap.json~", ".tap.json.swp", "a__.b.swo", "#tap.json#", ".DS_Store"), b"\xff"))
    local(paths, **{"tap.json": b"{}", "a.swp": b"1"})
    (paths.local / ".#tap.json").symlink_to("me@example.com.123")
    assert params_document.item_names(params_document.load_params_document(paths, "dev")) == {"tap.json", "a.swp"}


def test_linked_directories_are_config(paths: ProjectPaths) -> None:
    """One config for several projects."""
    (paths.root / "shared").mkdir()
    (paths.root / "shared/key").write_text("1")
    local(paths, a=b"2")
    (paths.local / "b").symlink_to("../../../shared")
    (paths.local / "c").symlink_to("b")
    assert params_document.load_params_document(paths, "dev")["files"] == [
        {"name": "a", "value": "2"},
        {"name": "b/key", "value": "1"},
        {"name": "c/key", "value": "1"},
    ]


@pytest.mark.parametrize(
    ("command", "message", "hint"),
    [
        pytest.param(
            "ln -s gone .local/x.json",
            ".local/x.json: found a link to gone, which leads nowhere, expected a text file",
            "remove it: rm projects/shop/.local/x.json",
            id="dangling link",
        ),
        pytest.param(
            "ln -s x .local/x",
            ".local/x: found a link to x, which leads nowhere, expected a text file",
            "remove it: rm projects/shop/.local/x",
            id="loop",
        ),
        pytest.param(
            "mkdir .local/a && ln -s ../../.local '.local/a/b c'",
            ".local/a/b c: found a link to a directory that it is in, expected none",
            "remove it: rm 'projects/shop/.local/a/b c'",
            id="loop of directories",
        ),
        pytest.param(
            "mkfifo .local/x",
            ".local/x: found a pipe or a device, expected a text file",
            "remove it: rm projects/shop/.local/x",
            id="pipe",
        ),
        pytest.param(
            "rmdir .local && echo > .local", ".local: Not a directory, expected a readable directory", None, id="file"
        ),
        pytest.param(
            "rmdir .local && ln -s gone .local",
            ".local: No such file or directory, expected a readable directory",
            None,
            id="directory gone",
        ),
    ],
)
def test_what_is_no_config_is_refused(paths: ProjectPaths, command: str, message: str, hint: str | None) -> None:
    """It was left out without a word, and the run went on without its config."""
    paths.local.mkdir()
    subprocess.run(["sh", "-c", command], cwd=paths.directory, check=True)
    with pytest.raises(ProjectError) as caught:
        params_document.load_params_document(paths, "dev")
    assert (caught.value.message, caught.value.hint) == (f"projects/shop/{message}", hint)


@pytest.mark.parametrize(
    "file",
    [
        pytest.param({"name": "a", "value": '{"a": "\ud800abcdef"}'}, id="in a value"),
        pytest.param({"name": "\udcff", "value": "é"}, id="in a name, of a file whose name is no UTF-8"),
    ],
)
def test_half_a_character_is_written_as_an_escape(paths: ProjectPaths, file: dict[str, str]) -> None:
    document = {**params_document.load_params_document(paths, "dev"), "files": [file]}
    assert parse_params(params_document.to_json(document).encode(), "test").document == document


@pytest.mark.parametrize("content", [b"\xff", b"ok\xe9"])
def test_config_that_is_no_text(paths: ProjectPaths, content: bytes) -> None:
    local(paths, key=content)
    at = content.index(content[-1:])
    message = rf"^error: projects/shop/\.local/key: found a byte that is no UTF-8 \(at {at}\), expected a text file\n"
    with pytest.raises(ProjectError, match=message):
        params_document.load_params_document(paths, "dev")


@pytest.mark.parametrize("name", params_document.RESERVED)
def test_a_function_must_not_hide_a_command_of_ours(paths: ProjectPaths, name: str) -> None:
    (paths.directory / "impl.py").write_text(f"def mine(p, d): ...\ndef {name}(p, d): ...\n")
    with pytest.raises(ProjectError, match=rf"^error: projects/shop/impl\.py: found a function '{name}'"):
        params_document.check_functions(paths)


def test_functions_are_the_public_ones(paths: ProjectPaths) -> None:
    assert params_document.function_names(paths) == ()
    (paths.directory / "impl.py").write_text("import os\ndef mine(p, d): ...\ndef _mine(p, d): ...\nclass A: ...\n")
    assert params_document.function_names(paths) == ("mine",)
