"""Virtual environments created by uv: from our own wheels, and from the package index."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from doubles.http_server import Handler, serve
from doubles.runtime_project import Project

from handoff_kit.apply import ApplyOptions, apply
from handoff_kit.errors import CommandError, ProjectError
from handoff_kit.paths import ProjectPaths
from handoff_kit.project.load import load_project
from handoff_kit.project.model import Venv
from handoff_kit.run.starters import plan_new
from handoff_kit.venvs.install import (
    PYTHON,
    Installer,
    find_installer,
    lock_installation,
    plan_install,
    read_venv_state,
    venv_status,
)
from handoff_kit.venvs.locks import TITLE

if TYPE_CHECKING:
    from doubles.checkout import Checkout

    from handoff_kit.steps import Step

pytestmark = pytest.mark.takes(150)

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Workshop:
    """A project to install into, and an index of wheels that is all there is."""

    paths: ProjectPaths
    wheels: Path
    installer: Installer

    def publish(self, name: str, version: str, *, needs: str = "", python: str = ">=3") -> str:
        """Put a wheel on the index, with a program of its name; its hash is given back."""
        path = self.wheels / f"{name}-{version}-py3-none-any.whl"
        code = f"def main():\n    print('{name} {version}')\n"
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nRequires-Python: {python}\n"
        metadata += f"Requires-Dist: {needs}\n" if needs else ""
        wheel = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        info = f"{name}-{version}.dist-info"
        parts = {
            f"{name}.py": code,
            f"{info}/METADATA": metadata,
            f"{info}/WHEEL": wheel,
            f"{info}/entry_points.txt": f"[console_scripts]\n{name} = {name}:main\n",
        }
        record = "".join(f"{part},{_record(text)}\n" for part, text in parts.items())
        with zipfile.ZipFile(path, "w") as archive:
            for part, text in {**parts, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
                archive.writestr(zipfile.ZipInfo(part, (2020, 1, 1, 0, 0, 0)), text)
        return hashlib.sha256(path.read_bytes()).hexdigest()

    def plan(self, *requirements: str, upgrade: bool = False) -> tuple[Step, ...]:
        venv = tap(*requirements)
        states = {venv.name: read_venv_state(self.paths, venv)}
        return plan_install(self.paths, (venv,), states, self.installer, upgrade=upgrade)

    def install(self, *requirements: str, upgrade: bool = False) -> None:
        apply(self.plan(*requirements, upgrade=upgrade), None, ApplyOptions(lambda _: None))

    @property
    def directory(self) -> Path:
        return self.paths.directory / "venv/tap"

    @property
    def lock(self) -> Path:
        return self.paths.lock("tap")

    def pins(self) -> list[str]:
        _, pins = self.lock.read_text().split("\n\n")
        return [line.split()[0] for line in pins.splitlines() if not line.startswith(" ")]

    def versions(self) -> list[str]:
        """What lies in venv/."""
        return sorted(path.name for path in self.directory.parent.iterdir())

    def says(self, program: str) -> str:
        ran = subprocess.run([self.directory / "bin" / program], capture_output=True, text=True, check=True)
        return ran.stdout.strip()


def tap(*requirements: str) -> Venv:
    return Venv("tap", "venv/tap", requirements)


def _record(text: str) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
    return f"sha256={digest},{len(text)}"


@pytest.fixture
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    (tmp_path / "uv.toml").write_text(f"no-index = true\nfind-links = ['{wheels}']\n")
    monkeypatch.setenv("UV_CONFIG_FILE", str(tmp_path / "uv.toml"))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    paths = ProjectPaths("shop", tmp_path)
    paths.directory.mkdir(parents=True)
    return Workshop(paths, wheels, find_installer())


def test_the_lock_holds_versions_and_hashes_and_no_address(workshop: Workshop) -> None:
    library = workshop.publish("library", "1.0")
    program = workshop.publish("my_tap", "2.0", needs="library>=1")
    workshop.install("My.Tap>=1", "library; python_version >= '3'")
    head, pins = workshop.lock.read_text().split("\n\n")
    assert head.splitlines()[::2] == [TITLE, "# requirement: My.Tap>=1"]
    assert head.splitlines()[3] == "# requirement: library; python_version >= '3'"
    assert pins == (f"library==1.0 \\\n    --hash=sha256:{library}\nmy-tap==2.0 \\\n    --hash=sha256:{program}\n")
    assert workshop.says("my_tap") == "my_tap 2.0"


def test_what_is_ready_is_left_alone(workshop: Workshop) -> None:
    workshop.publish("mytap", "1.0")
    assert venv_status(workshop.paths, tap("mytap")) == "missing"
    workshop.install("mytap")
    assert venv_status(workshop.paths, tap("mytap")) == "ready"
    assert workshop.plan("mytap") == ()
    workshop.publish("mytap", "1.1")
    assert workshop.plan("mytap") == ()


def test_a_fresh_clone_installs_what_the_lock_says(workshop: Workshop) -> None:
    workshop.publish("mytap", "1.0")
    workshop.install("mytap")
    lock = workshop.lock.read_text()
    shutil.rmtree(workshop.directory.parent)
    workshop.publish("mytap", "1.1")
    workshop.install("mytap")
    assert (workshop.says("mytap"), workshop.lock.read_text()) == ("mytap 1.0", lock)


def test_upgrade_takes_the_newest(workshop: Workshop) -> None:
    workshop.publish("mytap", "1.0")
    workshop.install("mytap")
    workshop.publish("mytap", "1.1")
    workshop.install("mytap", upgrade=True)
    assert (workshop.pins(), workshop.says("mytap")) == (["mytap==1.1"], "mytap 1.1")
    assert workshop.plan("mytap") == ()


def test_an_upgrade_takes_nothing_from_a_run(workshop: Workshop) -> None:
    """What a stage imports later is of the version that it began with; the next installation removes that one."""
    workshop.publish("mytap", "1.0")
    workshop.install("mytap")
    workshop.publish("mytap", "1.1")
    code = "open('go').read(); import mytap, sys; mytap.main(); print(sys.prefix)"
    project = Project(workshop.paths.directory)
    project.params({"argv": ["python", "-c", code], "venv": "venv/tap"}, {"argv": ["cat"], "venv": "venv/tap"})
    os.mkfifo(project.path("go"))
    run = project.start()
    with project.path("go").open("w"):  # once the stage has begun
        workshop.install("mytap", upgrade=True)
        assert (workshop.says("mytap"), workshop.versions()) == ("mytap 1.1", [".tap.1", ".tap.2", "tap"])
    assert run.finish().exit == 0
    assert project.output().decode() == f"mytap 1.0\n{project.path('venv/.tap.1')}\n"
    workshop.publish("mytap", "1.2")
    workshop.install("mytap", upgrade=True)
    assert (workshop.says("mytap"), workshop.versions()) == ("mytap 1.2", [".tap.3", "tap"])


def test_an_upgrade_that_fails_leaves_all_as_it_was(workshop: Workshop) -> None:
    workshop.publish("mytap", "1.0")
    workshop.install("mytap")
    workshop.publish("mytap", "1.1")
    apply(workshop.plan("mytap", upgrade=True)[:-1], None, ApplyOptions(lambda _: None))
    assert (workshop.pins(), workshop.says("mytap")) == (["mytap==1.0"], "mytap 1.0")
    assert venv_status(workshop.paths, tap("mytap")) == "ready"
    workshop.install("mytap", upgrade=True)
    assert (workshop.pins(), workshop.says("mytap")) == (["mytap==1.1"], "mytap 1.1")
    assert workshop.versions() == [".tap.3", "tap"]


def test_a_directory_in_the_place_of_the_link_is_replaced(workshop: Workshop) -> None:
    """As another program, or an earlier handoff, has created it."""
    (workshop.directory / "bin").mkdir(parents=True)
    workshop.publish("mytap", "1.0")
    workshop.install("mytap")
    assert (workshop.says("mytap"), workshop.versions()) == ("mytap 1.0", [".tap.1", "tap"])


def test_two_installations_at_once_take_turns(workshop: Workshop, checkout: Checkout) -> None:
    workshop.publish("mytap", "1.0")
    paths = ProjectPaths("shop", checkout.root)
    checkout.project("shop", "venvs: {tap: [mytap]}\ncommands: [{command: mytap, venv: tap}]\n")
    words = ("install", "--project", "shop")
    with lock_installation(paths, lambda _: None):
        both = [checkout.start(*words, stderr=subprocess.PIPE) for _ in range(2)]
        first = [process.stderr.readline().decode() for process in both if process.stderr]
    ends = sorted(process.communicate(timeout=60)[1].decode() for process in both)
    assert first == ["waiting: another `invoke install` of project shop is running\n"] * 2
    assert [process.returncode for process in both] == [0, 0]
    assert ends[0].splitlines()[0] == "1 virtual environment up to date"
    assert ends[1].splitlines()[-2] == "switch projects/shop/venv/tap to .tap.1"


class IndexHandler(Handler):
    """A package index (PEP 503) of the files in `wheels`, which answers only with the password; `seen` are the paths."""

    wheels: Path
    seen: list[str]

    def answer_request(self) -> None:
        self.seen.append(self.path)
        if self.headers.get("Authorization") != f"Basic {base64.b64encode(b'me:secret').decode()}":
            self.send(401, b"", {"WWW-Authenticate": "Basic"})
        elif (wheel := self.wheels / self.path.rpartition("/")[2]).is_file():
            self.send(200, wheel.read_bytes(), {})
        else:
            links = "".join(f'<a href="/{wheel.name}">{wheel.name}</a>' for wheel in self.wheels.glob("*.whl"))
            self.send(200, links.encode(), {"Content-Type": "text/html"})


@pytest.mark.parametrize("source", ["PIP_INDEX_URL", "PIP_CONFIG_FILE"])
def test_a_private_index_of_pip_is_asked_by_uv(
    source: str, checkout: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """uv looked the name up on PyPI, where anybody may have taken it."""
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)
    workshop = Workshop(ProjectPaths("shop", checkout.root), tmp_path, find_installer())
    workshop.publish("mytap", "1.0")
    checkout.project("shop", "venvs: {tap: [mytap]}\ncommands: [{command: mytap, venv: tap}]\n")
    seen, conf = list[str](), tmp_path / "pip.conf"
    with serve(IndexHandler, wheels=tmp_path, seen=seen) as address:
        index = f"{address.replace('://', '://me:secret@')}/simple"
        conf.write_text(f"[global]\nindex-url = {index}\nextra-index-url = {index}\n")
        given = {"PIP_INDEX_URL": index, "PIP_CONFIG_FILE": str(conf)}[source]
        places = {"UV_CACHE_DIR": str(tmp_path / "cache"), "XDG_CONFIG_HOME": str(tmp_path), "NO_PROXY": "127.0.0.1"}
        result = checkout.invoke("install", "--project", "shop", env={source: given, **places})
    assert result.exit == 0, result.stderr
    assert workshop.says("mytap") == "mytap 1.0"
    assert "/simple/mytap/" in seen
    where = source if source == "PIP_INDEX_URL" else str(conf)
    assert result.stderr.splitlines()[0] == f"note: package indexes of {where}, passed on to uv: 127.0.0.1"
    assert "secret" not in result.stderr + workshop.lock.read_text()


def test_a_changed_requirement_is_resolved_anew(workshop: Workshop) -> None:
    workshop.publish("mytap", "1.0")
    workshop.install("mytap")
    workshop.publish("other", "3.0")
    assert venv_status(workshop.paths, tap("other")) == "stale"
    workshop.install("other")
    assert workshop.says("other") == "other 3.0"
    assert not (workshop.directory / "bin/mytap").exists()


def test_uv_keeps_the_versions_that_still_fit(workshop: Workshop) -> None:
    workshop.publish("mytap", "1.0")
    workshop.install("mytap")
    workshop.publish("mytap", "1.1")
    workshop.publish("other", "3.0")
    workshop.install("mytap", "other")
    assert workshop.pins() == ["mytap==1.0", "other==3.0"]


def test_an_installation_killed_in_the_middle_is_done_again(workshop: Workshop) -> None:
    workshop.publish("mytap", "1.0")
    apply(workshop.plan("mytap")[:-1], None, ApplyOptions(lambda _: None))
    assert venv_status(workshop.paths, tap("mytap")) == "missing"
    workshop.install("mytap")
    assert venv_status(workshop.paths, tap("mytap")) == "ready"
    assert workshop.versions() == [".tap.2", "tap"]


def test_a_moved_project_is_installed_again(workshop: Workshop) -> None:
    workshop.publish("mytap", "1.0")
    workshop.install("mytap")
    moved = ProjectPaths("store", workshop.paths.root)
    workshop.paths.directory.rename(moved.directory)
    assert venv_status(moved, tap("mytap")) == "stale"


def test_a_file_of_another_hash_is_refused_and_named(workshop: Workshop, capfd: pytest.CaptureFixture[str]) -> None:
    right = workshop.publish("mytap", "1.0")
    workshop.install("mytap")
    workshop.lock.write_text(workshop.lock.read_text().replace(right, "0" * 64))
    with pytest.raises(CommandError, match="could not install venv tap of project shop: ") as caught:
        workshop.install("mytap")
    assert "mytap==1.0" in caught.value.message
    assert "hash" in caught.value.message.lower()
    assert (caught.value.hint or "").startswith(f"to repeat it: cd {workshop.paths.directory} && ")
    assert right in capfd.readouterr().err
    assert venv_status(workshop.paths, tap("mytap")) == "stale"
    assert workshop.says("mytap") == "mytap 1.0"


def test_a_version_missing_from_the_lock_is_named(workshop: Workshop) -> None:
    library = workshop.publish("library", "1.0")
    workshop.publish("mytap", "1.0", needs="library")
    workshop.install("mytap")
    lost = f"library==1.0 \\\n    --hash=sha256:{library}\n"
    workshop.lock.write_text(workshop.lock.read_text().replace(lost, ""))
    with pytest.raises(CommandError, match=r"could not install venv tap of project shop: .*library"):
        workshop.install("mytap")


def test_a_merge_conflict_stops_before_anything_is_removed(workshop: Workshop) -> None:
    workshop.publish("mytap", "1.0")
    workshop.install("mytap")
    workshop.lock.write_text(workshop.lock.read_text().replace("mytap==", "<<<<<<< HEAD\nmytap=="))
    with pytest.raises(ProjectError, match=r"locks/tap\.txt:5: found '<<<<<<< HEAD'"):
        workshop.install("mytap")
    assert workshop.says("mytap") == "mytap 1.0"


def test_a_requirement_nobody_has_is_named(workshop: Workshop) -> None:
    with pytest.raises(CommandError, match=r"could not lock venv tap of project shop: .*no-such-tap"):
        workshop.install("no-such-tap")
    assert not workshop.lock.exists()
    assert venv_status(workshop.paths, tap("no-such-tap")) != "ready"


def test_uv_leaves_the_old_environment_when_it_cannot_resolve(workshop: Workshop) -> None:
    workshop.publish("mytap", "1.0")
    workshop.install("mytap")
    with pytest.raises(CommandError):
        workshop.install("mytap>=2")
    assert workshop.says("mytap") == "mytap 1.0"


def test_what_needs_a_newer_python_is_locked_for_it(workshop: Workshop) -> None:
    workshop.publish("mytap", "1.0", python=f">={PYTHON}")
    workshop.install("mytap")
    assert workshop.lock.read_text().splitlines()[1] == f"# serves: Python {PYTHON} and later, on every platform"
    assert workshop.says("mytap") == "mytap 1.0"


BACKEND = """
import pathlib, shutil
def build_wheel(directory, config_settings=None, metadata_directory=None):
    wheel = next(pathlib.Path(__file__).parent.glob("*.whl"))
    shutil.copy(wheel, directory)
    return wheel.name
