#!/usr/bin/env python3
"""Whether the code of the Rust notebooks compiles, without a Jupyter kernel.

Those in Python are run by `scripts/python_notebooks.py`. Each notebook becomes a program of its own, all cells in order
inside `main`, in a package under the target directory (CARGO_TARGET_DIR, or target/notebooks). `--run NAME` also runs
that notebook's program, with optimisation.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"
HEAD = "#![allow(unused)]\nfn main() -> Result<(), Box<dyn std::error::Error>> {\n"
TAIL = "Ok(())\n}\n"
# With the project's profile, so that in its target directory nothing is compiled twice.
PACKAGE = """[package]
name = "notebooks"
version = "0.0.0"
edition = "2024"
publish = false

[workspace]

[profile.release]
strip = "symbols"
"""


def is_rust(notebook: Path) -> bool:
    """Whether it is for the Rust kernel, as its metadata say."""
    return (
        json.loads(notebook.read_text(encoding="utf-8"))["metadata"]["kernelspec"][
            "language"
        ].lower()
        == "rust"
    )


def cells(notebook: Path) -> list[str]:
    """The sources of its code cells."""
    found = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in found if cell["cell_type"] == "code"]


def program(notebook: Path) -> tuple[str, list[str]]:
    """The notebook as a Rust program, and what its `:dep` lines ask for."""
    code, dependencies = [], []
    for number, cell in enumerate(cells(notebook), 1):
        code.append(f"// Cell {number}.")
        for line in cell.splitlines():
            if line.startswith(":dep "):
                dependencies.append(line.removeprefix(":dep ").strip())
            elif not line.startswith(":"):
                code.append(line)
    return HEAD + "\n".join(code) + "\n" + TAIL, dependencies


def write_package(folder: Path, notebooks: list[Path]) -> None:
    """A package with one binary per notebook. Paths in dependencies are relative to the notebooks."""
    sources = folder / "src" / "bin"
    sources.mkdir(parents=True, exist_ok=True)
    for old in sources.glob("*.rs"):
        if old.stem not in {notebook.stem for notebook in notebooks}:
            old.unlink()
    wanted = set()
    for notebook in notebooks:
        code, dependencies = program(notebook)
        wanted.update(
            line.replace('path = ".."', f"path = {json.dumps(str(ROOT))}")
            for line in dependencies
        )
        file = sources / f"{notebook.stem}.rs"
        # An unchanged program is not compiled again.
        if not file.exists() or file.read_text(encoding="utf-8") != code:
            file.write_text(code, encoding="utf-8")
    manifest = f"{PACKAGE}\n[dependencies]\n"
    (folder / "Cargo.toml").write_text(
        manifest + "".join(f"{line}\n" for line in sorted(wanted)), encoding="utf-8"
    )
    # The project's own versions, where it names them.
    (folder / "Cargo.lock").write_bytes((ROOT / "Cargo.lock").read_bytes())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--run", metavar="NAME", help="also run this notebook's program"
    )
    name = parser.parse_args().run
    notebooks = [
        notebook for notebook in sorted(NOTEBOOKS.glob("*.ipynb")) if is_rust(notebook)
    ]
    if not notebooks:
        print(f"no Rust notebooks in {NOTEBOOKS}", file=sys.stderr)
        return 1
    if name and name not in [notebook.stem for notebook in notebooks]:
        print(f"no Rust notebook is called {name}", file=sys.stderr)
        return 1
    target = Path(
        os.environ.get("CARGO_TARGET_DIR", ROOT / "target" / "notebooks")
    ).resolve()
    folder = target / "notebook-programs"
    write_package(folder, notebooks)
    environment = dict(os.environ, CARGO_TARGET_DIR=str(target))

    def cargo(*arguments: str) -> int:
        command = [
            "cargo",
            arguments[0],
            "--manifest-path",
            str(folder / "Cargo.toml"),
            *arguments[1:],
        ]
        # Programs run where notebooks do.
        return subprocess.run(command, cwd=NOTEBOOKS, env=environment).returncode

    status = cargo("check", "--release", "--bins")
    if status == 0 and name:
        status = cargo("run", "--release", "--bin", name)
    return status


if __name__ == "__main__":
    sys.exit(main())
