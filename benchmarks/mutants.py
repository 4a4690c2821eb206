"""Would the tests notice? Each line that cuts time, made wrong in every small way, one at a time.

    .venv/bin/python benchmarks/mutants.py [FILE ...] [--named] [--sample N] [--log FILE]

A mutant is a file with one change: ``<`` to ``<=``, a constant by one, ``+`` to ``-``, minimum to
maximum, ``and`` to ``or``, the other side of a searchsorted, a sign, a statement left out. The
tests run against each in a copy of the tree; a mutant is killed when one fails (or does not come
to an end). Prints those that survived, as changed lines, and the share killed; exits 1 below the
bar. ``--named`` runs the few flips of ``NAMED`` only; the tests do that.

A mutant that cannot be told from the original is listed, with the reason, in
``equivalent_mutants.py``: it is shown, left out of the share, and run with ``--recheck`` only.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(Path(__file__).parent)]

from equivalent_mutants import EQUIVALENT  # noqa: E402
from mutation import Mutant, mutants_of, replaced  # noqa: E402

FILES = ("features/asof.py", "features/kernel.py", "features/timeline.py", "features/labels.py")
TESTS = ("tests/properties/test_time_edges.py",)
NAMED = (
    ("features/asof.py", "moment < seen.end", "moment <= seen.end"),
    ("features/asof.py", "seen.start <= moment", "seen.start < moment"),
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
"""A few flips by what stands in the file, so that ``make test`` proves that the suite goes red."""


@dataclass
class Lane:
    """A copy of the tree in which one mutant at a time is tried, in a forked process."""

    folder: Path
    pid: int = 0
    mutant: Mutant | None = None
    began: float = 0.0

    def start(self, mutant: Mutant | None, tests: Sequence[str], limit: float) -> None:
        if mutant is not None:
            (self.folder / mutant.path).write_text(mutant.source)
        self.mutant, self.began = mutant, time.perf_counter()
        self.pid = os.fork()
        if self.pid == 0:
            code = 70
            try:
                signal.setitimer(signal.ITIMER_REAL, limit)  # the default action ends the process
                code = _run_tests(self.folder, mutant, tests)
            finally:
                os._exit(code)

    def ended(self, status: int) -> str:
        """killed, survived, endless or broken; the copy is whole again."""
        if self.mutant is not None:
            shutil.copyfile(ROOT / self.mutant.path, self.folder / self.mutant.path)
        self.pid = 0
        if os.WIFSIGNALED(status):
            return "endless" if os.WTERMSIG(status) == signal.SIGALRM else "killed"
        return {0: "survived", 1: "killed", 2: "killed"}.get(os.WEXITSTATUS(status), "broken")


def _run_tests(folder: Path, mutant: Mutant | None, tests: Sequence[str]) -> int:
    import pytest

    os.chdir(folder)
    log = os.open("log.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(folder))
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    os.environ["HYPOTHESIS_DATABASE_FILE"] = str(folder / "hypothesis")
    own = [mutant.path] if mutant is not None else []  # its doctests
    options = ["-x", "-q", "-o", "addopts=", "--import-mode=importlib", "--doctest-modules",
               "-p", "no:cacheprovider", "--assert=plain", "--rootdir", str(folder)]  # fmt: skip
    return int(pytest.main([*options, *own, *tests]))


def copies(count: int, folder: Path) -> list[Lane]:
    """Copies of what the tests need, without compiled files of what will be changed."""
    lanes = []
    for number in range(count):
        lane = folder / str(number)
        ignore = shutil.ignore_patterns("__pycache__")
        for room in ("data", "features", "tests"):
            shutil.copytree(ROOT / room, lane / room, ignore=ignore)
        shutil.copyfile(ROOT / "pyproject.toml", lane / "pyproject.toml")
        lanes.append(Lane(lane))
    return lanes


def tried(
    mutants: Sequence[Mutant], tests: Sequence[str], workers: int
) -> Iterator[tuple[Mutant, str]]:
    """Each mutant with what became of it. The unchanged tree must pass first."""
    import numpy  # noqa: F401  (loaded once, before the forks)
    import pandas  # noqa: F401
    import pytest  # noqa: F401

    with tempfile.TemporaryDirectory(prefix="mutants") as folder:
        lanes = copies(workers, Path(folder))
        began = time.perf_counter()
        lanes[0].start(None, tests, 600)
        if lanes[0].ended(os.waitpid(lanes[0].pid, 0)[1]) != "survived":
            raise SystemExit(
                f"the tests fail unchanged:\n{(lanes[0].folder / 'log.txt').read_text()}"
            )
        limit = 30 + 6 * (time.perf_counter() - began)
        waiting = list(reversed(mutants))
        while waiting or any(lane.pid for lane in lanes):
            for lane in lanes:
                if not lane.pid and waiting:
                    lane.start(waiting.pop(), tests, limit)
            pid, status = os.wait()
            lane = next(lane for lane in lanes if lane.pid == pid)
            assert lane.mutant is not None
            became = lane.ended(status)
            if became == "broken":
                raise SystemExit(f"{lane.mutant}:\n{(lane.folder / 'log.txt').read_text()}")
            yield lane.mutant, became


def named() -> list[Mutant]:
    """The flips of ``NAMED``; SystemExit where a pattern is no longer in its file."""
    found = []
    for path, before, after in NAMED:
        source = (ROOT / path).read_text()
        if before not in source:
            raise SystemExit(f"{path} no longer says {before!r}: name another flip in NAMED")
        found.append(replaced(path, source, source.index(before), before, after, "named"))
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("files", nargs="*", default=list(FILES))
    parser.add_argument("--tests", nargs="+", default=list(TESTS))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--sample", type=int, help="only so many, drawn with seed 0")
    parser.add_argument("--named", action="store_true", help="only the flips of NAMED")
    parser.add_argument("--recheck", action="store_true", help="run the equivalent ones as well")
    parser.add_argument("--log", type=Path, help="notes what was killed, and does not try it again")
    parser.add_argument("--bar", type=float, default=0.9)
    given = parser.parse_args(arguments)
    if given.named:
        mutants = named()
    else:
        mutants = [m for path in given.files for m in mutants_of(path, (ROOT / path).read_text())]
    if given.sample is not None and given.sample < len(mutants):
        mutants = random.Random(0).sample(mutants, given.sample)
    began = time.perf_counter()
    known = [m for m in mutants if m.change in EQUIVALENT and not given.recheck]
    results: dict[Mutant, str] = dict.fromkeys(known, "survived")
    noted = set(given.log.read_text().split()) if given.log and given.log.exists() else set()
    results |= {m: "killed" for m in mutants if _digest(m) in noted and m not in results}
    rest = [m for m in mutants if m not in results]
    for mutant, became in tried(rest, given.tests, given.workers):
        results[mutant] = became
        if given.log is not None and became != "survived":
            with given.log.open("a") as file:
                file.write(_digest(mutant) + "\n")
        if became == "survived" and mutant.change not in EQUIVALENT:
            print(f"survived  {mutant}", flush=True)
        elif given.named:
            print(f"{became:9} {mutant}", flush=True)
    share = report(results, given.files)
    print(f"{time.perf_counter() - began:.0f} s, {given.workers} at a time")
    return 0 if share >= given.bar else 1


def _digest(mutant: Mutant) -> str:
    """A mutant's whole file: as long as nothing else in it changes, a test that killed it does so
    again (delete the log when tests are taken away)."""
    return hashlib.sha256(mutant.source.encode()).hexdigest()


def report(results: dict[Mutant, str], files: Sequence[str]) -> float:
    """Prints the tables; the share killed of those that are not equivalent."""
    same = [m for m, became in results.items() if became == "survived" and m.change in EQUIVALENT]
    if same:
        print("\nequivalent, by inspection:")
        for mutant in same:
            print(f"  {mutant}\n      {EQUIVALENT[mutant.change]}")
    for mutant, became in results.items():
        if became != "survived" and mutant.change in EQUIVALENT:
            print(f"listed as equivalent, but {became}: {mutant}")
    counts = {m: "equivalent" if m in set(same) else became for m, became in results.items()}
    share = 1.0
    groups = [("kind", lambda m: m.kind), ("file", lambda m: m.path)]
    for title, group in groups:
        print(
            f"\n{title:24} {'mutants':>8} {'killed':>7} {'equivalent':>11} {'survived':>9}  share"
        )
        names = sorted({group(m) for m in results})
        for name in [*names, "all"]:
            tally = Counter(c for m, c in counts.items() if name in ("all", group(m)))
            killed = tally["killed"] + tally["endless"]
            real = killed + tally["survived"]
            share = killed / real if real else 1.0
            print(f"{name:24} {sum(tally.values()):8} {killed:7} {tally['equivalent']:11} "
                  f"{tally['survived']:9}  {share:.3f}")  # fmt: skip
    return share


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        raise SystemExit(main())
