"""Mutated project files, expressions, data, params, config files and impl.py, for what reads them, in this process.

    PYTHONPATH=tests uv run python -m fuzz.fuzzer --seed 1 --inputs 100000

An input is determined by seed and number. A finding is an exception that is no HandoffError, more than 2 s of CPU, or a
project that `check` accepts and that cannot be rendered or prepared for a run; it is printed with a reduced input.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fuzz import mutator
from fuzz.corpus import ROOT, Corpus, read_corpus
from fuzz.mutator import PROJECT, Mutator

from handoff_kit.aws.cloudformation.template import parse_template
from handoff_kit.aws.params import compare_params, mask_document
from handoff_kit.deploy import schedule_output, schedule_project, templates
from handoff_kit.deploy.schedule_template import render_schedule_template
from handoff_kit.errors import HandoffError
from handoff_kit.image import checks, context
from handoff_kit.image.dockerfile import render_dockerfile
from handoff_kit.paths import ProjectPaths
from handoff_kit.project import name_limits, params_document, shell_lines
from handoff_kit.project.load import load_project
from handoff_kit.project.schedule_settings import SCHEDULER_DATA, Schedule
from handoff_kit.run import local_run
from handoff_kit.scheduling.expression import KINDS, Kind, expression_problem
from handoff_kit.scheduling.timezones import timezone_problem
from handoff_kit.tasks import options
from handoff_runtime import masking, workspace
from handoff_runtime.params import ConfigFile, decode_params, encode_params, parse_params, required_tier

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from types import FrameType

    from handoff_kit.project.model import Project

STACK, ENVIRONMENT = "handoff-dev-fuzzed", "dev"
NOW = datetime(2027, 1, 31, 6, tzinfo=timezone.utc)
MEMORY = Path("/dev/shm")  # where writing a file for each input is cheap
CPU_LIMIT = 2.0
HOPELESS = 20.0  # seconds of CPU after which an input is stopped
REDUCTION_SECONDS = 20.0
MOST_PLACEHOLDERS = 50


@dataclass(frozen=True)
class Input:
    """A kind of input, and its parts by name."""

    kind: str
    parts: Mapping[str, bytes]


def make_input(corpus: Corpus, seed: int, number: int) -> Input:
    """The input of this seed and number."""
    rng = random.Random(f"{seed}/{number}")
    kind = rng.choices(list(KINDS_OF_INPUT), [weight for weight, _, _ in KINDS_OF_INPUT.values()])[0]
    return Input(kind, KINDS_OF_INPUT[kind][1](Mutator(corpus, rng)))


class Stopped(BaseException):
    """An input took HOPELESS seconds; no Exception, which a template's renderer would catch."""


class Checkout:
    """A checkout with one project, whose files are written for each input."""

    def __init__(self, directory: Path) -> None:
        for name in ("templates", "Dockerfile.j2"):
            (directory / name).symlink_to(ROOT / name)
        self.paths = ProjectPaths(PROJECT, directory)
        self.valid = parse_params(
            json.dumps(
                {
                    "format": 1,
                    "pipeline": {"format": 1, "project": PROJECT, "stages": [{"name": "a", "argv": ["{{ base }}"]}]},
                }
            ).encode(),
            "x",
        )

    def write(self, parts: Mapping[str, bytes]) -> None:
        shutil.rmtree(self.paths.directory, ignore_errors=True)
        for name, content in parts.items():
            path = self.paths.directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def run_project(checkout: Checkout, parts: Mapping[str, bytes]) -> bool:
    """As `check` does it; and where that finds nothing wrong, as `render` and the start of a run do."""
    checkout.write(parts)
    paths, notes = checkout.paths, list[object]()
    try:
        loaded = load_project(paths.file, paths.display_path)
        name_limits.check_names(paths, ENVIRONMENT, loaded, [PROJECT])
        params_document.check_functions(paths)
        document = params_document.params_document(paths, loaded, ENVIRONMENT)
        local_run.missing_placeholder(document)
        notes += [params_document.state_choice(loaded), *shell_lines.unguarded_pipes(paths, loaded, {"PATH": ""})]
        notes += schedule_output.shared_state_warning(loaded.schedules, params_document.state_mode(loaded))
        notes += checks.find_image_problems(paths, loaded)
    except HandoffError as error:
        str(error)
        return False
    str(notes)
    try:
        render(checkout, loaded, document)
    except HandoffError as error:
        raise AcceptedError(str(error)) from error
    run_schedules(loaded, document)
    return True


