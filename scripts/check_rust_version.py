#!/usr/bin/env python3
"""Whether all that the program is built from compiles with the Rust version that Cargo.toml promises, by what each crate declares.

    scripts/check_rust_version.py

Exit code 1 and a line per crate where one asks for more.
"""
import json
import subprocess
import sys


def version(text):
    """A version as numbers that compare: 1.89 is 1.89.0."""
    parts = [int(part) for part in text.split(".")]
    return parts + [0] * (3 - len(parts))


def main():
    command = ["cargo", "metadata", "--format-version", "1", "--locked"]
    metadata = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    own = metadata["resolve"]["root"]
    promised = packages[own]["rust_version"]
    # Without what only tests need.
    used, left = set(), [own]
    while left:
        identity = left.pop()
        if identity not in used:
            used.add(identity)
            dependencies = nodes[identity]["deps"]
            left += [found["pkg"] for found in dependencies if any(kind["kind"] != "dev" for kind in found["dep_kinds"])]
    needs = {f"{packages[identity]['name']} {packages[identity]['version']}": packages[identity]["rust_version"] for identity in used}
    newer = {name: needed for name, needed in sorted(needs.items()) if needed and version(needed) > version(promised)}
    for name, needed in newer.items():
        print(f"{name} needs Rust {needed}, the project promises {promised}")
    if not newer:
        print(f"{len(used)} crates, none of which asks for more than Rust {promised}")
    sys.exit(bool(newer))


if __name__ == "__main__":
    main()
