"""The project file: which keys there are, what each means, and what a correct file becomes.

The models here say it; what can be wrong with a file, and how that is told, is in faults.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, ValidationInfo

from handoff_kit import faults
from handoff_kit.errors import ProjectFileError
from handoff_kit.faults.outline import Keys
from handoff_kit.forms import BASE, COLLECTOR_STATS, MAX_STATES, venv_name
from handoff_kit.settings.deploy import PLATFORMS, Deploy, Statement
from handoff_kit.settings.schedule import Schedule
from handoff_kit.settings.written import (
    Args,
    Days,
    EnvItem,
    Envs,
    Installs,
    Name,
    Package,
    Pattern,
    Requirement,
    Service,
    States,
    Step,
    Text,
    VenvName,
    VenvPlace,
)
from handoff_kit.source import Data, Source, read
from handoff_runtime.variables import PLACEHOLDER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from pydantic_core import ErrorDetails

    from handoff_kit.names import ProjectPlace
    from handoff_kit.source import Problem

__all__ = [
    "COLLECTOR_STATS",
    "Deploy",
    "EnvItem",
    "Image",
    "Keep",
    "Params",
    "Project",
    "Schedule",
    "Stage",
    "Statement",
    "Venv",
    "load",
    "load_all",
    "placeholders",
    "understood",
]


class Stage(BaseModel):
    """One command of the pipeline: its stdin is the stage before, its stdout the stage after."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "oneOf": [{"required": ["command"]}, {"required": ["shell"]}],
            "dependentRequired": {"args": ["command"], "installs": ["venv"]},
        },
    )

    command: str | None = Field(
        None,
        min_length=1,
        description="The program to run: a name found in the stage's venv or on PATH, or a path inside the "
        "project. No shell comes between. `collector_stats` is built in: it passes its input on, byte for "
        "byte, and writes the number of rows to `.artifacts/collector_stats.json`.",
        examples=["tap-jsonl"],
    )
    shell: str | None = Field(
        None,
        min_length=1,
        description="Instead of `command`: a line for `sh -eu`, with pipes, redirections, variables and globs. A part "
        "of a pipe that fails fails the stage, where bash or another shell with pipefail is there.",
        examples=["grep foo | sort > .artifacts/sorted"],
    )
    args: Args = Field(
        (),
        description="The words after the command: one text, split at blanks as a shell would (quotes keep "
        "words together), or a list with one word an item. Placeholders are filled within a word.",
        examples=["--config .env/config/tap.json", ["--name", "two words"]],
    )
    venv: VenvPlace | None = Field(
        None,
        description="The virtual environment to run in: a name declared under `venvs`, or the path of one "
        "inside the project.",
        examples=["tap", "./venv/proc_01"],
    )
    installs: Installs = Field(
        (),
        description="The original form of `venvs`: what to install into the venv whose path the stage "
        "names, as `pip install` lines without options.",
        examples=[["pip install tap-exchangeratesapi"]],
    )
    envs: Envs = Field(
        default_factory=dict,
        description="Environment variables of this stage only, added to those of the pipeline.",
        examples=[{"LOG_LEVEL": "debug"}],
    )