class AcceptedError(Exception):
    """`check` found nothing wrong, and yet something is."""


def render(checkout: Checkout, loaded: Project, document: Mapping[str, Any]) -> None:
    """The files of `render`, and the pipeline of a run that is given a value for every placeholder."""
    paths = checkout.paths
    root, text = paths.root, params_document.to_json(document)
    texts = [
        text,
        render_dockerfile(paths, loaded),
        templates.render_shared_template(root, ENVIRONMENT),
        templates.render_registry_template(root, PROJECT, STACK, ENVIRONMENT),
        templates.render_task_template(root, PROJECT, loaded, STACK, ENVIRONMENT),
    ]
    if loaded.schedules:
        texts.append(render_schedule_template(root, PROJECT, loaded.schedules, loaded.deploy, STACK, ENVIRONMENT))
    for each in texts:
        each.encode()  # as it is written
    if not all(parse_template(each).get("Resources") for each in texts[2:]):
        raise AcceptedError("a template is no YAML")
    context.project_size(paths, loaded)
    encode_params(document)
    data: dict[str, str] = {}
    while (missing := _missing(text, data)) and len(data) < MOST_PLACEHOLDERS:
        data[missing] = "x"
    local_run.preview(text, "run", data, {"PATH": "/bin"})


def _missing(document: str, data: Mapping[str, str]) -> str | None:
    try:
        local_run.preview(document, "run", data, {})
    except HandoffError as error:
        found = re.search(r"placeholder \{\{ (\w+) \}\} found", error.message)
        return found[1] if found else None
    return None


def run_schedules(loaded: Project, document: Mapping[str, Any]) -> None:
    schedule_output.next_times_table(loaded.schedules, NOW)
    list(schedule_output.schedule_notes(loaded.schedules, NOW))
    with suppress(HandoffError):  # what `invoke schedule` refuses
        schedule_project.check_schedules(loaded.schedules, (), NOW)
    for schedule in loaded.schedules[:3]:
        with suppress(HandoffError):  # a placeholder that another schedule fills
            local_run.preview(
                params_document.to_json(document),
                "run",
                {**schedule.data, **SCHEDULER_DATA, "scheduled_at": "2027-01-31T06:00:00Z"},
                {},
            )


def run_config(checkout: Checkout, parts: Mapping[str, bytes]) -> bool:
    """A config file as every run masks it, and in the params document that is stored."""
    checkout.write({"project.yml": b"commands: [{command: cat}]", **parts})
    try:
        document = params_document.load_params_document(checkout.paths, ENVIRONMENT)
    except HandoffError:
        return False
    try:
        mask_params(params_document.to_json(document).encode())
    except HandoffError as error:
        raise AcceptedError(str(error)) from error
    return True


def mask_params(content: bytes) -> None:
    params = parse_params(content, "params")
    workspace.prepare(params.files, None)
    hidden = masking.mask_for_run(params, params.pipeline, {"TOKEN": "a-secret"}, {"password": "abc"})
    for file in params.files:
        hidden.mask_text(file.value)
        hidden.mask_lines(file.value.encode("utf-8", "surrogatepass"))
    params_document.to_json(mask_document(params))
    list(compare_params({**params.document, "files": []}, params.document))
    stored = encode_params(params.document)
    with suppress(HandoffError):
        required_tier(params.document, stored, advanced=False)
    if json.loads(decode_params(stored)) != params.document:
        raise AcceptedError("a params document changes when it is stored")


