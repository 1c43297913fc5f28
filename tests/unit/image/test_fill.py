"""What fills the runtime's environment in the builder, run by a real interpreter on a tree like boto3's."""

from __future__ import annotations

import importlib.util
import struct
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from handoff_kit.image.context import PARTS, RUNTIME
from handoff_kit.image.dockerfile import SERVICES

FILL = PARTS / "fill.py"
UNCHECKED_HASH = 0b01  # PEP 552: by hash, and not checked against the source


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """An environment with nothing in it."""
    argv = [sys.executable, "-m", "venv", "--without-pip", "--symlinks", str(tmp_path / "env")]
    subprocess.run(argv, check=True)
    return tmp_path / "env/bin/python"


def packages(python: Path) -> Path:
    return Path(sysconfig.get_path("purelib", "posix_prefix", {"base": str(python.parents[1])}))


def fill(python: Path, *words: str) -> tuple[int, str]:
    done = subprocess.run([python, FILL, *words], capture_output=True, text=True, check=False)
    assert done.stdout == ""
    return done.returncode, done.stderr


def data_of_boto3(python: Path) -> Path:
    """Services as directories of botocore and boto3, and what is no service beside them."""
    top = packages(python)
    for name in ("botocore/data/s3", "botocore/data/sts", "botocore/data/ec2", "boto3/data/s3", "boto3/data/ec2"):
        (top / name / "2020-01-01").mkdir(parents=True)
        (top / name / "2020-01-01/service-2.json.gz").write_text("x")
    for name in ("botocore/data/endpoints.json", "botocore/data/_retry.json", "botocore/__init__.py"):
        (top / name).write_text("")
    return top


def names(directory: Path) -> list[str]:
    found = (path.relative_to(directory) for path in directory.rglob("*") if path.is_file())
    return sorted(str(path) for path in found if not path.name.startswith("_virtualenv"))


def test_the_services_that_are_named_stay(python: Path) -> None:
    top = data_of_boto3(python)
    assert fill(python, "keep", "s3", "sts") == (0, "")
    assert names(top) == [
        "boto3/data/s3/2020-01-01/service-2.json.gz",
        "botocore/__init__.py",
        "botocore/data/_retry.json",
        "botocore/data/endpoints.json",
        "botocore/data/s3/2020-01-01/service-2.json.gz",
        "botocore/data/sts/2020-01-01/service-2.json.gz",
    ]
    assert not (top / "botocore/data/ec2").exists()


def test_a_service_that_boto3_does_not_know_ends_the_build(python: Path) -> None:
    data_of_boto3(python)
    assert fill(python, "keep", "s3", "s4", "dynamo") == (1, "image.services: boto3 knows no service s4, dynamo\n")


def test_the_services_we_need_are_boto3_s() -> None:
    found = importlib.util.find_spec("botocore")
    assert found is not None
    assert found.origin is not None
    data = Path(found.origin).with_name("data")
    assert [name for name in SERVICES if not (data / name).is_dir()] == []
    assert sorted(SERVICES) == list(SERVICES)


def test_the_runtime_is_added_compiled_and_runs(python: Path, tmp_path: Path) -> None:
    assert fill(python, "add", str(RUNTIME)) == (0, "")
    added = packages(python) / "handoff_runtime"
    sources = sorted(path.name for path in added.glob("*.py"))
    assert sources == sorted(path.name for path in RUNTIME.glob("*.py"))
    tag = f".{sys.implementation.cache_tag}.pyc"
    assert sorted(path.name.replace(tag, ".py") for path in (added / "__pycache__").glob(f"*{tag}")) == sources
    (tmp_path / "types.py").write_text("raise SystemExit('types.py of the project was imported')\n")
    start = python.parents[1] / "handoff_runtime/start.py"
    done = subprocess.run([python, start, "--help"], cwd=tmp_path, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_no_start_looks_at_the_sources_again(python: Path, tmp_path: Path) -> None:
    """The root is read-only, and a source's time says nothing in an image."""
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg/__init__.py").write_text("X = 1\n")
    assert fill(python, "add", str(tmp_path / "pkg")) == (0, "")
    source = packages(python) / "pkg/__init__.py"
    compiled = Path(importlib.util.cache_from_source(str(source)))
    assert struct.unpack("<I", compiled.read_bytes()[4:8])[0] == UNCHECKED_HASH
    source.write_text("X = 2\n")
    done = subprocess.run([python, "-c", "import pkg; print(pkg.X)"], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"