class Image(BaseModel):
    """What the project's image is made of, besides its venvs and files."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base: str = Field(
        "python:3.11-slim",
        pattern=BASE,
        description="The image to build on: any with Python and pip, and with Debian's apt-get where packages are "
        "named. For builds that can be repeated to the byte, name it by its digest too.",
        examples=["python:3.12-slim", "python:3.11-slim@sha256:" + 64 * "0"],
    )
    packages: tuple[Package, ...] = Field(
        (),
        description="Debian packages that the stages need, as `apt-get install` takes them.",
        examples=[["jq", "postgresql-client=15+248"]],
    )
    build_packages: tuple[Package, ...] = Field(
        (),
        description="Debian packages needed only while the venvs are made (a compiler, `git`, headers). They do "
        "not stay in the image.",
        examples=[["gcc", "libc6-dev", "git"]],
    )
    steps: tuple[Step, ...] = Field(
        (),
        description="Further build steps: lines for `sh`, run as root in the image after its packages, each a "
        "layer of its own. They must not hold a secret: everyone who has the image can read them.",
        examples=[["ln -s /usr/bin/mawk /usr/local/bin/awk"]],
    )
    platform: Literal["linux/amd64", "linux/arm64"] | None = Field(
        None,
        description="The platform to build for. Without it: that of the builder, or what `--platform` says.",
        examples=["linux/arm64"],
    )
    store: Literal["aws", "none"] = Field(
        "aws",
        description="Where the image can find its params and keep its state: `aws` takes boto3 along, with `none` "
        "the image serves `invoke run-local --container` alone and is 9 MB smaller.",
        examples=["none"],
    )
    services: tuple[Service, ...] = Field(
        (),
        description="AWS services, as boto3 names them, that functions in `impl.py` use. Those that handoff "
        "itself needs are always there; the rest of boto3's data is left out.",
        examples=[["dynamodb"]],
    )
    exclude: tuple[Pattern, ...] = Field(
        (),
        description="Files of the project that shall stay out of the image, as glob patterns relative to the "
        "project; a directory stands for all in it.",
        examples=[["notebooks", "data/*.parquet"]],
    )
    include: tuple[Pattern, ...] = Field(
        (),
        description="Files that are to be in the image although they look like credentials (`.aws`, `.netrc`, private "
        "keys, `.env` files), which are left out otherwise: patterns like those of `exclude`.",
        examples=[["certificates/client.pem"]],
    )


class Keep(BaseModel):
    """How long the bucket keeps what runs leave there; days, or None for ever."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    runs: Days = Field(
        90,
        description="How long record, log and artifacts of a run stay, and its line in the history: days, as `90d` or "
        "`90`, or `forever`.",
        examples=["365d"],
    )
    artifacts: Days = Field(
        30,
        description="How long earlier versions of what lies in `.artifacts` (earlier states too) and of pushed files "
        "stay after they were replaced or removed. The newest version of each stays in any case.",
        examples=["7d"],
    )
    states: States = Field(
        50,
        description=f"How many earlier states stay, the newest ones, 1 to {MAX_STATES}; `invoke state.restore` brings "
        "one back. Those of the last day stay all, and none stays longer than `artifacts` says.",
        examples=[10],
    )


class Params(BaseModel):
    """How the params document is stored in Parameter Store."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tier: Literal["standard", "advanced"] = Field(
        "standard",
        description="The dearest tier that may be used: `standard` holds 4,096 bytes and is free, `advanced` holds "
        "8,192 and is charged for. It is used only when the document, compressed, needs it; a parameter that was "
        "once in the advanced tier stays there.",
        examples=["advanced"],
    )


@dataclass(frozen=True)
class Venv:
    """A virtual environment that handoff makes: where it lies and what goes into it."""

    name: str
    directory: str
    requirements: tuple[str, ...] = field(default=())


def _on_platform(deploy: Deploy, info: ValidationInfo) -> Deploy:
    """Runs on what the image is built for, where only that is said."""
    image: Image | None = info.data.get("image")
    if image is None or image.platform is None or "architecture" in deploy.model_fields_set:
        return deploy
    meant = next(architecture for architecture, platform in PLATFORMS.items() if platform == image.platform)
    return deploy.model_copy(update={"architecture": meant})


class Project(BaseModel):
    """What a project file says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    description: Text = Field(
        "", description="What the pipeline does, in a line.", examples=["Daily exchange rates, to CSV"]
    )
    vars: dict[Name, Text] = Field(
        default_factory=dict,
        description="Defaults of the placeholders `{{ name }}`; `--data` and `--var` override them.",
        examples=[{"base": "JPY"}],
    )
    envs: Envs = Field(
        default_factory=dict,
        description="Environment variables of every stage, as a mapping or as a list of key and value. "
        "Values are taken as they are written, and may hold placeholders.",
        examples=[{"TZ": "UTC"}, [{"key": "TZ", "value": "UTC"}]],
    )
    declared: dict[VenvName, Annotated[tuple[Requirement, ...], Field(min_length=1)]] = Field(
        default_factory=dict,
        alias="venvs",
        description="Virtual environments that `invoke install` makes in `venv/NAME`, each with its "
        "requirements, written as for pip.",
        examples=[{"tap": ["tap-jsonl"], "target": ["target-csv>=0.3"]}],
    )
    stages: tuple[Stage, ...] = Field(
        alias="commands",
        min_length=1,
        description="The pipeline: its stages from first to last, all started at once and joined by pipes.",
        examples=[[{"command": "cat", "args": "data.txt"}, {"command": "wc", "args": "-l"}]],
    )
    state: Literal["all", "singer", "none"] | None = Field(
        None,
        description="What a run keeps in `.artifacts/state` from the last stage's output: `all` of it, the last state "
        "line of a `singer` target, or `none`, for a program whose output is no state (dbt). Default: `singer` where a "
        "stage is given the file (`--state .artifacts/state`), else `all`; `invoke check` prints which was chosen.",
        examples=["singer", "none"],
    )
    meter: Literal["rows", "bytes", "off"] = Field(
        "rows", description="What is counted between the stages.", examples=["bytes"]
    )

    overlap: Literal["fail", "skip", "wait"] = Field(
        "fail",
        description="What becomes of a run that begins while another one of the project is under way: it fails "
        "(exit 75), is skipped (exit 0, told in the history), or waits until the other has ended.",
        examples=["skip"],
    )
    image: Image = Field(
        default_factory=Image,
        description="What `invoke build` makes the image of.",
        examples=[{"base": "python:3.12-slim", "packages": ["jq"]}],
    )
    keep: Keep = Field(
        default_factory=Keep,
        description="How long the bucket in AWS keeps what runs leave there. Its lifecycle rules see to it, a day or "
        "two late; nothing here is removed by them.",
        examples=[{"runs": "365d", "artifacts": "7d"}],
    )
    params: Params = Field(
        default_factory=Params,
        description="How the params document is stored in AWS.",
        examples=[{"tier": "advanced"}],
    )
    deploy: Annotated[Deploy, AfterValidator(_on_platform)] = Field(
        default_factory=Deploy,
        validate_default=True,
        description="How the project runs on AWS Fargate: how large, with what permissions, and where.",
        examples=[{"cpu": 1024, "memory": "2GB", "spot": True}],
    )
    schedules: tuple[Schedule, ...] = Field(
        (),
        description="When the project runs. `invoke schedule` puts them in force.",
        examples=[[{"name": "nightly", "cron": "0 2 * * *", "timezone": "Europe/Berlin"}]],
    )

    @property
    def venvs(self) -> tuple[Venv, ...]:
        """The virtual environments to make: the declared ones, then those that `installs` fills."""
        declared = [Venv(name, f"venv/{name}", words) for name, words in self.declared.items()]
        filled: dict[str, dict[str, None]] = {}
        for stage in self.stages:
            if stage.venv and stage.installs:
                filled.setdefault(stage.venv, {}).update(dict.fromkeys(stage.installs))
        return (*declared, *(Venv(venv_name(path), path, tuple(words)) for path, words in filled.items()))


