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


def times_within(seconds, most):
    """How often to repeat what takes so many seconds."""
    return min(max(math.ceil(LEAST / max(seconds, 1e-9)), 1), most)


class Whole:
    """A task whose call is timed as it is, after two calls to warm up; the mean of several where it is short."""

    def __init__(self, run, values):
        self.run, self.values = run, values
        run()
        seconds, self.found = seconds_of(run)
        self.times = times_within(seconds, 100)

    def measure(self):
        """Seconds of a call."""
        start = time.perf_counter()
        for _ in range(self.times):
            self.found = self.run()
        return (time.perf_counter() - start) / self.times

    def arrays(self):
        """What the last call computed."""
        return self.values(self.found)


class Marginal:
    """A task of which one unit more is timed: what is done once, as start-up, cancels in the difference of two calls.

    The calls are of `base` units, and of more.
    """

    def __init__(self, run, values, base=1, most=300):
        self.run, self.values, self.base = run, values, base
        run(base)
        first, _ = seconds_of(lambda: run(base))
        second, self.found = seconds_of(lambda: run(base + 4))
        self.more = max(times_within((second - first) / 4, most), 4)

    def measure(self):
        """Seconds of a unit, or 0 where other programs took more of the time than the units did."""
        first, _ = seconds_of(lambda: self.run(self.base))
        second, self.found = seconds_of(lambda: self.run(self.base + self.more))
        return max((second - first) / self.more, 0.0)

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
