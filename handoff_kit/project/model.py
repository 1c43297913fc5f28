"""The keys of the project file: what each means, which values it takes, and what a correct file becomes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field, StrictInt, StringConstraints, ValidationInfo

from handoff_kit.project import suggestions
from handoff_kit.project.deploy_settings import PLATFORMS, Deploy
from handoff_kit.project.fields import (
    Days,
    Envs,
    Form,
    Key,
    Line,
    Text,
    TextMapping,
    as_directory,
    as_duration,
    as_requirements,
    as_rows,
    as_words,
    declaration_of,
    declare,
    integer,
    venv_name_of,
)
from handoff_kit.project.patterns import (
    ALERT,
    BASE,
    DURATION,
    MAX_ALERTS,
    MAX_STATES,
    PACKAGE,
    ROWS,
    SERVICE,
    STATES,
    VENV_NAME,
)
from handoff_kit.project.schedule_settings import Schedule

VenvName = Annotated[str, StringConstraints(pattern=VENV_NAME)]
Requirements = Annotated[
    tuple[Annotated[Line, Key("a requirement", example="tap: [tap-jsonl, requests>=2]")], ...],
    Field(min_length=1),
    Key("a list of requirements"),
]
Package = Annotated[str, StringConstraints(pattern=PACKAGE), Key("a Debian package", is_text=True)]
Service = Annotated[str, StringConstraints(pattern=SERVICE), Key("an AWS service as boto3 names it", is_text=True)]
Alert = Annotated[
    str,
    StringConstraints(pattern=ALERT),
    Key(
        "a recipient: mailto:ADDRESS, https://URL of a webhook, secretsmanager:NAME or ssm:/NAME that holds one, "
        "or the ARN of an SNS topic",
        example="alerts: [mailto:data@example.com]",
        suggest=suggestions.alert,
        is_text=True,
    ),
]


class Stage(
    BaseModel,
    extra="forbid",
    frozen=True,
    json_schema_extra={
        "oneOf": [{"required": ["command"]}, {"required": ["shell"]}],
        "dependentRequired": {"args": ["command"], "installs": ["venv"]},
    },
):
    """One command of the pipeline: its stdin is the stage before, its stdout the stage after."""

    command: str | None = declare(
        None,
        "the program to run",
        min_length=1,
        example="- command: cat",
        default_text="one of `command` and `shell`",
        synonyms=("program", "executable"),
        is_text=True,
        description="The program to run: a name found in the stage's venv or on PATH, or a path inside the "
        "project. No shell comes between. `collector_stats` is built in: it passes its input on, byte for "
        "byte, and writes the number of rows to `.artifacts/collector_stats.json`.",
        examples=["tap-jsonl"],
    )
    shell: str | None = declare(
        None,
        "a line for the shell",
        min_length=1,
        example='- shell: "grep foo | sort"',
        default_text="one of the two",
        synonyms=("run", "script", "bash", "sh"),
        is_text=True,
        description="Instead of `command`: a line for `sh -eu`, with pipes, redirections, variables and globs. A part "
        "of a pipe that fails fails the stage, where bash or another shell with pipefail is there.",
        examples=["grep foo | sort > .artifacts/sorted"],
    )
    args: tuple[Annotated[Text, Key("one word")], ...] = declare(
        (),
        "a text or a list of words",
        example='args: "--config tap.json"',
        written="text, or a list of words",
        parse=Form(as_words, Text | list[Text]),
        synonyms=("arguments", "parameters", "options"),
        description="The words after the command: one text, split at blanks as a shell would (quotes keep "
        "words together), or a list with one word an item. Placeholders are filled within a word.",
        examples=["--config .env/config/tap.json", ["--name", "two words"]],
    )
    venv: str | None = declare(
        None,
        "a name declared under venvs, or a path",
        written="name or path",
        parse=Form(as_directory, str),
        synonyms=("virtualenv", "virtual_env"),
        is_text=True,
        description="The virtual environment to run in: a name declared under `venvs` or filled by `installs`, or the "
        "path of one inside the project.",
        examples=["tap", "./venv/proc_01"],
    )
    installs: tuple[Annotated[str, Key("a pip install line")], ...] = declare(
        (),
        "a list of pip install lines",
        example='installs: ["pip install tap-jsonl"]',
        written="list of texts",
        parse=Form(as_requirements, list[str]),
        suggest=suggestions.list_of("installs", suggestions.one_line),
        synonyms=("requirements", "packages", "pip"),
        description="The original form of `venvs`: what to install into the venv that the stage names, "
        "as `pip install` lines without options.",
        examples=[["pip install tap-jsonfile"]],
    )
    envs: Envs = Field(
        default_factory=dict,
        description="Environment variables of this stage only, added to those of the pipeline.",
        examples=[{"LOG_LEVEL": "debug"}],
    )


class Image(BaseModel, extra="forbid", frozen=True):
    """What the project's image is made of, besides its venvs and files."""

    base: str = declare(
        "python:3.11-slim",
        "an image",
        pattern=BASE,
        example="base: python:3.12-slim",
        written="name of an image",
        is_text=True,
        description="The image to build on: any with Python and pip, and with Debian's apt-get where packages are "
        "named. For builds that can be repeated to the byte, name it by its digest too.",
        examples=["python:3.12-slim", "python:3.11-slim@sha256:" + 64 * "0"],
    )
    packages: tuple[Package, ...] = declare(
        (),
        "a list of Debian packages",
        example="packages: [jq, git]",
        suggest=suggestions.list_of("packages", suggestions.packages_in),
        description="Debian packages that the stages need, as `apt-get install` takes them.",
        examples=[["jq", "postgresql-client=15+248"]],
    )
    build_packages: tuple[Package, ...] = declare(
        (),
        "a list of Debian packages",
        example="build_packages: [gcc, git]",
        suggest=suggestions.list_of("build_packages", suggestions.packages_in),
        description="Debian packages needed only while the venvs are made (a compiler, `git`, headers). They do "
        "not stay in the image.",
        examples=[["gcc", "libc6-dev", "git"]],
    )
    steps: tuple[
        Annotated[Line, Key("a line for the shell", hint='write it in quotes: steps: ["mkdir /opt/data"]')], ...
    ] = declare(
        (),
        "a list of lines for the shell",
        example='steps: ["mkdir /opt/data"]',
        written="list of lines for `sh`",
        suggest=suggestions.list_of("steps", suggestions.one_line),
        description="Further build steps: lines for `sh`, run as root in the image after its packages, each its own "
        "layer. They must not hold a secret: everyone who has the image can read them.",
        examples=[["ln -s /usr/bin/mawk /usr/local/bin/awk"]],
    )
    platform: Literal["linux/amd64", "linux/arm64"] | None = declare(
        None,
        hint="leave it out to build for the machine that builds",
        default_text="the builder's own",
        suggest=suggestions.platform,
        description="The platform to build for. Without it: that of the builder, or what `--platform` says.",
        examples=["linux/arm64"],
    )
    store: Literal["aws", "none"] = declare(
        "aws",
        hint="aws takes boto3 along; none is for images that never run on AWS",
        description="Where the image can find its params and keep its state: `aws` takes boto3 along, with `none` "
        "the image serves `invoke run-local --container` alone and is 9 MB smaller.",
        examples=["none"],
    )
    services: tuple[Service, ...] = declare(
        (),
        "a list of AWS services",
        written="list of names",
        suggest=suggestions.list_of("services"),
        description="AWS services, as boto3 names them, that functions in `impl.py` use. Those that handoff "
        "itself needs are always there; the rest of boto3's data is left out.",
        examples=[["dynamodb"]],
    )
    exclude: tuple[Annotated[Line, Key("a pattern")], ...] = declare(
        (),
        "a list of patterns",
        suggest=suggestions.list_of("exclude"),
        description="Files of the project to leave out of the image, as glob patterns relative to the "
        "project; a directory covers everything in it.",
        examples=[["notebooks", "data/*.parquet"]],
    )
    include: tuple[Annotated[Line, Key("a pattern")], ...] = declare(
        (),
        "a list of patterns",
        suggest=suggestions.list_of("include"),
        description="Files that are to be in the image although they look like credentials (`.aws`, `.netrc`, private "
        "keys, `.env` files), which are left out otherwise: patterns like those of `exclude`.",
        examples=[["certificates/client.pem"]],
    )


