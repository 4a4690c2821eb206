"""How large the product is, how tangled, and how soon it answers.

    .venv/bin/python -m benchmarks.house

Lines of Python that are installed, the simulator apart; circles of imports (groups of modules that
need each other, imports inside functions and for types included); seconds of ``presage --help``,
the medians of five.
"""

from __future__ import annotations

import ast
import statistics
import tempfile
from collections.abc import Mapping
from pathlib import Path

from benchmarks.running import presage, show

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("presage", "data", "features", "models", "serving", "pipelines")
SIMULATOR = ROOT / "data" / "simulate"


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


def main() -> None:
    known = modules()
    paths = list(known.values())
    simulator = [path for path in paths if path.is_relative_to(SIMULATOR)]
    wall, cpu = help_seconds()
    loops = circles({name: imports_of(name, known) for name in known})
    show(
        ("what", "here"),
        [
            (
                "product lines outside lab and simulator",
                f"{lines_of(paths) - lines_of(simulator):,}",
            ),
            ("lines of the simulator", f"{lines_of(simulator):,}"),
            ("import circles", str(len(loops))),
            ("`presage --help`, seconds", f"{wall:.2f}"),
            ("`presage --help`, CPU seconds", f"{cpu:.2f}"),
        ],
    )
    for group in loops:
        print(" ".join(group))


if __name__ == "__main__":
    main()
