"""Package indexes that are named for pip, passed on to uv, which reads its own settings only.

uv would look a private name up on the public index, where anyone may have taken it (dependency confusion). It takes a
package from the first index that has its name (`first-index`), so the order is: the extra indexes, then the one of
`index-url`, and PyPI last, whichever of the two it is. pip has no order.
"""

from __future__ import annotations

import configparser
import os
import re
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from pathlib import Path
from urllib.parse import urlsplit

from handoff_kit.console import Say
from handoff_kit.errors import ProjectError

PIP = {"index-url": "PIP_INDEX_URL", "extra-index-url": "PIP_EXTRA_INDEX_URL"}
UV = ("UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "UV_INDEX", "UV_INDEX_URL")
PUBLIC = "https://index.invalid/simple"
_UV_SETTING = re.compile(r"^\s*(\[\[index\]\]|(index|index-url|extra-index-url|no-index)\s*=)", re.MULTILINE)


def pass_indexes_to_uv(environ: MutableMapping[str, str], say: Say, *, files: tuple[Path, ...] = ()) -> None:
    """Set uv's variables from pip's, else from pip's `files`, and say so; uv's own settings win.

    Only the hosts are shown: passwords and tokens may be anywhere else in an address.
    """
    found = _pip_settings(environ, files)
    if not found or any(environ.get(name) for name in UV) or any(map(_names_index, _uv_files(environ))):
        return
    addresses = [address for key in ("extra-index-url", "index-url") for address in found.get(key, ("", ""))[0].split()]
    if "index-url" not in found:
        addresses.append(PUBLIC)
    addresses.sort(key=lambda address: _host(address) in ("index.invalid", "other.invalid"))
    environ["UV_INDEX"], environ["UV_DEFAULT_INDEX"] = " ".join(addresses[:-1]), addresses[-1]
    sources = " and ".join(sorted({source for _, source in found.values()}))
    hosts = ", then ".join(dict.fromkeys(map(_host, addresses)))
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


def _uv_files(environ: Mapping[str, str]) -> Iterator[Path]:
    """The configuration files that uv reads, but for those of a project."""
    if named := environ.get("UV_CONFIG_FILE"):
        yield Path(named)
    else:
        yield Path(environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "uv/uv.toml"
        yield Path("/etc/uv/uv.toml")


def _names_index(path: Path) -> bool:
    try:
        return _UV_SETTING.search(path.read_text(encoding="utf-8")) is not None
    except (OSError, UnicodeDecodeError):  # uv says what is wrong with it
        return False


def _host(address: str) -> str:
    try:
        return urlsplit(address).hostname or "a local directory"
    except ValueError:
        return "an address without a host"