def run_functions(checkout: Checkout, parts: Mapping[str, bytes]) -> bool:
    checkout.write({"project.yml": b"commands: [{command: cat}]", **parts})
    try:
        params_document.check_functions(checkout.paths)
    except HandoffError:
        return False
    return True


def run_expression(_checkout: Checkout, parts: Mapping[str, bytes]) -> bool:
    """An expression, alone and as an option of `invoke schedule`."""
    texts = {name: value.decode("utf-8", "surrogateescape") for name, value in parts.items()}
    kind: Kind = next(kind for kind in KINDS if kind in texts)
    text, zone = texts[kind], texts["timezone"]
    refused = timezone_problem(zone) or expression_problem(kind, text, zone)
    with suppress(HandoffError):
        given: dict[str, Any] = {"timezone": zone, kind: text}
        schedule_project.from_options(schedule_project.ScheduleOptions(**given))
    if refused or not text:
        return False
    schedule = Schedule(timezone=zone, **{kind: text})
    schedule_output.next_times_table([schedule], NOW)
    list(schedule_output.schedule_notes([schedule], NOW))
    with suppress(HandoffError):
        schedule_project.check_schedules([schedule], (), NOW)
    return True


def run_data(checkout: Checkout, parts: Mapping[str, bytes]) -> bool:
    text = parts["data"].decode("utf-8", "surrogateescape")
    params = checkout.valid
    try:
        data = options.parse_data(text, [f"base={text}"])
        local_run.preview(json.dumps(params.document), "run", data, {})
    except HandoffError as error:
        masking.build_mask([ConfigFile("a", text)], ()).mask_message(error.for_log())
        return False
    return True


def run_params(checkout: Checkout, parts: Mapping[str, bytes]) -> bool:
    """A params document of a file, as --params and the container take it."""
    path = checkout.paths.root / "params.json"
    path.write_bytes(parts["params"])
    try:
        mask_params(parts["params"])
        document = params_document.read_params_file(path, checkout.paths)
        local_run.missing_placeholder(document)
        local_run.preview(params_document.to_json(document), "run", {}, {})
    except HandoffError:
        return False
    return True


KINDS_OF_INPUT: dict[
    str, tuple[int, Callable[[Mutator], dict[str, bytes]], Callable[[Checkout, Mapping[str, bytes]], bool]]
] = {
    "project file": (50, mutator.make_project, run_project),
    "expression": (20, mutator.make_expression, run_expression),
    "data": (10, mutator.make_data, run_data),
    "params": (10, mutator.make_params, run_params),
    "config": (7, mutator.make_config, run_config),
    "impl.py": (3, mutator.make_functions, run_functions),
}


@dataclass(frozen=True)
class Finding:
    """What went wrong with an input; `place` is the kind of the failure and the last line of ours in its traceback."""

    place: str
    text: str


@dataclass(frozen=True)
class Trial:
    """An input was accepted or refused, in so many seconds of CPU, or found something."""

    accepted: bool
    seconds: float
    finding: Finding | None = None


def execute(checkout: Checkout, given: Input) -> Trial:
    """Run one input."""
    begun = time.process_time()
    finding, accepted = None, False
    signal.setitimer(signal.ITIMER_VIRTUAL, HOPELESS)
    try:
        accepted = KINDS_OF_INPUT[given.kind][2](checkout, given.parts)
    except (Exception, Stopped) as error:  # noqa: BLE001  # that is what is looked for
        finding = _finding(error)
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    seconds = time.process_time() - begun
    if finding is None and seconds > CPU_LIMIT:
        finding = Finding("slow", f"{seconds:.1f} s of CPU")
    return Trial(accepted, seconds, finding)


def _finding(error: BaseException) -> Finding:
    if isinstance(error, Stopped):
        return Finding("slow", f"stopped after {HOPELESS} s of CPU")
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "/handoff_" in frame.filename]
    place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "fuzzer"
    message = re.sub(r"'[^']*'|[0-9]+", "", str(error)) if isinstance(error, AcceptedError) else ""
    return Finding(
        f"{type(error).__name__} in {place}{message[:60]}", "".join(traceback.format_exception(error))[-3000:]
    )


