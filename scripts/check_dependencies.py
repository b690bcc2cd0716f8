#!/usr/bin/env python3
"""Checks what the program is built from, by `cargo metadata`: licences, sources, Rust versions and crates that are there twice.

    scripts/check_dependencies.py

An equal of cargo-deny's bans, licences and sources for a lock file this small, without building a tool first. Exit code 1 and a line a
problem where something is wrong.
"""
import json
import re
import subprocess
import sys

# Licences that the project's own, MIT, can be distributed with.
ALLOWED = {
    "MIT", "MIT-0", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "ISC",
    "Unicode-3.0", "Unicode-DFS-2016", "Unlicense", "Zlib", "0BSD",
}
REGISTRY = "registry+https://github.com/rust-lang/crates.io-index"
# Crates that may be there in several versions: faer, plotters, statrs and their dependencies do not agree on them yet.
TWICE = {
    "bitflags", "equator", "equator-macro", "glam", "hashbrown", "miniz_oxide", "syn", "thiserror", "thiserror-impl",
}


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


def version(text):
    return tuple(int(part) for part in text.split(".")[:3]) + (0,) * (3 - len(text.split(".")[:3]))


def main():
    command = ["cargo", "metadata", "--format-version", "1", "--locked"]
    metadata = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    own = next(package for package in metadata["packages"] if package["name"] == "sparsewidth")
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    # What is built into the program, without what only tests need.
    used, left = set(), [own["id"]]
    while left:
        identity = left.pop()
        if identity not in used:
            used.add(identity)
            left += [
                dependency["pkg"]
                for dependency in nodes[identity]["deps"]
                if any(kind["kind"] != "dev" for kind in dependency["dep_kinds"])
            ]
    problems, versions = [], {}
    for package in metadata["packages"]:
        name = f"{package['name']} {package['version']}"
        if package["id"] != own["id"] and package["source"] != REGISTRY:
            problems.append(f"{name} comes from {package['source']}")
        licence = package["license"] or ""
        if not any(choice <= ALLOWED for choice in alternatives(licence)):
            problems.append(f"{name} has the licence {licence or '(none)'}")
        if package["id"] in used:
            needed = package["rust_version"]
            if needed and version(needed) > version(own["rust_version"]):
                problems.append(f"{name} needs Rust {needed}, the project promises {own['rust_version']}")
            versions.setdefault(package["name"], set()).add(package["version"])
    several = {name: found for name, found in versions.items() if len(found) > 1}
    for name in sorted(set(several) - TWICE):
        problems.append(f"{name} is there {len(several[name])} times: {', '.join(sorted(several[name]))}")
    for name in sorted(TWICE - set(several)):
        problems.append(f"{name} is there once: take it off the list")
    print("\n".join(problems) or f"{len(metadata['packages'])} packages, {len(used)} of them in the program: nothing wrong")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
