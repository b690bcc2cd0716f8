"""Ours and the peers' programs in turns on one machine: a table of ratios, and all times.

`benches/peers/compare.sh` installs what is needed and starts this. Each side of a case is a process that stays, so that
imports, data and compilation are over when the clock starts. A pair is one measurement of each, in turns ours first and
theirs first; while one side runs, the other waits. The ratio is theirs over ours within a pair; the table has the
median over pairs and their range.
"""

import argparse
import contextlib
import datetime
import json
import os
import platform
import select
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from cases import CHECKS, GROUPS

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
RAW = ROOT / "benches" / "results" / "peers.jsonl"
BEGIN, END = "<!-- comparison: begin -->", "<!-- comparison: end -->"
THREAD_VARIABLES = ["OMP", "OPENBLAS", "MKL", "NUMBA", "RAYON"]
# Seconds after which a side is given up.
PATIENCE = 900


class SideError(Exception):
    """What a side could not do."""


class Side:
    """A process that measures, see worker.py."""

    def __init__(self, module, python, threads, variables=None):
        self.name = module
        if not python.exists():
            raise SideError(f"{module}: its environment was not made")
        counts = {f"{name}_NUM_THREADS": str(threads) for name in THREAD_VARIABLES}
        quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore", "JAX_PLATFORMS": "cpu"}
        self.process = subprocess.Popen(
            [python, HERE / "worker.py", module, str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **counts, **quiet, **(variables or {})},
        )
        self.versions = self.ask(start=True)["versions"]

    def ask(self, **command):
        """The answer to a command."""
        try:
            self.process.stdin.write(json.dumps(command) + "\n")
            self.process.stdin.flush()
            ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE)
            line = self.process.stdout.readline() if ready else ""
        except BrokenPipeError:
            line = ""
        if not line:
            self.process.kill()
            raise SideError(f"{self.name}: it ended, or gave no answer for {PATIENCE} s")
        answer = json.loads(line)
        if "error" in answer:
            raise SideError(f"{self.name}: {answer['error']}")
        return answer

    def close(self):
        """Let the process end."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait()


def say(text):
    """Progress, on standard error."""
    print(text, file=sys.stderr, flush=True)


def output_of(*command):
    """What a command prints, or nothing."""
    try:
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def processor():
    """Its name, and the widest vectors that it has."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return output_of("sysctl", "-n", "machdep.cpu.brand_string") or platform.processor() or platform.machine()
    fields = {}
    for line in lines:
        name, _, value = line.partition(":")
        fields.setdefault(name.strip(), value.strip())
    flags = fields.get("flags", "").split()
    vectors = next((name for flag, name in [("avx512f", "AVX-512"), ("avx2", "AVX2")] if flag in flags), None)
    return fields.get("model name", platform.machine()) + (f" ({vectors})" if vectors else "")


def busy_seconds():
    """Processor seconds of all programs since the machine started and of this and its children, or nothing."""
    try:
        fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    except OSError:
        return None
    user, nice, system, _idle, _wait, interrupts, soft, stolen = (int(field) for field in fields)
    everything = (user + nice + system + interrupts + soft + stolen) / os.sysconf("SC_CLK_TCK")
    return everything, sum(os.times()[:4])


