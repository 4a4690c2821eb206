"""Forget a person, and prove it.

First it is written down what is looked for (the journal), and that whoever bears the id is erased,
so that nobody brings them back meanwhile. Then place by place; each change is whole or not at all,
and finding nothing to change is no error: after a kill the same command goes on where it ended. At
last every file is read again for the person's strings; only when none is found is the proof kept
and the journal removed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime

from data.artifacts import current, point
from data.erasure import journal
from data.erasure.finder import Finder
from data.erasure.places import ERASING, STORE, NamedPlace, Step, files_of, forget_files, sweep
from data.erasure.store_rows import compact, forget_rows
from data.erasure.traces import Traces, digests_of, traces_of
from data.errors import DataError
from data.folder import Folder
from data.store.decision_log import LogState, verify_log
from data.store.erasures import erasure_of, record_erasure
from data.store.opening import Store

BEGUN, COMPLETE, INCOMPLETE = "begun", "done", "incomplete"


@dataclass(frozen=True)
class Erasure:
    """What names a person, place by place, and for one that was carried out the proof.

    ``left``: what still names them after it; ``files``, ``bytes``: what was read to know.
    ``before``: when they were erased, had they been already.
    """

    traces: Traces
    places: tuple[NamedPlace, ...]
    left: tuple[NamedPlace, ...] = ()
    files: int = 0
    bytes: int = 0
    strings: int = 0
    log: LogState | None = None
    before: datetime | None = None

    @property
    def complete(self) -> bool:
        return not self.left


def survey(workspace: Folder, store: Store, customer_id: str) -> Erasure:
    """What would be removed where; nothing is changed.

    DataError where nothing names them and nobody of that id was erased.
    """
    if not customer_id:
        raise DataError("an empty id names nobody; ids are as in the tables")
    begun, traces, places = _known(workspace, store, customer_id)
    finder = traces.finder()
    here = _everywhere(workspace, store, traces, finder, None)
    if not here and not places and begun is None:
        raise DataError(
            f"nothing in {workspace.path} names {customer_id!r}: ids are as in the tables. Nothing "
            "was removed"
        )
    return Erasure(traces, tuple(places or here), before=begun)


def erase(
    workspace: Folder,
    store: Store,
    planned: Erasure,
    *,
    now: datetime,
    by: str,
    models: Sequence[str] = (),
    step: Step = lambda what: None,
) -> Erasure:
    """Take a person out of the workspace, and prove it.

    Parameters
    ----------
    planned : what ``survey`` found.
    now, by : when and by whom, for the proof.
    models : those that learned from their rows, for the proof.
    step : told before each change; what it raises ends the run there, and a rerun goes on.

    Returns
    -------
    What was removed by this run, what is left, and what was read to know. The proof is in the
    store's ``erasures``; the journal stays while something is left.

    Raises
    ------
    StorageFailure where another process holds the store.
    """
    traces, finder = planned.traces, planned.traces.finder()
    customer_id = traces.customer_id
    step("record")
    subject = record_erasure(
        store, customer_id, {"state": BEGUN}, now, traces.orders, traces.others
    )
    step("journal")
    journal.begin(workspace, subject, traces, planned.places)
    sweep(workspace)
    _everywhere(workspace, store, traces, finder, step)
    _look_again(workspace, step)
    step("compact")
    compact(store)
    left, files, size = scan(workspace, store, traces)
    log = verify_log(store)
    proof = {
        "state": INCOMPLETE if left else COMPLETE,
        "by": by,
        "places": [asdict(place) for place in planned.places],
        "left": [asdict(place) for place in left],
        "files": files,
        "bytes": size,
        "strings": finder.count,
        "models": list(models),
        "log": {"entries": log.entries, "forgotten": log.forgotten, "head": log.head},
    }
    step("proof")
    record_erasure(store, customer_id, proof, now)
    if not left:
        step("end")
        journal.end(workspace, subject)
    return replace(planned, left=left, files=files, bytes=size, strings=finder.count, log=log)


def scan(
    workspace: Folder, store: Store, traces: Traces
) -> tuple[tuple[NamedPlace, ...], int, int]:
    """What still names a person: every file as it is read and in its very bytes, the store row by
    row. With the number of files and bytes that were read; the journal is none of them."""
    finder = traces.finder()
    left = _everywhere(workspace, store, traces, finder, None)
    files, size = 0, 0
    for path in files_of(workspace):
        if ERASING not in path.parts:
            files, size = files + 1, size + path.stat().st_size
    for name in STORE:
        left += _in_bytes(workspace, name, finder)
    return tuple(left), files, size


def _in_bytes(workspace: Folder, name: str, finder: Finder) -> list[NamedPlace]:
    path = workspace.state_dir / name
    if not path.is_file() or not finder.in_bytes(path.read_bytes()):
        return []
    return [NamedPlace(f".presage/{name}", 1, "places", "in pages given back: run again", True)]


def _known(
    workspace: Folder, store: Store, customer_id: str
) -> tuple[datetime | None, Traces, list[NamedPlace]]:
    """When their erasure was recorded, what is looked for, and where it was, had it begun."""
    before = erasure_of(store, customer_id)
    traces = traces_of(workspace, store, customer_id)
    places: list[NamedPlace] = []
    for earlier, were in journal.unfinished(workspace):
        if earlier.customer_id == customer_id:
            traces, places = _both(earlier, traces), were
    traces.digests = [d for each in (customer_id, *traces.others) for d in digests_of(store, each)]
    return (None if before is None else before[0]), traces, places


def _both(earlier: Traces, now: Traces) -> Traces:
    """What an unfinished erasure looked for, with what is there now."""
    births = [each for each in (earlier.first_seen, now.first_seen) if each]
    names = {**earlier.keys, **now.keys}
    return Traces(
        earlier.customer_id,
        {name: earlier.keys.get(name, set()) | now.keys.get(name, set()) for name in names},
        list(dict.fromkeys([*earlier.called, *now.called])),
        list(dict.fromkeys([*earlier.said, *now.said])),
        sorted({*earlier.longer, *now.longer}),
        earlier.digests,
        sorted({*earlier.others, *now.others}),
        earlier.rows or now.rows,
        min(births, default=None),
    )


def _everywhere(
    workspace: Folder, store: Store, traces: Traces, finder: Finder, step: Step | None
) -> list[NamedPlace]:
    places = forget_files(workspace, traces, finder, step)
    if step is not None:
        step("store")
    for name, rows in forget_rows(store, traces, finder, commit=step is not None).items():
        places.append(NamedPlace(f"store, {name}", rows, "rows", "removed"))
    return places


def _look_again(workspace: Folder, step: Step) -> None:
    """Have a running service read the published scores, and with them everything else, anew."""
    home = workspace.state_dir / "published"
    about = current(home, "scores")
    if about is not None:
        step("look again")
        point(home, "scores", about)
