#!/usr/bin/env python3
"""What `sparsewidth.kernel` costs beside the library's own call: 2,048 x 2,048 pairs of dimension 784.

    cargo bench --bench matrix --no-run            # prints the program's path
    python benches/python_overhead.py PROGRAM

The two take turns, five times; each call is timed by itself. Printed are the medians in milliseconds, and the ratio of
Python's to the library's with the range over the turns. Needs the package.
"""

import statistics
import subprocess
import sys
import time

import sparsewidth as sw

CALLS, TURNS = 9, 5
CASES = {
    "nngp": {"get": "nngp"},
    "ntk": {"get": "ntk"},
    "nngp by expansion": {"connectivity": 0.05, "method": "expansion"},
}


def of_library(program: str) -> dict[str, float]:
    """The median of each case, in milliseconds."""
    done = subprocess.run(
        [program, "--bench", str(CALLS)], check=True, capture_output=True, text=True
    )
    times: dict[str, list[float]] = {}
    for line in done.stdout.splitlines():
        name, milliseconds = line.rsplit(": ", 1)
        times.setdefault(name, []).append(float(milliseconds))
    return {name: statistics.median(each) for name, each in times.items()}


def of_python() -> dict[str, float]:
    """The same from Python."""
    rows = sw.load_data("gaussian:784,4096")["x"]
    found = {}
    for name, options in CASES.items():
        times = []
        for _ in range(CALLS):
            start = time.perf_counter()
            matrix = sw.kernel(rows[:2048], rows[2048:], **options)
            times.append(1e3 * (time.perf_counter() - start))
            assert matrix.shape == (2048, 2048)
        found[name] = statistics.median(times)
    return found


def main() -> None:
    turns = [(of_library(sys.argv[1]), of_python()) for _ in range(TURNS)]
    print(
        f"{'case':<20} {'library':>9} {'Python':>9}  ratio (range over {TURNS} turns)"
    )
    for name in CASES:
        library, python = (
            statistics.median(turn[place][name] for turn in turns) for place in (0, 1)
        )
        ratios = [turn[1][name] / turn[0][name] for turn in turns]
        print(
            f"{name:<20} {library:9.1f} {python:9.1f}  "
            f"{statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})"
        )


if __name__ == "__main__":
    main()
