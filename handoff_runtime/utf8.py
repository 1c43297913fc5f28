"""UTF-8 for arguments, names of files and the environment, in every locale."""

from __future__ import annotations

import os
import sys


def require_utf8() -> None:
    """Start the interpreter again in its UTF-8 mode (PEP 540), if the locale has another encoding.

    Project files are UTF-8, and images have a locale that is: a run gets the same bytes everywhere.
    """
    if sys.getfilesystemencoding() != "utf-8" and not sys.flags.utf8_mode:
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606  # ourselves
