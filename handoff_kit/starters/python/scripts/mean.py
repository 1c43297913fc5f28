"""A stage: rows of town,celsius on stdin; one JSON object a town on stdout."""

import argparse
import csv
import json
import sys
from collections import defaultdict


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--digits", type=int, default=2, help="digits after the point")
    digits = parser.parse_args().digits
    readings = defaultdict(list)
    for row in csv.DictReader(sys.stdin):
        readings[row["town"]].append(float(row["celsius"]))
    for town, values in sorted(readings.items()):
        print(json.dumps({"town": town, "mean": round(sum(values) / len(values), digits)}))
    print(f"{len(readings)} towns", file=sys.stderr)  # stderr is the log, stdout is the data


if __name__ == "__main__":
    main()
