"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
STAT = Path("/proc/stat")
IDLE = (3, 4)  # of the fields of proc_stat(5): idle and iowait
FIELDS = 7  # what follows is stolen by other machines, or counted before


def described() -> str:
    """One line: date, cores, processor, kernel, Python, coreutils."""
    facts = (
        time.strftime("%Y-%m-%d"),
        f"{os.cpu_count()} cores",
        _processor(),
        f"{platform.system()} {platform.release()}",
        f"Python {platform.python_version()}",
        _cat(),
    )
    return ", ".join(facts)


def load() -> str:
    """How busy the machine is: the mean of the last minute."""
    return f"{os.getloadavg()[0]:.2f}"


def others() -> float:
    """CPU seconds that processes other than ours have used since the machine was started (0 where not told)."""
    if not STAT.exists():
        return 0.0
    ticks = [int(word) for word in STAT.read_text().partition("\n")[0].split()[1 : 1 + FIELDS]]
    busy = sum(ticks) - sum(ticks[field] for field in IDLE)
    return busy / os.sysconf("SC_CLK_TCK") - sum(os.times()[:4])


def _processor() -> str:
    lines = CPUINFO.read_text().splitlines() if CPUINFO.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _cat() -> str:
    done = subprocess.run(("cat", "--version"), capture_output=True, text=True, check=False)
    return done.stdout.partition("\n")[0] or "cat of unknown version"
