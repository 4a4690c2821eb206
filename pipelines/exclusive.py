"""One run writes at a time: a lease in the store, with a fencing token, held while a verb works.

Training may take hours, so it excludes another training only, and holds the lease to write when it
registers what it learned: a night is scored and a model rolled back meanwhile.

A second run waits and says for whom. The lease is renewed while its holder lives; where the holder
was killed on this machine, a lock that the kernel let go of says so at once, elsewhere the lease
runs out. A holder that was paused for longer finds its token outdated before it publishes:
every rename that puts a file in its place happens in a transaction that holds the tokens.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

from data.clock import SYSTEM
from data.errors import Conflict
from data.files import fenced, remove_abandoned, take_lock
from data.folder import STATE
from data.store import (
    Store,
    check_lease,
    keeping_leases,
    lease_holder,
    open_store,
    release_lease,
    renew_lease,
    take_lease,
)
from data.workspace import Workspace
from pipelines.console import say
from serving.runs import RunRecord

WRITING, TRAINING = "writing", "training"
DOES = {WRITING: "is writing into", TRAINING: "is training a model of"}
LIFETIME = timedelta(seconds=30)
RENEW_SECONDS = 5.0
POLL_SECONDS = 0.25
PATIENCE = timedelta(hours=6)
"""So long a second run waits: longer than training, shorter than a day."""


@dataclass
class Lease:
    """The right to do what ``name`` says to a workspace; ``token`` outdates each one before it."""

    store: Store
    name: str
    token: int
    record: RunRecord


_held: dict[tuple[Path, str], Lease] = {}


@contextlib.contextmanager
def writing(
    workspace: Workspace, verb: str, patience: timedelta = PATIENCE, name: str = WRITING
) -> Iterator[Lease]:
    """Hold a lease of the workspace for the block; wait for whoever has it, and say who that is.

    A run inside a run of the same process shares its lease. Conflict, naming the holder, where it
    is not free after ``patience``.
    """
    held = workspace.path.resolve(), name
    if held in _held:
        yield _held[held]
        return
    holder = f"presage {verb} (process {os.getpid()} on {socket.gethostname()})"
    with contextlib.ExitStack() as stack:
        store = stack.enter_context(open_store(workspace))
        token = stack.enter_context(_taken(store, workspace, name, holder, patience))
        stack.enter_context(_renewed(store, name, token))
        state = workspace.state_dir
        for parent in (state, *state.glob("*/"), *state.glob("predictions/*/")):
            remove_abandoned(parent)  # what a killed run was filling
        record = RunRecord(workspace.state_dir, verb, name, token, holder, SYSTEM.now)
        stack.enter_context(record)
        lease = _held[held] = Lease(store, name, token, record)
        try:
            # one fence a workspace: it asks for all its leases in one transaction
            if not any(other[0] == held[0] for other in _held if other != held):
                stack.enter_context(fenced(partial(_still_ours_while, held[0])))
            yield lease
        finally:
            del _held[held]


@contextlib.contextmanager
def writing_if_there(folder: Path, verb: str) -> Iterator[None]:
    """``writing`` where the folder is a workspace with state of its own already; else nothing."""
    with contextlib.ExitStack() as stack:
        if (folder / STATE).is_dir():
            stack.enter_context(writing(Workspace.open(folder), verb))
        yield


@contextlib.contextmanager
def only_one(workspace: Workspace, verb: str) -> Iterator[None]:
    """The only process of this verb on the workspace for the block: two would run every schedule
    twice. Conflict, naming the other, where there is one; the kernel frees a killed one's place."""
    workspace.state_dir.mkdir(mode=0o700, exist_ok=True)
    place = workspace.state_dir / f"{verb}.lock"
    with contextlib.ExitStack() as stack:
        lock = os.open(place, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        stack.callback(os.close, lock)
        if take_lock(lock) is False:
            other = os.pread(lock, 200, 0).decode(errors="replace") or "another process"
            raise Conflict(
                f"{other} runs presage {verb} for {workspace.path} already: use that one, or end "
                "it by Ctrl-C where it runs"
            )
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0)
        yield


@contextlib.contextmanager
def _still_ours_while(folder: Path) -> Iterator[None]:
    """No other run takes a lease of this process on the workspace while the block lasts; Conflict
    where one did."""
    leases = [lease for (path, _), lease in _held.items() if path == folder]
    tokens = {lease.name: lease.token for lease in leases}
    with keeping_leases(leases[0].store, tokens) if leases else contextlib.nullcontext():
        yield


def still_ours() -> None:
    """Conflict if a lease of this process was lost to another run: it must not write any more."""
    for lease in list(_held.values()):
        check_lease(lease.store, lease.name, lease.token)


@contextlib.contextmanager
def _taken(
    store: Store, workspace: Workspace, name: str, holder: str, patience: timedelta
) -> Iterator[int]:
    place = workspace.state_dir / f"{name}.lock"
    lock = os.open(place, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        token = _wait(store, name, lock, holder, patience)
        try:
            yield token
        finally:
            release_lease(store, name, token)
    finally:
        os.close(lock)


def _wait(store: Store, name: str, lock: int, holder: str, patience: timedelta) -> int:
    """The token, as soon as it can be had."""
    until, waits_for = time.monotonic() + patience.total_seconds(), None
    while True:
        running = lease_holder(store, name, SYSTEM.now())
        locked = take_lock(lock)
        if running is not None and locked and running[0].endswith(_here()):
            # it held the lock while it lived, on this machine: it was killed
            release_lease(store, name, running[1])
        if locked is not False or running is None:
            try:
                return take_lease(store, name, holder, LIFETIME, SYSTEM.now())
            except Conflict:
                if locked:
                    fcntl.flock(lock, fcntl.LOCK_UN)
        who = running[0] if running is not None else "another run"
        if waits_for != who:
            waits_for = who
            say(f"waiting for {who} to end: it {DOES[name]} this workspace")
        if time.monotonic() > until:
            raise Conflict(f"{who} {DOES[name]} this workspace; run again when it has ended")
        time.sleep(POLL_SECONDS)


def _here() -> str:
    return f" on {socket.gethostname()})"


@contextlib.contextmanager
def _renewed(store: Store, name: str, token: int) -> Iterator[None]:
    """Renew the lease from a thread until the block ends, or another run has taken it."""
    ended = threading.Event()

    def renew() -> None:
        while not ended.wait(RENEW_SECONDS):
            try:
                renew_lease(store, name, token, LIFETIME, SYSTEM.now())
            except Conflict:
                return  # the block finds out before it publishes
            except Exception:  # the store is busy or the disk full: the next time may do
                continue

    thread = threading.Thread(target=renew, name="presage-lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
