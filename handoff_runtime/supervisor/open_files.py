"""The limit of open files (getrlimit(2), RLIMIT_NOFILE): raised for a run that needs more, unchanged for its stages."""

from __future__ import annotations

from handoff_runtime.errors import ResourceError

PER_STAGE = {"rows": 10, "bytes": 4, "off": 3}  # by meter: stderr, pipes to the next stage, pipes of the row counter
OTHERS = 32  # the runtime's own, with connections to a store


def raise_limit(stages: int, meter: str) -> tuple[int, int] | None:
    """Raise the soft limit where the run needs more; the limits for its stages where they are no longer our own.

    ResourceError where the hard limit is too low.
    """
    import resource

    needed = OTHERS + stages * PER_STAGE[meter]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return None
    if hard != resource.RLIM_INFINITY and hard < needed:
        count = f"{stages} stage{'' if stages == 1 else 's'}"
        message = f"{count} with `meter: {meter}` need up to {needed} open files, the hard limit is {hard}"
        least = OTHERS + stages * PER_STAGE["off"]
        fewer = f", or count nothing: `--meter off` needs {least}" if meter != "off" and least <= hard else ""
        hint = f"as root: `ulimit -n {needed}`; for a container: `--ulimit nofile={needed}`{fewer}"
        raise ResourceError(message, hint)
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    return soft, hard


def set_limits(pid: int, limits: tuple[int, int]) -> None:
    """Give a stage that has just started the limits we were started with (Linux only).

    Lowered around posix_spawn(3) instead, our own limit would make it refuse our descriptors.
    """
    import resource

    try:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
    except (AttributeError, OSError):
        pass  # it has more of them than a shell would give it, or has ended
