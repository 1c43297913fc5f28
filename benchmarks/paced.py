"""A source that is slower than any pipeline, as a tap over a network is: `python paced.py BYTES_PER_SECOND SECONDS`."""

from __future__ import annotations

import os
import sys
import time

import stream

STDOUT = 1
RECORDS = 640  # of one write, about 64 kB


def main(rate: float, seconds: float) -> None:
    """Write a block whenever it is due; how long that takes is nobody's matter but the clock's."""
    block = stream.block(RECORDS)
    begun = time.perf_counter()
    for number in range(int(rate * seconds / len(block))):
        time.sleep(max(0.0, begun + number * len(block) / rate - time.perf_counter()))
        _write(block)


def _write(block: bytes) -> None:
    while block:
        block = block[os.write(STDOUT, block) :]


if __name__ == "__main__":
    main(float(sys.argv[1]), float(sys.argv[2]))
