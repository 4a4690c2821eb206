"""The suite goes red: one boundary flipped where time is cut, and a test fails.

A few flips by what stands in the file. mutmut tries every small mistake (docs/benchmarks.md).
"""

from __future__ import annotations

import compileall
import os
import py_compile
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TESTS = "tests/properties/test_time_edges.py"
FLIPS = (
    ("features/asof.py", "moment < spells.end", "moment <= spells.end"),
    ("features/asof.py", "spells.start <= moment", "spells.start < moment"),
    ("features/asof.py", "times_of(view[f]) >= moment", "times_of(view[f]) > moment"),
    ("features/asof.py", "births + 1", "births"),
    ("features/labels.py", "unknown = stop > end", "unknown = stop >= end"),
    ("features/kernel.py", 'np.searchsorted(self.edges, at, side="right")',
     'np.searchsorted(self.edges, at, side="left")'),
    ("features/kernel.py", "spells.at + (window + 1)", "spells.at + window"),
    ("features/kernel.py", ">= self.grid.times - window", "> self.grid.times - window"),
    ("features/timeline.py", 'times[piece], side="right")', 'times[piece], side="left")'),
    ("features/online.py", "(hi > as_of)", "(hi >= as_of)"),
)  # fmt: skip


@pytest.fixture(scope="module")
def copy_of_the_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the tests need, compiled once; compiled files check their source by its hash."""
    folder = tmp_path_factory.mktemp("tree")
    for room in ("data", "features", "tests"):
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / room, folder / room, ignore=ignore)
    shutil.copyfile(ROOT / "pyproject.toml", folder / "pyproject.toml")
    compileall.compile_dir(
        folder, quiet=2, invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH
    )
    return folder


def outcome(folder: Path, path: str) -> subprocess.CompletedProcess[str]:
    """The tests of time and the file's own doctests, run on the copy."""
    options = ["-x", "-q", "-o", "addopts=", "--import-mode=importlib", "--doctest-modules",
               "-p", "no:cacheprovider", "--assert=plain", "--rootdir", str(folder)]  # fmt: skip
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, path, TESTS],
        cwd=folder,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )


def test_the_copy_passes_unchanged(copy_of_the_tree: Path) -> None:
    done = outcome(copy_of_the_tree, "features/asof.py")
    assert done.returncode == 0, done.stdout[-3000:]


@pytest.mark.parametrize(
    ("path", "before", "after"), FLIPS if os.environ.get("PRESAGE_FULL") == "1" else FLIPS[::3]
)
def test_a_flipped_boundary_is_noticed(
    copy_of_the_tree: Path, path: str, before: str, after: str
) -> None:
    source = (ROOT / path).read_text()
    assert before in source, f"{path} no longer holds {before!r}: name another flip"
    changed = copy_of_the_tree / path
    changed.write_text(source.replace(before, after, 1))
    try:
        done = outcome(copy_of_the_tree, path)
    finally:
        changed.write_text(source)
    assert done.returncode == 1, done.stdout[-3000:]
    assert " failed" in done.stdout
