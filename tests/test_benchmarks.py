"""Each benchmark is a module of one package: it starts with ``python -m benchmarks.NAME`` and finds
its neighbours and the project without changing where Python looks."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted((ROOT / "benchmarks").glob("*.py"))
COMMANDS = [path.stem for path in MODULES if "__main__" in path.read_text()]
ELSEWHERE = {"volume_peers", "uplift_peers"}
"""Started by path in an environment that has the libraries they need."""


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_none_changes_where_python_looks(path: Path) -> None:
    tree = ast.parse(path.read_text())
    changed = [node for node in ast.walk(tree) if ast.unparse(node) == "sys.path"]
    assert not changed, f"line {changed[0].lineno}"


def test_every_command_says_how_it_is_started() -> None:
    missing = [
        name
        for name in COMMANDS
        if name not in ELSEWHERE
        and f"python -m benchmarks.{name}" not in (ROOT / "benchmarks" / f"{name}.py").read_text()
    ]
    assert not missing


def test_every_command_finds_what_it_imports() -> None:
    """In one process, which is no test's own: pytest changes where Python looks."""
    names = [f"benchmarks.{path.stem}" for path in MODULES if path.stem not in ELSEWHERE]
    assert len(names) > 25
    done = python("-c", f"import importlib\nfor name in {names!r}: importlib.import_module(name)")
    assert done.returncode == 0, done.stderr[-2000:]


def test_a_command_starts_from_the_folder_of_the_project() -> None:
    done = python("-m", "benchmarks.volume_speed", "--help")
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.startswith("usage: volume_speed")


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