def machine(threads, pairs, quick, prebuilt):
    """Where, when and of what the numbers are."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    commit = output_of("git", "rev-parse", "--short", "HEAD")
    changed = output_of("git", "status", "--porcelain", "--untracked-files=no", "--", "src", "python", "Cargo.lock")
    return {
        "kind": "machine",
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": threads,
        "memory_gib": round(memory),
        "system": f"{platform.system()} {platform.release().split('-')[0]}, Python {platform.python_version()}",
        "commit": commit
        + (" with changes" if changed else "")
        + (", or another that was built beforehand" if prebuilt else ""),
        "pairs": pairs,
        "quick": quick,
    }


def measured(ours, theirs, pairs, label):
    """Times of pairs; a pair is measured again where it has no time."""
    found = []
    for pair in range(pairs):
        order = [ours, theirs] if pair % 2 == 0 else [theirs, ours]
        for _ in range(4):
            seconds = {side: side.ask(measure=True)["seconds"] for side in order}
            if min(seconds.values()) > 0:
                break
        else:
            raise SideError("the machine is too busy: a difference of two times was below 0 four times")
        found.append({"pair": pair, "first": "ours" if order[0] is ours else "theirs"})
        found[-1].update(ours=seconds[ours], theirs=seconds[theirs])
        say(f"  {label}, pair {pair + 1}: {shown(seconds[ours])} and {shown(seconds[theirs])}")
    return found


def compare_case(group, case, sides, arguments, folder):
    """The records of one row: its values, then its pairs."""
    parameters = {**case.parameters, **(case.quick if arguments.quick else {})}
    head = {"kind": "case", "group": group.key, "case": case.name}
    ours, theirs = sides
    try:
        values = []
        for side, task in [(ours, group.task), (theirs, group.their_task)]:
            side.ask(prepare=task, parameters=parameters)
            side.ask(values=str(folder / f"{side.name}.npz"))
            values.append(dict(np.load(folder / f"{side.name}.npz")))
        agreement = CHECKS[group.check](*values)
        pairs = measured(ours, theirs, arguments.pairs, f"{group.title}: {case.name}")
    except (SideError, AssertionError) as error:
        say(f"{'FAILED' if isinstance(error, AssertionError) else 'SKIPPED'}: {group.title}: {case.name}: {error}")
        return [{**head, "failed" if isinstance(error, AssertionError) else "skipped": str(error)}]
    return [{**head, "values": agreement}, *({**head, "kind": "pair", **pair} for pair in pairs)]


def compare_group(group, cases, arguments, folder):
    """The records of a group, and the versions of both sides."""
    peer, sides = group.peer, []
    threads = 1 if group.one_thread else arguments.threads
    folders = {"venv": arguments.venv, "jax": arguments.jax}
    try:
        sides.append(Side("ours", arguments.venv / "bin" / "python", threads))
        python = folders[peer.environment] / "bin" / "python"
        sides.append(Side(peer.module, python, threads, peer.variables))
        records = [record for case in cases for record in compare_case(group, case, sides, arguments, folder)]
    except SideError as error:
        say(f"SKIPPED: {group.title}: {error}")
        skipped = {"kind": "case", "group": group.key, "skipped": str(error)}
        records = [{**skipped, "case": case.name} for case in cases]
    finally:
        for side in sides:
            side.close()
    return records, {name: version for side in sides for name, version in side.versions.items() if name != "numpy"}


def compare(arguments):
    """All records, that of the machine first."""
    if hasattr(os, "sched_setaffinity"):
        # Peers that know no number of threads take a core each.
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: arguments.threads])
    head = machine(arguments.threads, arguments.pairs, arguments.quick, arguments.prebuilt)
    start, busy, records, versions = time.monotonic(), busy_seconds(), [], {}
    with tempfile.TemporaryDirectory() as folder:
        for group in GROUPS:
            label = f"{group.key} {group.title}"
            cases = [case for case in group.cases if all(word in f"{label} {case.name}" for word in arguments.only)]
            if not cases:
                continue
            say(f"{group.title} ({group.peer.name})")
            found, of_sides = compare_group(group, cases, arguments, Path(folder))
            records += found
            versions.update(of_sides)
    seconds = time.monotonic() - start
    head.update(versions=versions, minutes=round(seconds / 60, 1), others=None)
    if busy:
        all_more, own_more = (after - before for after, before in zip(busy_seconds(), busy, strict=True))
        head["others"] = round(max(all_more - own_more, 0) / seconds, 2)
    return [head, *records]


def shown(seconds):
    """A time with three digits."""
    for unit, scale in [("s", 1), ("ms", 1e3), ("us", 1e6)]:
        if seconds * scale >= 1 or unit == "us":
            return f"{seconds * scale:.3g} {unit}"
    raise AssertionError


def ratio(value):
    """A ratio with two digits after the point where it is near 1."""
    return f"{value:.2f}" if value < 10 else f"{value:.3g}"


def row(group, case, records):
    """A row of the table."""
    cells = [group.title, case.name, group.peer.name]
    missing = next((name for record in records for name in ("skipped", "failed") if name in record), None)
    if missing:
        reason = next(record[missing] for record in records if missing in record).replace("|", "/").replace("\n", " ")
        return [*cells, "-", "-", missing.upper(), "-", reason]
    pairs = [record for record in records if record["kind"] == "pair"]
    values = next(record["values"] for record in records if record["kind"] == "case")
    ours, theirs = (statistics.median(pair[side] for pair in pairs) for side in ("ours", "theirs"))
    ratios = [pair["theirs"] / pair["ours"] for pair in pairs]
    low, high = min(ratios), max(ratios)
    verdict = "" if low > 1 else " **lost**" if high < 1 else " undecided"
    spread = f"{ratio(low)} to {ratio(high)}"
    return [*cells, shown(ours), shown(theirs), ratio(statistics.median(ratios)) + verdict, spread, values]


def table(records):
    """The table with what it needs to be read, in Markdown."""
    head = records[0]
    by_case = {}
    for record in records[1:]:
        by_case.setdefault((record["group"], record["case"]), []).append(record)
    titles = ["what is timed", "case", "peer", "ours", "peer's", "ratio, median", "range", "values"]
    marks = [":---", ":---", ":---", "---:", "---:", "---:", "---:", ":---"]
    rows, notes = [], []
    for group in GROUPS:
        found = [
            row(group, case, by_case[group.key, case.name]) for case in group.cases if (group.key, case.name) in by_case
        ]
        rows += found
        if found:
            threads = "One thread each. " if group.one_thread else ""
            notes.append(f"- **{group.title}.** {threads}Ours: {group.ours}. {group.peer.name}: {group.theirs}.")
    count = {word: sum(word in line[5] for line in rows) for word in ("lost", "undecided", "SKIPPED", "FAILED")}
    won = len(rows) - sum(count.values())
    tally = f"{won} won, {count['lost']} lost, {count['undecided']} undecided"
    tally += "".join(f", {count[word]} {word}" for word in ("SKIPPED", "FAILED") if count[word])
    versions = ", ".join(f"{name} {version}" for name, version in sorted(head["versions"].items()))
    text = [
        (
            f"{head['date']}, commit {head['commit']}. {head['processor']}, {head['cores']} cores, {head['threads']} "
            f"threads where not said otherwise, {head['memory_gib']} GiB; {head['system']}; {versions}. "
            f"{head['pairs']} pairs of runs a row, {head['minutes']} minutes in all."
        ),
        "",
    ]
    if head["others"] is not None:
        text[0] += f" Other programs took {head['others']:.2f} cores on average meanwhile."
    if (head["others"] or 0) > 0.1 * head["cores"]:
        busy = (
            "**The machine was busy. Threads that wait for each other, as those of OpenBLAS, lose more by that than "
            "others: rows with several threads may be far from the ratios of a quiet machine.**"
        )
        text += [busy, ""]
    if head["quick"]:
        text += ["**A quick run on small inputs: it shows that all works, not how fast it is.**", ""]
    text += [
        f"The ratio is the peer's time over ours within a pair: above 1 we are faster. {tally}.",
        "",
        *("| " + " | ".join(cells) + " |" for cells in [titles, marks, *rows]),
        "",
        "What each side does:",
        "",
        *notes,
    ]
    return "\n".join(text)


def write_into(path, text):
    """Replace what stands between the marks."""
    page = path.read_text()
    if page.count(BEGIN) != 1 or page.count(END) != 1:
        raise SystemExit(f"{path} has no lines {BEGIN} and {END}, between which the table would go")
    before, rest = page.split(BEGIN)
    path.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.split(END)[1]}")


def main():
    """Measure, or read what was measured, and write the table."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "peers"
    parser.add_argument("--venv", type=Path, default=target / "venv", help="environment of sparsewidth and most peers")
    parser.add_argument("--jax", type=Path, default=target / "jax", help="environment of neural-tangents")
    parser.add_argument("--pairs", type=int, default=5, help="pairs of runs a row (default 5)")
    parser.add_argument("--threads", type=int, default=cores, help="threads of either side (default: one per core)")
    parser.add_argument("--only", nargs="+", default=[], metavar="WORD", help="rows that have all these words")
    parser.add_argument("--prebuilt", action="store_true", help="sparsewidth may be of another commit: say so")
    parser.add_argument("--quick", action="store_true", help="small inputs, to see that all works")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the table between the marks of this page")
    parser.add_argument("--from", dest="source", type=Path, metavar="FILE", help="read times, measure nothing")
    parser.add_argument("--raw", type=Path, metavar="FILE", help=f"write times (default for whole runs: {RAW.name})")
    arguments = parser.parse_args()
    if not 1 <= arguments.threads <= cores or arguments.pairs < 1:
        parser.error(f"--threads must be from 1 to {cores}, --pairs at least 1")
    if arguments.write and (arguments.quick or arguments.only):
        parser.error("--write takes a whole run, without --quick and --only")
    if arguments.source:
        records = [json.loads(line) for line in arguments.source.read_text().splitlines()]
    else:
        records = compare(arguments)
        raw = arguments.raw or (None if arguments.quick or arguments.only else RAW)
        if raw:
            raw.write_text("".join(json.dumps(record) + "\n" for record in records))
    text = table(records)
    print(text)
    if arguments.write:
        write_into(arguments.write, text)
    return 1 if any("failed" in record for record in records) else 0


if __name__ == "__main__":
    sys.exit(main())
