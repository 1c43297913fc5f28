"""Run inside the builder stage, by the Python of the environment that it fills: the runtime's own.

keep SERVICE...   of boto3's data keep these services alone; the rest is nine tenths of its size
add DIRECTORY     copy this package in, compiled; ENVIRONMENT/PACKAGE leads to it, whichever Python that has
"""

from __future__ import annotations

import compileall
import shutil
import sys
import sysconfig
from pathlib import Path
from py_compile import PycInvalidationMode

PACKAGES = Path(sysconfig.get_path("purelib"))


def keep(*services: str) -> None:
    """Remove the data of every other service; what is no service (endpoints, retries) stays."""
    for data in (PACKAGES / "botocore" / "data", PACKAGES / "boto3" / "data"):
        for directory in filter(Path.is_dir, data.iterdir()):
            if directory.name not in services:
                shutil.rmtree(directory)
    unknown = [name for name in services if not (PACKAGES / "botocore" / "data" / name).is_dir()]
    if unknown:
        sys.exit(f"image.services: boto3 knows no service {', '.join(unknown)}")


def add(source: str) -> None:
    """The unchanged package and its bytecode, which Python does not check against the source at start."""
    target = PACKAGES / Path(source).name
    shutil.copytree(source, target)
    compileall.compile_dir(target, quiet=1, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH)
    environment = Path(sys.prefix)
    (environment / target.name).symlink_to(target.relative_to(environment))


if __name__ == "__main__":
    if sys.argv[1] == "keep":
        keep(*sys.argv[2:])
    else:
        add(sys.argv[2])
