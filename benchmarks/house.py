"""How large the product is, how tangled, and what it does more often than once.

    .venv/bin/python -m benchmarks.house [--demo] [--tests]

- product lines: of Python that are installed, the simulator apart;
- import circles: groups of modules that need each other, imports inside functions and for types
  included;
- files a score passes through: those of the product in which any code runs between
  ``POST /v1/predictions`` for one customer who was scored at night and the answer, once another
  one was asked for; and the same for a customer of whom an event was posted since;
- SHA-256 passes per ``staff``: digests begun, of files and of texts, when ``presage staff`` runs
  again on a workspace in which nothing changed;
- scores, forecasts and reconciliations per demo: how often each is computed, not opened;
- seconds of ``presage --help``, the medians of five.

The demo is one of 1,500 customers over 300 days; ``--demo`` takes the one that users see and prints
its seconds. ``--tests`` runs all tests and prints theirs.
"""

from __future__ import annotations

import argparse
import ast
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.running import presage, show

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("presage", "data", "features", "models", "serving", "pipelines")
SIMULATOR = ROOT / "data" / "simulate"
SMALL = ("--customers", 1500, "--days", 300)


def modules() -> dict[str, Path]:
    """Every installed module by its name."""
    files = {}
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            files[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return files


def imports_of(name: str, known: Mapping[str, Path]) -> set[str]:
    """The modules among ``known`` that a module imports anywhere in its file."""
    names = set()
    for node in ast.walk(ast.parse(known[name].read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                names.add(whole if whole in known else node.module)
    return {one for one in names if one in known and one != name}


def circles(imports: Mapping[str, set[str]]) -> list[list[str]]:
    """The groups of two and more modules that reach each other, by name (Tarjan's algorithm).

    >>> circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()})
    [['b', 'c']]
    """
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    groups: list[list[str]] = []

    def visit(name: str) -> None:
        order[name] = lowest[name] = len(order)
        stack.append(name)
        for other in sorted(imports[name]):
            if other not in order:
                visit(other)
                lowest[name] = min(lowest[name], lowest[other])
            elif other in stack:
                lowest[name] = min(lowest[name], order[other])
        if lowest[name] == order[name]:
            group = stack[stack.index(name) :]
            del stack[stack.index(name) :]
            if len(group) > 1:
                groups.append(sorted(group))

    for name in imports:
        if name not in order:
            visit(name)
    return sorted(groups)


def lines_of(paths: list[Path]) -> int:
    return sum(len(path.read_text().splitlines()) for path in paths)


def help_seconds() -> tuple[float, float]:
    """Wall and CPU seconds until ``presage --help`` has answered, the medians of five."""
    with tempfile.TemporaryDirectory() as folder:
        runs = [presage("--help", log=Path(folder) / "log.txt") for _ in range(5)]
    wall, cpu = zip(*((run.seconds, run.cpu_seconds) for run in runs), strict=True)
    return statistics.median(wall), statistics.median(cpu)


def counted(folder: Path, what: str, *arguments: object) -> tuple[Any, float]:
    """What ``benchmarks.house_counts`` counts, and how many seconds that took."""
    out, log = folder / "counts.json", folder / "log.txt"
    command = [sys.executable, "-m", "benchmarks.house_counts", str(out), what]
    began = time.perf_counter()
    with log.open("w") as file:
        run = subprocess.run(
            [*command, *map(str, arguments)], cwd=ROOT, stdout=file, stderr=file, check=False
        )
    if run.returncode != 0:
        tail = "\n".join(log.read_text().splitlines()[-15:])
        raise SystemExit(f"{what} {arguments} exited {run.returncode}:\n{tail}")
    return json.loads(out.read_text()), time.perf_counter() - began


def runs(whole: bool) -> tuple[list[tuple[str, str, str, str]], list[str]]:
    """The lines of the table that a demo, another ``staff`` and a question tell, and the files."""
    with tempfile.TemporaryDirectory() as folder:
        company, small = Path(folder) / "company", () if whole else SMALL
        demo, seconds = counted(Path(folder), "verb", "demo", company, "--once", *small)
        for _ in range(2):  # the first remembers the hashes of files
            staff, _ = counted(Path(folder), "verb", "staff", company)
        files, _ = counted(Path(folder), "path", company)
    as_scored = files["as scored"]
    door = [file for file in as_scored if file.startswith("serving/api/")]
    lines = [
        ("files a score passes through", "19", "10", f"{len(as_scored)}, {len(door)} of the API"),
        ("the same, with news", "", "", str(len(files["with news"]))),
        ("SHA-256 passes per `staff`", "48", "12", str(staff["SHA-256 passes"])),
        ("scores per demo", "2", "1", str(demo["scores"])),
        ("forecasts per demo", "2", "1", str(demo["forecasts"])),
        ("reconciliations per demo", "3", "", str(demo["reconciled"])),
        ("demo, seconds", "240", "240", f"{seconds:.0f}" if whole else "`--demo`"),
    ]
    return lines, as_scored


def test_seconds() -> float:
    """How long all tests take, in the processes that ``make test`` takes."""
    began = time.perf_counter()
    command = ["-m", "pytest", "-q", "-n", "3", "--dist", "loadfile", "--no-loadscope-reorder"]
    subprocess.run([sys.executable, *command], cwd=ROOT, check=True)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(prog="house")
    parser.add_argument("--demo", action="store_true", help="the demo that users see, timed")
    parser.add_argument("--tests", action="store_true", help="run and time all tests, too")
    options = parser.parse_args()
    known = modules()
    paths = list(known.values())
    simulator = [path for path in paths if path.is_relative_to(SIMULATOR)]
    loops = circles({name: imports_of(name, known) for name in known})
    wall, cpu = help_seconds()
    lines, files = runs(options.demo)
    product = lines_of(paths) - lines_of(simulator)
    show(
        ("what", "before", "bar", "here"),
        [
            ("product lines outside lab and simulator", "43,600", "34,000", f"{product:,}"),
            ("lines of the simulator", "", "", f"{lines_of(simulator):,}"),
            *lines,
            ("import circles", "6", "0", str(len(loops))),
            (
                "all tests, seconds",
                "",
                "",
                f"{test_seconds():.0f}" if options.tests else "`--tests`",
            ),
            ("`presage --help`, seconds", "", "0.3", f"{wall:.2f}"),
            ("`presage --help`, CPU seconds", "", "", f"{cpu:.2f}"),
        ],
    )
    print("a score passes through " + ", ".join(files))
    for group in loops:
        print(" ".join(group))


if __name__ == "__main__":
    main()