def reduce_input(
    checkout: Checkout, given: Input, finding: Finding, run_input: Callable[[Checkout, Input], Trial] = execute
) -> Input:
    """The input with everything taken out that the finding does not need, as far as the time allows."""
    until = time.process_time() + REDUCTION_SECONDS

    def is_found(parts: Mapping[str, bytes]) -> bool:
        found = run_input(checkout, Input(given.kind, parts)).finding
        return found is not None and found.place == finding.place

    for name in given.parts:
        size = max(1, len(given.parts[name]) // 2)
        while True:
            at = 0
            while at < len(given.parts[name]) and time.process_time() < until:
                content = given.parts[name]
                parts = {**given.parts, name: content[:at] + content[at + size :]}
                if is_found(parts):
                    given = replace(given, parts=parts)
                else:
                    at += size
            if size == 1 or time.process_time() >= until:
                break
            size //= 2
    return given


@contextmanager
def fuzzing() -> Iterator[Checkout]:
    """A checkout in a temporary directory, and this process ready for inputs."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise Stopped

    before, cwd = signal.signal(signal.SIGVTALRM, stop), Path.cwd()
    try:
        with (
            tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as directory,
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")  # of Python, for a mutated impl.py
            os.chdir(directory)
            yield Checkout(Path(directory))
    finally:
        os.chdir(cwd)
        signal.signal(signal.SIGVTALRM, before)


@dataclass
class Report:
    """How many inputs of a kind were accepted and refused, the slowest, and the findings by their place."""

    counts: Counter[str]
    slowest: tuple[float, int] = (0.0, -1)
    findings: dict[str, str] = field(default_factory=dict)


def run(
    seed: int, numbers: Iterable[int], *, each: Callable[[int, Report], None] = lambda _number, _report: None
) -> Report:
    """Run these inputs; of the findings with one place, the first is reduced."""
    corpus, report = read_corpus(), Report(Counter())
    with fuzzing() as checkout:
        for number in numbers:
            given = make_input(corpus, seed, number)
            trial = execute(checkout, given)
            report.counts[f"{given.kind} {'accepted' if trial.accepted else 'refused'}"] += 1
            report.slowest = max(report.slowest, (trial.seconds, number))
            if trial.finding and trial.finding.place not in report.findings:
                again = f"PYTHONPATH=tests uv run python -m fuzz.fuzzer --seed {seed} --first {number} --inputs 1"
                parts = dict(reduce_input(checkout, given, trial.finding).parts)
                report.findings[trial.finding.place] = (
                    f"{trial.finding.place}, {given.kind} {parts}\n{again}\n{trial.finding.text}"
                )
            each(number, report)
    return report


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1, help="seed of the generator; default: 1")
    parser.add_argument("--first", type=int, default=0, help="number of the first input; default: 0")
    parser.add_argument("--inputs", type=int, default=100_000, help="number of inputs; default: 100000")
    chosen = parser.parse_args()
    sys.stdout = open(1, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115  # half a character
    printed: set[str] = set()

    def show(number: int, report: Report) -> None:
        for place, text in report.findings.items():
            if place not in printed:
                printed.add(place)
                sys.stdout.write(f"\nFOUND {text}\n")
        if (number + 1 - chosen.first) % 1000 == 0:
            sys.stdout.write(
                f"{number + 1 - chosen.first:,} inputs, {len(printed)} findings, slowest {report.slowest[0]:.2f} s (number {report.slowest[1]})\n"
            )
        sys.stdout.flush()

    report = run(chosen.seed, range(chosen.first, chosen.first + chosen.inputs), each=show)
    sys.stdout.write("".join(f"{name}: {count:,}\n" for name, count in sorted(report.counts.items())))
    sys.stdout.write(
        f"slowest: {report.slowest[0]:.2f} s of CPU (number {report.slowest[1]}); findings: {len(printed)}\n"
    )
    return min(1, len(printed))


if __name__ == "__main__":
    sys.exit(main())
