"""What holds for every test: a skip needs a reason, and where everything is required it is a failure."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)

pytest.register_assert_rewrite("doubles")
pytest_plugins = ["doubles.fixtures"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """How often what is tried at random is tried."""
    parser.addoption("--trials", type=float, default=0.2, help="share of the trials of tests that kill or race: 1")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Two workers a core, since many tests wait; none where single files are run, or their output is to be seen."""
    single = any(".py" in str(argument) for argument in config.args)
    return 0 if single or config.option.capture == "no" else 2 * len(os.sched_getaffinity(0))


def pytest_configure(config: pytest.Config) -> None:
    """Under xdist, remove what the workers built in docker once the last of them has ended.

    A signal that `nohup`, or a shell in the background, leaves ignored would not end what the tests send it to.
    """
    for number in HANDLED:
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    if not getattr(config.option, "numprocesses", None) or hasattr(config, "workerinput"):
        return
    from doubles.containers import LABELS, Engine, find_docker  # noqa: PLC0415  # no other run needs it here

    docker = find_docker()
    if isinstance(docker, Engine):
        spared = docker.present()
        config.add_cleanup(lambda: docker.sweep(*LABELS, spared=spared))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """HANDOFF_OFFLINE leaves out what reaches the package index; workers begin with the files that take longest."""
    if os.environ.get("HANDOFF_OFFLINE"):
        for item in items:
            if item.get_closest_marker("network"):
                item.add_marker(pytest.mark.skip(reason="reaches the package index, and HANDOFF_OFFLINE is set"))
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: -sum(mark.args[0] for mark in item.iter_markers("takes")))


@pytest.fixture
def trials(request: pytest.FixtureRequest) -> float:
    """The share of trials to be made."""
    return float(request.config.getoption("trials"))


@pytest.fixture(scope="session", autouse=True)
def signals_of_tests() -> Iterator[None]:
    """No test signals its own group, or all processes: that once ended the shell which had started a whole run.

    Two things did it, both mended: a watchdog that was given the group 1 by a stage, and SIGTERM left ignored.
    """
    kill, killpg = os.kill, os.killpg

    def guarded_kill(pid: int, number: int) -> None:
        assert pid > 1 or not number, f"a test sends signal {number} to {pid}"
        kill(pid, number)

    def guarded_killpg(group: int, number: int) -> None:
        assert group not in (0, 1, os.getpgrp()) or not number, f"a test sends signal {number} to group {group}"
        killpg(group, number)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "kill", guarded_kill)
        patch.setattr(os, "killpg", guarded_killpg)
        yield


@pytest.fixture(autouse=True)
def signal_handlers() -> Iterator[None]:
    """Handlers as they were before: a test that stops a run in this process leaves its signals ignored."""
    before = {number: signal.getsignal(number) for number in HANDLED}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """HANDOFF_REQUIRE makes a skipped test a failed one."""
    report = yield
    if report.skipped and os.environ.get("HANDOFF_REQUIRE") and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, and HANDOFF_REQUIRE is set: {report.longrepr}"
    return report
