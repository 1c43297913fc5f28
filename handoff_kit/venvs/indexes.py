"""Package indexes that are named for pip, passed on to uv, which reads its own settings only.

uv would look a private name up on the public index, where anyone may have taken it (dependency confusion). The order
is: the extra indexes, then the one of `index-url`, or PyPI without it. pip has no order, and takes the best version of
all; here the first index that has a version that fits is taken (`unsafe-first-match`), since by uv's `first-index` an
index that holds some old versions of a public package would hide the others.
"""

from __future__ import annotations

import configparser
import os
import re
import sys
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from handoff_kit.console import Say
from handoff_kit.errors import ProjectError

PIP = {"index-url": "PIP_INDEX_URL", "extra-index-url": "PIP_EXTRA_INDEX_URL"}
UV_STRATEGY = "UV_INDEX_STRATEGY"
UV = ("UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "UV_INDEX", "UV_INDEX_URL")
_UV_SETTING = re.compile(r"^\s*(\[\[index\]\]|(index|index-url|extra-index-url|no-index)\s*=)", re.MULTILINE)


def pass_indexes_to_uv(environ: MutableMapping[str, str], say: Say, *, files: tuple[Path, ...] = ()) -> None:
    """Set uv's variables from pip's, else from pip's `files`, and say so; uv's own settings win.

    Only the hosts are shown: passwords and tokens may be anywhere else in an address.
    """
    found = _pip_settings(environ, files)
    files_of_uv = _uv_configuration(environ)
    if not found or any(environ.get(name) for name in UV) or _UV_SETTING.search(files_of_uv):
        return
    extra, default = (found.get(key, ("", ""))[0].split() for key in ("extra-index-url", "index-url"))
    environ["UV_INDEX"] = " ".join(extra)
    if default:
        environ["UV_DEFAULT_INDEX"] = default[-1]
    if "index-strategy" not in files_of_uv:
        environ.setdefault(UV_STRATEGY, "unsafe-first-match")
    sources = " and ".join(sorted({source for _, source in found.values()}))
    hosts = ", then ".join(dict.fromkeys([*map(_host, extra + default), *([] if default else ["PyPI"])]))
    say(f"note: package indexes of {sources}, passed on to uv: {hosts}")


def pip_files(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """The configuration files that pip reads, the strongest last (pip's user guide, "Configuration")."""
    chosen, home = environ.get("PIP_CONFIG_FILE", ""), Path.home()
    if chosen == os.devnull:
        return ()
    config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    mac = (home / "Library/Application Support/pip/pip.conf",) if sys.platform == "darwin" else ()
    user = (home / ".pip/pip.conf", config / "pip/pip.conf", *mac)
    named = (Path(chosen),) if chosen else ()
    return (Path("/etc/xdg/pip/pip.conf"), Path("/etc/pip.conf"), *user, Path(sys.prefix) / "pip.conf", *named)


def _pip_settings(environ: Mapping[str, str], files: tuple[Path, ...]) -> dict[str, tuple[str, str]]:
    """The values of pip's settings, each with the name of the variable or file that it is from."""
    found = dict[str, tuple[str, str]]()
    for path in files:
        parser = configparser.RawConfigParser()
        try:
            parser.read(path, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError) as error:
            first = str(error).splitlines()[0] if isinstance(error, UnicodeDecodeError) else type(error).__name__
            hint = "correct it, or name the index for uv: export UV_DEFAULT_INDEX=https://..."
            raise ProjectError(f"{path}: {first}, expected pip's settings", hint) from None
        for section in filter(parser.has_section, ("global", "install")):
            values = {key.replace("_", "-"): value for key, value in parser.items(section)}
            found |= {key: (value, str(path)) for key in PIP if (value := values.get(key, "").strip())}
    return found | {key: (value, name) for key, name in PIP.items() if (value := environ.get(name, "").strip())}


def _uv_configuration(environ: Mapping[str, str]) -> str:
    """The text of the configuration files that uv reads, but for those of a project."""
    user = Path(environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "uv/uv.toml"
    named = environ.get("UV_CONFIG_FILE")
    texts = []
    for path in (Path(named),) if named else (user, Path("/etc/uv/uv.toml")):
        with suppress(OSError, UnicodeDecodeError):  # uv says what is wrong with it
            texts.append(path.read_text(encoding="utf-8"))
    return "\n".join(texts)


def _host(address: str) -> str:
    try:
        return urlsplit(address).hostname or "a local directory"
    except ValueError:
        return "an address without a host"
