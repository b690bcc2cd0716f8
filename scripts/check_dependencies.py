#!/usr/bin/env python3
"""Whether the crates that the project is built from have the licences, sources and versions that deny.toml allows.

    scripts/check_dependencies.py

What `cargo deny check bans licenses sources` checks, by `cargo tree`, in a second: building cargo-deny takes minutes. Exit code 1
and a line per problem where something is wrong.
"""
import re
import subprocess
import sys
import tomllib


def alternatives(expression):
    """The ways to satisfy a licence expression, each a set of licences: OR of AND, as crates write it."""
    expression = expression.replace("/", " OR ")
    if "(" in expression:
        inner = re.search(r"\(([^()]*)\)", expression)
        return [
            rest
            for choice in alternatives(inner.group(1))
            for rest in alternatives(expression[: inner.start()] + " AND ".join(sorted(choice)) + expression[inner.end() :])
        ]
    return [{licence.strip() for licence in choice.split(" AND ")} for choice in expression.split(" OR ")]


def matches(version, wanted):
    """Whether a version is one that `NAME@WANTED` means: the same in as many numbers as are given."""
    return version.split(".")[: len(wanted.split("."))] == wanted.split(".")


def main():
    with open("deny.toml", "rb") as file:
        policy = tomllib.load(file)
    allowed = set(policy["licenses"]["allow"])
    exceptions = {entry["crate"]: set(entry["allow"]) for entry in policy["licenses"]["exceptions"]}
    skipped = [tuple(entry["crate"].split("@")) for entry in policy["bans"]["skip"]]
    # Of all features, systems and purposes; what cargo metadata lists is more than any of them takes.
    command = ["cargo", "tree", "--locked", "--all-features", "--target", "all", "-e", "normal,build,dev", "--prefix", "none", "--format", "{p}|{l}"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    crates = {line.removesuffix(" (*)") for line in lines if line}
    with open("Cargo.toml", "rb") as file:
        own = tomllib.load(file)["package"]["name"]
    problems, versions = [], {}
    for crate in sorted(crates):
        package, _, licence = crate.partition("|")
        name, version, *more = package.split(" ", 2)
        if name == own:
            continue
        version = version.removeprefix("v")
        if more and more != ["(proc-macro)"]:
            problems.append(f"{name} {version} comes from {more[0]}")
        if not any(choice <= allowed | exceptions.get(name, set()) for choice in alternatives(licence)):
            problems.append(f"{name} {version} has the licence {licence or '(none)'}")
        versions.setdefault(name, set()).add(version)
    needed = set()
    for name, found in sorted(versions.items()):
        entries = {entry for entry in skipped if entry[0] == name and any(matches(version, entry[1]) for version in found)}
        needed |= entries if len(found) > 1 else set()
        left = [version for version in found if not any(matches(version, entry[1]) for entry in entries)]
        if len(found) > 1 and len(left) > 1:
            problems.append(f"{name} is there {len(found)} times: {', '.join(sorted(found))}")
    problems += [f"{'@'.join(entry)} is skipped in deny.toml without need" for entry in skipped if entry not in needed]
    problems += [f"{name} is an exception in deny.toml and not there" for name in exceptions if name not in versions]
    print("\n".join(problems) or f"{len(crates)} crates: nothing wrong")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