class Keep(BaseModel, extra="forbid", frozen=True):
    """How long the bucket keeps what runs leave there; days, or None for ever."""

    runs: Days = declare(
        90,
        example="runs: 90d",
        default_text="`90d`",
        description="How long record, log and artifacts of a run stay, and its line in the history: days, as `90d` or "
        "`90`, or `forever`.",
        examples=["365d"],
    )
    artifacts: Days = declare(
        30,
        example="artifacts: 30d",
        default_text="`30d`",
        description="How long earlier versions of files in `.artifacts` and of pushed files stay after they were "
        "replaced or removed. The newest version of each stays in any case.",
        examples=["7d"],
    )
    states: StrictInt = declare(
        50,
        f"a number, 1 to {MAX_STATES}",
        example="states: 50",
        parse=Form(
            integer(1, MAX_STATES).parse,
            Annotated[int, Field(ge=1, le=MAX_STATES)] | Annotated[str, StringConstraints(pattern=STATES)],
        ),
        suggest=suggestions.states,
        description=f"How many earlier states stay, the newest ones, 1 to {MAX_STATES}; `invoke state.restore` brings "
        "one back. Those of the last day stay all.",
        examples=[10],
    )


class Expect(BaseModel, extra="forbid", frozen=True):
    """What the project promises; None where it promises nothing."""

    success_within: StrictInt | None = declare(
        None,
        "a duration: a number and s, m, h or d",
        example="success_within: 26h",
        written="duration: `90s`, `45m`, `26h` or `1d`",
        parse=Form(as_duration, Annotated[str, StringConstraints(pattern=DURATION)]),
        suggest=suggestions.duration,
        description="People are notified once when no run has succeeded for so long, also when the schedule is "
        "disabled or deleted. The check runs each hour, so a span shorter than that is noticed late. Give a daily run "
        "more than a day, and a monthly one more than 31 days.",
        examples=["26h", "32d"],
    )
    rows_at_least: StrictInt | None = declare(
        None,
        "a number of rows, 1 or more",
        example="rows_at_least: 1",
        written="number",
        parse=Form(as_rows, Annotated[int, Field(ge=1)] | Annotated[str, StringConstraints(pattern=ROWS)]),
        suggest=suggestions.rows,
        synonyms=("min_rows",),
        description="A run whose stages succeed, but pass fewer rows to the last stage, fails with exit 65, and leaves "
        "the state unchanged. With `state: singer` only records count, SCHEMA and STATE lines do not, and states that "
        "the target emits are stored at the end of the run only. A pipeline of one stage has no link to count at: what "
        "the stage writes to its stdout counts. Needs `meter: rows`, the default.",
        examples=[1000],
    )


