"""One side of the comparison, in a process of its own: `python worker.py MODULE THREADS`.

It reads commands, a JSON object on each line of standard input, until that ends, and answers by such lines on standard
output. `{"start": true}` imports MODULE and gives versions. `{"prepare": NAME, "parameters": ...}` makes the task of
that name in its `TASKS`, functions of (parameters, threads), and lets it warm up. `{"measure": true}` gives its
seconds, and `{"values": FILE}` writes what it computed as NPZ.
"""

import contextlib
import importlib
import json
import math
import os
import sys
import time

import numpy as np

# A measurement of what takes less is repeated for so many seconds.
LEAST = 0.5


def seconds_of(run):
    """The seconds of a call, and what it gives."""
    start = time.perf_counter()
    found = run()
    return time.perf_counter() - start, found


class Whole:
    """A task whose call is timed as it is, after one or two calls to warm up; the mean of several where it is short."""

    def __init__(self, run, values):
        self.run, self.values = run, values
        seconds, self.found = seconds_of(run)
        if seconds < LEAST:
            seconds, self.found = seconds_of(run)
        self.repeats = min(math.ceil(LEAST / seconds), 100)

    def measure(self):
        """Seconds of a call."""
        start = time.perf_counter()
        for _ in range(self.repeats):
            self.found = self.run()
        return (time.perf_counter() - start) / self.repeats

    def arrays(self):
        """What the last call computed."""
        return self.values(self.found)


class Marginal:
    """A task of which one unit more is timed, by the difference of a call of `base` units and one of more.

    What is done once, as start-up, cancels.
    """

    def __init__(self, run, values, base=1, most=256):
        self.run, self.values, self.base, self.more = run, values, base, 4
        run(base)
        # So many more that they take long enough, also beside what is done once.
        first, more = self.both()
        while more < max(LEAST, first / 2) and self.more < most:
            self.more *= 2
            first, more = self.both()

    def both(self):
        """Seconds of the shorter call, and those that the longer one takes more."""
        first, _ = seconds_of(lambda: self.run(self.base))
        second, self.found = seconds_of(lambda: self.run(self.base + self.more))
        return first, second - first

    def measure(self):
        """Seconds of a unit, or 0 where other programs took more of the time than the units did."""
        return max(self.both()[1] / self.more, 0.0)

    def arrays(self):
        """What the last call computed."""
        return self.values(self.found)


def main():
    """Answer commands until there are no more."""
    # What libraries print goes to standard error, answers to a copy of standard output.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    module, threads = sys.argv[1], int(sys.argv[2])
    side = task = None
    for line in iter(sys.stdin.readline, ""):
        command = json.loads(line)
        try:
            answer = {}
            if "start" in command:
                side = importlib.import_module(module)
                answer["versions"] = side.versions(threads)
            elif "prepare" in command:
                task = None  # Two tasks at a time may not fit into memory.
                task = side.TASKS[command["prepare"]](command["parameters"], threads)
            elif "measure" in command:
                answer["seconds"] = task.measure()
            else:
                np.savez(command["values"], **task.arrays())
        except Exception as error:  # noqa: BLE001 - whatever it is, the comparison goes on without this case.
            answer = {"error": f"{type(error).__name__}: {error}"}
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