"""


def test_a_repository_is_pinned_by_its_commit(workshop: Workshop) -> None:
    repository = workshop.paths.root / "mytap"
    repository.mkdir()
    workshop.publish("mytap", "1.0")
    (workshop.wheels / "mytap-1.0-py3-none-any.whl").rename(repository / "mytap-1.0-py3-none-any.whl")
    (repository / "backend.py").write_text(BACKEND)
    backend = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    (repository / "pyproject.toml").write_text(backend)
    commit = committed(repository)
    address = f"git+file://{repository}"
    workshop.install(f"mytap @ {address}")
    assert f"\nmytap @ {address}@{commit}\n" in workshop.lock.read_text()
    assert workshop.says("mytap") == "mytap 1.0"
    assert workshop.plan(f"mytap @ {address}") == ()


def committed(repository: Path) -> str:
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
    for line in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        subprocess.run([*git, *line], cwd=repository, check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], cwd=repository, capture_output=True, text=True, check=True)
    return head.stdout.strip()


def test_removing_an_environment_from_the_project_leaves_it_there(workshop: Workshop) -> None:
    workshop.publish("mytap", "1.0")
    workshop.install("mytap")
    assert plan_install(workshop.paths, (), {}, workshop.installer) == ()
    assert workshop.says("mytap") == "mytap 1.0"


# from the package index


@pytest.mark.network
def test_the_package_index(tmp_path: Path) -> None:
    paths = ProjectPaths("shop", tmp_path)
    paths.directory.mkdir(parents=True)
    workshop = Workshop(paths, tmp_path, find_installer())
    workshop.install("tabulate==0.9.0")
    assert workshop.pins() == ["tabulate==0.9.0"]
    assert "://" not in workshop.lock.read_text()
    assert (workshop.directory / "bin/tabulate").exists()


def pipe(paths: ProjectPaths) -> int:
    """Run a tap | target project as a shell would; the number of records sent is given back."""
    state = paths.directory / ".artifacts/state"
    stages = [stage for stage in load_project(paths.file, paths.display_path).stages if stage.venv]
    first, last = ([f"{stage.venv}/bin/{stage.command}", *stage.args] for stage in stages)
    sent = subprocess.run(first, cwd=paths.directory, capture_output=True, check=True).stdout
    stored = subprocess.run(last, cwd=paths.directory, input=sent, capture_output=True, check=True).stdout
    state.write_bytes(stored.splitlines(keepends=True)[-1])
    return sum(json.loads(line)["type"] == "RECORD" for line in sent.splitlines())


@pytest.mark.network
def test_the_elements_are_sent_once(tmp_path: Path) -> None:
    paths = ProjectPaths("elements", tmp_path)
    kept = shutil.ignore_patterns("venv", ".env", ".artifacts")
    shutil.copytree(ROOT / "projects/elements", paths.directory, ignore=kept)
    assert sent_twice(paths, "elements.jsonl") == (118, 0)


@pytest.mark.network
def test_the_singer_starter_runs_once_installed(tmp_path: Path) -> None:
    apply(plan_new(tmp_path, "mine", "singer"), None, ApplyOptions(lambda _: None))
    assert sent_twice(ProjectPaths("mine", tmp_path), "cities.jsonl") == (3, 0)


def sent_twice(paths: ProjectPaths, stored: str) -> tuple[int, int]:
    """Install and run twice, from no state on; what is stored in the end is what the first run sent."""
    venvs = load_project(paths.file, paths.display_path).venvs
    locks = {venv.name: read_text(paths.lock(venv.name)) for venv in venvs}
    states = {venv.name: read_venv_state(paths, venv) for venv in venvs}
    apply(plan_install(paths, venvs, states, find_installer()), None, ApplyOptions(lambda _: None))
    assert all(read_text(paths.lock(name)) == text for name, text in locks.items() if text)
    shutil.copytree(paths.local, paths.directory / ".env/config")
    (paths.directory / ".artifacts").mkdir()
    (paths.directory / ".artifacts/state").write_text("{}\n")
    counts = pipe(paths), pipe(paths)
    assert len((paths.directory / ".artifacts" / stored).read_text().splitlines()) == counts[0]
    return counts


def read_text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def test_no_module_of_the_project_hides_one_of_uv(workshop: Workshop) -> None:
    """Every step is run in the project's directory, which `python -m` searches first."""
    for name in ("types", "operator", "warnings", "json", "typing", "venv", "pip", "uv"):
        path = workshop.paths.directory / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"raise SystemExit('{name}.py of the project was imported')\n")
    workshop.publish("spam", "1.0")
    workshop.install("spam")
    assert workshop.says("spam") == "spam 1.0"
