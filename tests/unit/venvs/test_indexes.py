"""Which indexes uv is given, in which order, and what is said of them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from handoff_kit.errors import ProjectError
from handoff_kit.venvs.indexes import pass_indexes_to_uv, pip_files

if TYPE_CHECKING:
    from pathlib import Path

MINE, MIRROR = "https://me:secret@mine.example.com/token/simple", "https://mirror.example.com/simple"


@pytest.mark.parametrize(
    ("pip", "conf", "expected", "said"),
    [
        pytest.param({}, "", {}, "", id="none"),
        pytest.param({"PIP_INDEX_URL": " "}, "[global]\nindex-url =\n", {}, "", id="empty"),
        pytest.param(
            {"PIP_INDEX_URL": MINE},
            "",
            {"UV_INDEX": "", "UV_DEFAULT_INDEX": MINE},
            "PIP_INDEX_URL, passed on to uv: mine.example.com",
            id="index",
        ),
        pytest.param(
            {"PIP_EXTRA_INDEX_URL": MINE},
            "",
            {"UV_INDEX": MINE},
            "PIP_EXTRA_INDEX_URL, passed on to uv: mine.example.com, then PyPI",
            id="extra",
        ),
        pytest.param(
            {"PIP_EXTRA_INDEX_URL": f"{MINE} \n /srv/wheels", "PIP_INDEX_URL": MIRROR},
            "",
            {"UV_INDEX": f"{MINE} /srv/wheels", "UV_DEFAULT_INDEX": MIRROR},
            "PIP_EXTRA_INDEX_URL and PIP_INDEX_URL, passed on to uv: "
            "mine.example.com, then a local directory, then mirror.example.com",
            id="extras before the index",
        ),
        pytest.param(
            {},
            f"[global]\nindex_url = {MIRROR}\nextra-index-url =\n    {MINE}\n[install]\nindex-url = {MINE}\n",
            {"UV_INDEX": MINE, "UV_DEFAULT_INDEX": MINE},
            "{conf}, passed on to uv: mine.example.com",
            id="file",
        ),
        pytest.param(
            {"PIP_INDEX_URL": MIRROR},
            f"[global]\nindex-url = {MINE}\nextra-index-url = {MINE}\n",
            {"UV_INDEX": MINE, "UV_DEFAULT_INDEX": MIRROR},
            "{conf} and PIP_INDEX_URL, passed on to uv: mine.example.com, then mirror.example.com",
            id="variable before file",
        ),
        pytest.param({"PIP_INDEX_URL": MINE, "UV_INDEX_URL": MIRROR}, "", {"UV_INDEX_URL": MIRROR}, "", id="uv's own"),
        pytest.param(
            {"PIP_INDEX_URL": "https://[bad/simple"},
            "",
            {"UV_INDEX": "", "UV_DEFAULT_INDEX": "https://[bad/simple"},
            "PIP_INDEX_URL, passed on to uv: an address without a host",
            id="no address",
        ),
    ],
)
def test_indexes_of_pip_are_passed_on(
    pip: dict[str, str], conf: str, expected: dict[str, str], said: str, tmp_path: Path
) -> None:
    file, messages, environ = tmp_path / "pip.conf", list[str](), {**pip, "XDG_CONFIG_HOME": str(tmp_path)}
    file.write_text(conf)
    pass_indexes_to_uv(environ, messages.append, files=(tmp_path / "absent", file))
    strategy = {"UV_INDEX_STRATEGY": "unsafe-first-match"} if said else {}
    assert {name: value for name, value in environ.items() if name.startswith("UV_")} == {**expected, **strategy}
    assert messages == ([f"note: package indexes of {said.format(conf=file)}"] if said else [])


@pytest.mark.parametrize(
    ("text", "wins"),
    [
        pytest.param('[[index]]\nurl = "https://a.example.com"\n', True, id="index"),
        pytest.param('index-url = "https://a.example.com"\n', True, id="index-url"),
        pytest.param("no-index = true\n", True, id="no index"),
        pytest.param('index-strategy = "first-index"\n# index-url\n', False, id="none"),
    ],
)
def test_an_index_in_uv_s_own_file_wins(text: str, wins: bool, tmp_path: Path) -> None:  # noqa: FBT001
    (tmp_path / "uv.toml").write_text(text)
    environ = {"PIP_INDEX_URL": MINE, "UV_CONFIG_FILE": str(tmp_path / "uv.toml")}
    pass_indexes_to_uv(environ, lambda _: None)
    assert ("UV_DEFAULT_INDEX" not in environ) is wins
    assert "UV_INDEX_STRATEGY" not in environ  # the file names one, or an index


@pytest.mark.parametrize(
    ("content", "found"),
    [
        pytest.param(b"index-url = https://me:secret@a\n", "MissingSectionHeaderError", id="no section"),
        pytest.param(b"[global]\nx = \xff\n", "'utf-8' codec can't decode byte 0xff in position 13: ", id="bytes"),
    ],
)
def test_a_file_that_pip_cannot_read_is_named(content: bytes, found: str, tmp_path: Path) -> None:
    file = tmp_path / "pip.conf"
    file.write_bytes(content)
    with pytest.raises(ProjectError) as caught:
        pass_indexes_to_uv({}, lambda _: None, files=(file,))
    assert caught.value.message.startswith(f"{file}: {found}")
    assert "secret" not in str(caught.value)
    assert caught.value.hint == "correct it, or name the index for uv: export UV_DEFAULT_INDEX=https://..."


def test_the_files_that_pip_reads(tmp_path: Path) -> None:
    environ = {"XDG_CONFIG_HOME": str(tmp_path)}
    assert tmp_path / "pip/pip.conf" in pip_files(environ)
    assert pip_files({**environ, "PIP_CONFIG_FILE": "/x"})[-1].as_posix() == "/x"
    assert pip_files({**environ, "PIP_CONFIG_FILE": os.devnull}) == ()