class Params(BaseModel, extra="forbid", frozen=True):
    """How the params document is stored in Parameter Store."""

    tier: Literal["standard", "advanced"] = declare(
        "standard",
        hint="standard holds 4,096 bytes and is free, advanced holds 8,192 and is charged for",
        description="The dearest tier that may be used: `standard` holds 4,096 bytes and is free, `advanced` holds "
        "8,192 and is charged for. It is used only when the document, compressed, needs it; a parameter that was "
        "once in the advanced tier stays there.",
        examples=["advanced"],
    )


@dataclass(frozen=True)
class Venv:
    """A virtual environment that handoff creates in `directory`, relative to the project."""

    name: str
    directory: str
    requirements: tuple[str, ...] = field(default=())


def _match_platform(deploy: Deploy, info: ValidationInfo) -> Deploy:
    """The architecture of `image.platform`, where `deploy` names none."""
    image: Image | None = info.data.get("image")
    if image is None or image.platform is None or "architecture" in deploy.model_fields_set:
        return deploy
    architecture = next(name for name, platform in PLATFORMS.items() if platform == image.platform)
    return deploy.model_copy(update={"architecture": architecture})


class Project(BaseModel, extra="forbid", frozen=True):
    """What a project file says."""

    description: Text = Field(
        "", description="What the pipeline does, in a line.", examples=["Daily exchange rates, to CSV"]
    )
    vars: TextMapping = declare(
        default_factory=dict,
        synonyms=("variables", "defaults"),
        description="Defaults of the placeholders `{{ name }}`; `--data` and `--var` override them.",
        examples=[{"base": "JPY"}],
    )
    envs: Envs = Field(
        default_factory=dict,
        description="Environment variables of every stage, as a mapping or as a list of key and value. "
        "Values are taken as they are written, and may hold placeholders.",
        examples=[{"TZ": "UTC"}, [{"key": "TZ", "value": "UTC"}]],
    )
    declared: dict[VenvName, Requirements] = declare(
        expected="a mapping of names and requirements",
        default_factory=dict,
        alias="venvs",
        example="venvs: {tap: [tap-jsonl]}",
        synonyms=("virtualenvs", "requirements"),
        written="mapping: name to a list of requirements",
        description="Virtual environments that `invoke install` makes in `venv/NAME`, each with its "
        "requirements, written as for pip; one from git, an archive or a directory as `NAME @ ADDRESS`.",
        examples=[{"tap": ["tap-jsonfile"], "target": ["target-jsonl>=0.1"]}],
    )
    stages: tuple[
        Annotated[Stage, Key("a stage, a mapping", example="- command: cat", suggest=suggestions.stage)], ...
    ] = declare(
        expected="a list of stages",
        alias="commands",
        min_length=1,
        hint='begin every stage with a dash: - command: cat; a line for the shell is - shell: "..."',
        suggest=suggestions.stages,
        synonyms=("stages", "steps", "pipeline", "tasks", "jobs"),
        description="The pipeline: its stages from first to last, all started at once and joined by pipes.",
        examples=[[{"command": "cat", "args": "data.txt"}, {"command": "wc", "args": "-l"}]],
    )
    state: Literal["all", "singer", "none"] | None = declare(
        None,
        hint="state: all keeps the last stage's whole output, singer its last state, none nothing",
        default_text="`singer` or `all`",
        description="What a run keeps in `.artifacts/state` from the last stage's output: `all` of it, the last state "
        "line of a `singer` target, or `none`, for a program whose output is no state (dbt). Default: `singer` where a "
        "stage is given the file (`--state .artifacts/state`), else `all`; `invoke check` prints which was chosen.",
        examples=["singer", "none"],
    )
    meter: Literal["rows", "bytes", "off"] = declare(
        "rows", hint="leave it out to count rows", description="What is counted between the stages.", examples=["bytes"]
    )

    overlap: Literal["fail", "skip", "wait"] = declare(
        "fail",
        hint="leave it out to fail",
        description="What happens to a run that begins while another run of the project is active: it fails "
        "(exit 75), is skipped (exit 0, recorded in the history), or waits until the other has ended.",
        examples=["skip"],
    )
    image: Image = declare(
        default_factory=Image,
        example="image: {base: python:3.12-slim, packages: [jq]}",
        suggest=suggestions.image,
        description="What `invoke build` makes the image of.",
        examples=[{"base": "python:3.12-slim", "packages": ["jq"]}],
    )
    keep: Keep = declare(
        default_factory=Keep,
        example="keep: {runs: 90d, artifacts: 30d, states: 50}",
        suggest=suggestions.keep,
        description="How long the bucket in AWS keeps what runs leave there. Its lifecycle rules see to it, a day or "
        "two late; nothing here is removed by them. A value that has no rule counts as the next larger one.",
        examples=[{"runs": "365d", "artifacts": "7d"}],
    )
    expect: Expect = declare(
        default_factory=Expect,
        example="expect: {success_within: 26h, rows_at_least: 1}",
        suggest=suggestions.expect,
        description="What you rely on: people are notified when no run succeeds in time, and a run that passes too few "
        "rows fails.",
        examples=[{"success_within": "26h", "rows_at_least": 1}],
    )
    params: Params = declare(
        default_factory=Params,
        example="params: {tier: standard}",
        suggest=suggestions.params,
        description="How the params document is stored in AWS.",
        examples=[{"tier": "advanced"}],
    )
    alerts: tuple[Alert, ...] = declare(
        (),
        "a list of recipients",
        min_length=1,
        max_length=MAX_ALERTS,
        default_text="the shared topic",
        suggest=suggestions.list_of_alerts,
        synonyms=("alarms", "notify", "notifications", "alert"),
        description="Who is notified of a run that failed, never started or was missed, and of the first run that "
        "succeeds again: `mailto:ADDRESS`; `https://...`, a webhook of Slack, Teams or any other program; the ARN of "
        "an SNS topic. The URL of a webhook is a credential: store it as text in a secret or parameter, and name that, "
        "as `secretsmanager:NAME` or `ssm:/NAME` (of Teams: `teams+secretsmanager:NAME`). Without `alerts`, messages "
        "go to the topic `handoff-ENVIRONMENT`.",
        examples=[["mailto:data@example.com", "secretsmanager:slack-webhook"]],
    )
    deploy: Annotated[Deploy, AfterValidator(_match_platform)] = declare(
        default_factory=Deploy,
        validate_default=True,
        example="deploy: {cpu: 1024, memory: 2GB}",
        description="How the project runs on AWS Fargate: how large, with what permissions, and where.",
        examples=[{"cpu": 1024, "memory": "2GB", "spot": True}],
    )
    schedules: tuple[
        Annotated[Schedule, Key("a schedule, a mapping", example='- cron: "0 2 * * *"', suggest=suggestions.schedule)],
        ...,
    ] = declare(
        (),
        "a list of schedules",
        hint='begin each with a dash: - cron: "0 2 * * *"',
        suggest=suggestions.schedules,
        description="When the project runs. `invoke schedule` creates the schedules in AWS.",
        examples=[[{"name": "nightly", "cron": "0 2 * * *", "timezone": "Europe/Berlin"}]],
    )

    @property
    def venvs(self) -> tuple[Venv, ...]:
        """The virtual environments to create: those under `venvs`, then those of stages with `installs`."""
        declared = [Venv(name, f"venv/{name}", words) for name, words in self.declared.items()]
        filled: dict[str, dict[str, None]] = {}
        for stage in self.stages:
            if stage.venv and stage.installs:
                filled.setdefault(stage.venv, {}).update(dict.fromkeys(stage.installs))
        return (*declared, *(Venv(venv_name_of(path), path, tuple(words)) for path, words in filled.items()))


PROJECT_FILE = declaration_of(Project)