def _keys(model: type[BaseModel]) -> tuple[str, ...]:
    return tuple(info.alias or name for name, info in model.model_fields.items())


_KEYS = Keys(
    project=_keys(Project),
    stage=_keys(Stage),
    env_item=_keys(EnvItem),
    schedule=_keys(Schedule),
    statement=_keys(Statement),
    parts={"image": _keys(Image), "keep": _keys(Keep), "params": _keys(Params), "deploy": _keys(Deploy)},
)


def load(path: Path, shown: str) -> Project:
    """The project of a file; raises ProjectFileError with every problem in it."""
    return understood(read(path, shown))


def load_all(places: Iterable[ProjectPlace]) -> dict[str, Project]:
    """The projects by name; raises ProjectFileError with the problems of all files."""
    loaded: dict[str, Project] = {}
    problems: list[Problem] = []
    for place in places:
        try:
            loaded[place.name] = load(place.file, place.shown)
        except ProjectFileError as error:  # noqa: PERF203  # to show the problems of all files
            problems += error.problems
    if problems:
        raise ProjectFileError(problems)
    return loaded


def understood(source: Source) -> Project:
    """The project of a source; raises ProjectFileError with every problem in it."""
    if source.data is None:
        raise ProjectFileError(source.problems)
    project, errors = _validated(source.data)
    problems = faults.problems(source, _KEYS, errors)
    if problems or project is None:
        raise ProjectFileError(problems)
    return project


def _validated(data: dict[str, Data]) -> tuple[Project | None, list[ErrorDetails]]:
    try:
        return Project.model_validate(data), []
    except ValidationError as error:
        return None, error.errors(include_url=False)


def placeholders(project: Project) -> tuple[tuple[str, str], ...]:
    """Every placeholder of a project: (name, where it stands), in order, each once."""
    found = [(match[1], where) for where, text in _filled_texts(project) for match in PLACEHOLDER.finditer(text)]
    return tuple(dict.fromkeys(found))


def _filled_texts(project: Project) -> Iterator[tuple[str, str]]:
    yield from ((f"envs.{name}", text) for name, text in project.envs.items())
    for number, stage in enumerate(project.stages, 1):
        yield f"commands {number}: command", stage.command or ""
        yield f"commands {number}: shell", stage.shell or ""
        yield from ((f"commands {number}: args", word) for word in stage.args)
        yield from ((f"commands {number}: envs.{name}", text) for name, text in stage.envs.items())
