#!/usr/bin/env python3
"""Runs the Python notebooks from top to bottom, and fails where a cell fails.

They run with the Python that runs this script, which needs sparsewidth, nbclient, ipykernel and matplotlib. A notebook
that imports torch is skipped where torch is missing, and said to be. With `--save` the outputs are written back.
"""

import argparse
import importlib.util
import json
import sys
import time
from pathlib import Path

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"


def python_notebooks() -> list[Path]:
    """Those for a Python kernel; the others are in Rust."""

    def language(notebook: Path) -> str:
        return json.loads(notebook.read_text(encoding="utf-8"))["metadata"][
            "kernelspec"
        ]["language"]

    return [
        notebook
        for notebook in sorted(NOTEBOOKS.glob("*.ipynb"))
        if language(notebook) == "python"
    ]


def run(path: Path, timeout: int, save: bool) -> None:
    """Runs a notebook in its folder; raises CellExecutionError where a cell fails."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    # `python3` is this Python. Times of cells would change with every run.
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        timeout=timeout,
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": path.parent}},
    )
    client.execute()
    if save:
        # Neither does the version of Python matter to readers.
        notebook.metadata = {
            "kernelspec": {
                "display_name": "Python 3",
                "language": "python",
                "name": "python3",
            },
            "language_info": {"name": "python"},
        }
        path.write_text(
            json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "notebooks",
        nargs="*",
        type=Path,
        help="those to run, of the folder notebooks; all if none is given",
    )
    parser.add_argument(
        "--save", action="store_true", help="write the outputs back into the notebooks"
    )
    parser.add_argument(
        "--timeout", type=int, default=600, help="seconds for a cell (default: 600)"
    )
    arguments = parser.parse_args()
    missing = [
        name
        for name in ("sparsewidth", "nbclient", "ipykernel", "matplotlib")
        if not importlib.util.find_spec(name)
    ]
    if missing:
        print(
            f"{sys.executable} lacks {', '.join(missing)}: pip install {' '.join(missing)}",
            file=sys.stderr,
        )
        return 2
    from nbclient.exceptions import CellExecutionError

    failed = []
    for path in arguments.notebooks or python_notebooks():
        if "import torch" in path.read_text(
            encoding="utf-8"
        ) and not importlib.util.find_spec("torch"):
            print(f"SKIPPED: {path.name}: torch is not installed", flush=True)
            continue
        start = time.monotonic()
        try:
            run(path, arguments.timeout, arguments.save)
        except CellExecutionError as error:
            print(f"FAILED: {path.name}\n{error}", file=sys.stderr, flush=True)
            failed.append(path.name)
        else:
            print(f"{path.name}: {time.monotonic() - start:.0f} s", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
