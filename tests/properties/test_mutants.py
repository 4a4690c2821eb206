"""The suite goes red: flip one `<` to `<=` where time is cut, and a test fails.

A few flips by name; ``benchmarks/mutants.py`` tries every one.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def mutation(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import mutation

    return mutation


def test_every_named_flip_is_noticed() -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "mutants.py"), "--named", "--bar", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("killed    features/") >= 10


def changes(mutation: ModuleType, source: str) -> set[str]:
    return {mutant.after for mutant in mutation.mutants_of("x.py", source)}


def test_every_small_mistake_is_made(mutation: ModuleType) -> None:
    assert changes(mutation, "a <= b and c") == {"a < b and c", "a <= b or c"}
    assert changes(mutation, "x = searchsorted(a, b)") == set()
    assert changes(mutation, "x = a.searchsorted(b)") == {'x = a.searchsorted(b, side="right")'}
    assert changes(mutation, "x = s(a, side='left')") == {'x = s(a, side="right")'}
    assert changes(mutation, "min(x, -3)") == {
        "max(x, -3)", "min(x, 3)", "min(x, -4)", "min(x, -2)", "pass",
    }  # fmt: skip
    assert "if a: x[0] = 1" not in changes(mutation, "if a:\n    x[0] = 1\n")
    assert {"pass"} < changes(mutation, "if a:\n    x[0] = 1\n")
    assert changes(mutation, "(a)  +  (b) # plus") == {"(a) - (b) # plus"}


def test_what_does_not_run_is_left_alone(mutation: ModuleType) -> None:
    quiet = '''
"""A module: 1 < 2."""
from x import y
def f(a: Literal[1], b: "int > 3") -> tuple[int, 2]:
    """1 + 1."""
    raise ValueError(f"{a + 1} < 2")
'''
    assert changes(mutation, quiet) == set()


def test_each_mutant_is_one_change_of_the_file(mutation: ModuleType) -> None:
    path = ROOT / "features" / "asof.py"
    source = path.read_text()
    found = mutation.mutants_of("features/asof.py", source)
    assert len({mutant.source for mutant in found}) == len(found) > 50
    for mutant in found:
        compile(mutant.source, mutant.path, "exec")
        first = source.splitlines()[mutant.line - 1].split()
        assert mutant.before.split()[: len(first)] == first
