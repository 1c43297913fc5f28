"""The params document: the pipeline and the sensitive config, one version together."""

from __future__ import annotations

import json
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
