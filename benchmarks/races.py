"""Two schedulers that begin at the same moment, and leases that ran out: who writes, and when.

    .venv/bin/python -m benchmarks.races [--races 200] [--expired 50]

Two processes ask for the right to write into one workspace at the same moment, again and again; the
one who has it notes so, works for a moment, asks whether it still has it, and notes its end. A
double run is a beginning between another's beginning and end. Before some races a holder on another
machine took the lease and let it run out: it is taken over once, by a newer token, and the holder
that comes back must find that out before it writes: it is asked whether its token holds, and has a
file published by its token, which must stay that of the newer run.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import os
import random
import tempfile
import time
from datetime import timedelta
from functools import partial
from multiprocessing.synchronize import Barrier
from pathlib import Path

from benchmarks.running import show
from data.clock import SYSTEM
from data.errors import Conflict
from data.files import fenced, write_whole
from data.store import (
    Store,
    check_lease,
    keeping_leases,
    lease_holder,
    open_store,
    take_lease,
)
from data.workspace import Workspace, init
from pipelines.exclusive import WRITING, still_ours, writing

ELSEWHERE = "presage score (process 1 on elsewhere)"
LIFETIME = timedelta(seconds=30)
PRODUCT = "product"


def note(journal: Path, what: str, token: int) -> None:
    """One line, added at once."""
    file = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(file, f"{what} {token} {os.getpid()}\n".encode())
    os.close(file)


def scheduler(folder: Path, journal: Path, rounds: int, together: Barrier, seed: int) -> None:
    """Ask for the right to write at every barrier."""
    draw = random.Random(seed)
    workspace = Workspace.open(folder)
    for _ in range(rounds):
        together.wait()
        with writing(workspace, "score") as lease:
            note(journal, "begin", lease.token)
            time.sleep(draw.uniform(0, 0.004))
            still_ours()
            write_whole(folder / PRODUCT, str(lease.token).encode())
            note(journal, "end", lease.token)


def overlaps(lines: list[str]) -> tuple[int, int, int]:
    """Runs, those that began beside another, and tokens that did not rise."""
    at_work: set[str] = set()
    runs = double = falling = newest = 0
    for line in lines:
        what, token, _ = line.split()
        if what == "end":
            at_work.discard(token)
            continue
        runs += 1
        double += bool(at_work)
        falling += int(token) <= newest
        newest = max(newest, int(token))
        at_work.add(token)
    return runs, double, falling


def play(races: int, expired: int, seed: int = 5) -> list[list[str]]:
    """The lines of the table."""
    context = multiprocessing.get_context("fork")
    with tempfile.TemporaryDirectory() as root:
        workspace = init(Path(root) / "company")
        journal = Path(root) / "journal"
        with open_store(workspace):
            pass  # made before two processes would
        together = context.Barrier(3)
        given = (workspace.path, journal, races, together)
        both = [
            context.Process(target=scheduler, args=(*given, seed + number), daemon=True)
            for number in range(2)
        ]
        for one in both:
            one.start()
        chosen = set(random.Random(seed).sample(range(races), expired))
        stale = published = 0
        for race in range(races):
            token = 0
            if race in chosen:
                token = _run_out(workspace)
            together.wait()
            _until(journal, 4 * (race + 1))
            if token:
                with open_store(workspace) as store:
                    try:
                        check_lease(store, WRITING, token)
                        stale += 1
                    except Conflict:
                        pass
                    published += _publishes(store, workspace.path, token)
        for one in both:
            one.join(60)
        runs, double, falling = overlaps(journal.read_text().splitlines())
        failed = sum(one.exitcode != 0 for one in both)
    return [
        ["races of two", str(races), f"{runs} runs of {2 * races}"],
        ["double runs", "0", str(double)],
        ["tokens that did not rise", "0", str(falling)],
        [f"stale writers let in, of {expired} leases that ran out", "0", str(stale)],
        [f"files that they replaced, of {expired}", "0", str(published)],
        ["processes that failed", "0", str(failed)],
    ]


def _publishes(store: Store, folder: Path, token: int) -> bool:
    """Whether a run of that token replaces the product of a newer one."""
    before = (folder / PRODUCT).read_bytes()
    with contextlib.suppress(Conflict), fenced(partial(keeping_leases, store, {WRITING: token})):
        write_whole(folder / PRODUCT, b"stale")
    return (folder / PRODUCT).read_bytes() != before


def _run_out(workspace: Workspace) -> int:
    """The token of a lease that another machine took and that has run out."""
    with open_store(workspace) as store:
        until = time.monotonic() + 60
        while lease_holder(store, WRITING, SYSTEM.now()) is not None:
            if time.monotonic() > until:
                raise SystemExit("the lease is never free")
            time.sleep(0.01)
        past = SYSTEM.now() - 2 * LIFETIME
        return take_lease(store, WRITING, ELSEWHERE, LIFETIME, past)


def _until(journal: Path, lines: int) -> None:
    """Wait for so many lines."""
    until = time.monotonic() + 60
    while not journal.exists() or journal.read_text().count("\n") < lines:
        if time.monotonic() > until:
            raise SystemExit("the schedulers do not end")
        time.sleep(0.01)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--races", type=int, default=200)
    parser.add_argument("--expired", type=int, default=50)
    chosen = parser.parse_args()
    show(["what", "bar", "seen"], play(chosen.races, chosen.expired))


if __name__ == "__main__":
    main()
