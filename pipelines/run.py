"""One run of a verb: workspace, settings, snapshot and the moment to look from, opened once.

The past stays in the past: a run as of a moment older than the newest one that the tables allow
uses the model that was at work then, and publishes nothing unless it was told to.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from data.check import newest_possible
from data.errors import DamagedFile, UsageError
from data.settings import Settings
from data.snapshot import Snapshot, take
from data.store import has_store, open_store, registry_history
from data.workspace import Workspace, complete_until
from models.champion import MOVES, Champion, champion, champion_at
from pipelines.console import Progress, say
from serving.published import Kind, Published, newest, pointer

FINISHED: tuple[Kind, ...] = ("scores", "forecast")
"""What is joined, logged or kept as a vintage after it was published."""
ROOMS = ("data", "features", "models", "serving", "pipelines")


@dataclass(frozen=True)
class Run:
    """What a verb works on. ``as_of``: the moment whose knowledge counts; ``newest``: the one that
    the verb takes when none is given (both naive UTC).

    ``publish``: publish even where something newer is, or could be, published. ``retrain``: train a
    model on what was known at ``as_of`` instead of using the one at work then.
    """

    workspace: Workspace
    snapshot: Snapshot
    as_of: datetime
    newest: datetime
    report: Progress
    publish: bool = False
    retrain: bool = False

    @property
    def settings(self) -> Settings:
        return self.workspace.settings

    @property
    def state_dir(self) -> Path:
        return self.workspace.state_dir

    @property
    def is_past(self) -> bool:
        """Whether the tables allow a newer moment than this run's."""
        return self.as_of < self.newest

    def publishes(self, kind: Kind) -> bool:
        """Whether what this run makes of ``kind`` may become what is answered from."""
        return self.publish or self.not_published_because(kind) is None

    def not_published_because(self, kind: Kind) -> str | None:
        """Why a result of this kind stays unpublished without ``publish``; None if it does not."""
        if self.is_past:
            return f"{_day(self.as_of)} is past: the tables reach {_day(self.newest)}"
        there = _published_as_of(self.state_dir, kind)
        if there is not None and there > self.as_of:
            return f"the published {kind} are newer, as of {_day(there)}"
        return None

    def not_published(self, kind: Kind) -> list[str]:
        """A line that says why nothing was published; none where it was."""
        because = None if self.publish else self.not_published_because(kind)
        return [] if because is None else [f"not published, for {because}; --publish publishes it"]

    def key(self, *parts: object) -> str:
        """The name of a product of this run: a hash of the code, the snapshot, the moment, and
        ``parts``: the settings it reads and the models it uses."""
        of = [code_version(), self.snapshot.fingerprint, self.as_of.isoformat(), *map(repr, parts)]
        return hashlib.sha256(json.dumps(of).encode()).hexdigest()[:32]

    def current(self, kind: Kind, key: str) -> Published | None:
        """The published product of this key, verified; None where it has to be built: what goes
        with it may not have been done (``serving.published.finish``)."""
        try:
            about = pointer(self.state_dir, kind)
            same = about is not None and about.get("key") == key
            if about is not None and kind in FINISHED and not about.get("finished"):
                same = False
            return newest(self.state_dir, kind) if same else None
        except DamagedFile as damaged:
            say(f"{damaged}: it is built again")
            return None

    def champion(self, kind: str) -> Champion | None:
        """The model of this kind that was at work at ``as_of``: the one at work now, unless that
        moment is past. None where there was none."""
        now = champion(self.state_dir, kind)
        if not self.is_past or now is None:
            return now
        moves = self._moves(kind, now)
        at_work = champion_at(self.state_dir, kind, self.as_of, moves)
        if at_work is None and any(move["details"].get("as_of") is None for move in moves):
            moves = _with_as_of(self.state_dir, kind, moves)
            at_work = champion_at(self.state_dir, kind, self.as_of, moves)
        return at_work

    def _moves(self, kind: str, now: Champion) -> list[dict[str, Any]]:
        """The promotions of this kind; that of the champion alone where the store has none."""
        moves: list[dict[str, Any]] = []
        if has_store(self.workspace):
            with open_store(self.workspace) as store:
                history = registry_history(store, kind)
            moves = [move for move in history if move["event"] in MOVES]
        if moves:
            return moves
        about = {"fingerprint": now.fingerprint, "run_id": now.run_id}
        about["at"] = now.promoted_at.isoformat()
        if now.as_of is not None:
            about["as_of"] = now.as_of.isoformat()
        return [{"event": "promoted", "version": now.version, "details": about}]


def open_run(
    workspace: Workspace | Path,
    as_of: datetime | None,
    report: Progress,
    publish: bool = False,
    retrain: bool = False,
) -> Run:
    """Open a workspace for a run; what is left out and the moment are said.

    ``as_of`` (naive UTC): None for the contract's default. UsageError for one in the future.
    """
    opened = workspace if isinstance(workspace, Workspace) else Workspace.open(workspace)
    snapshot = snapshot_of(opened, report)
    moment, newest = moment_of(opened, snapshot, as_of)
    return Run(opened, snapshot, moment, newest, report, publish, retrain)


def snapshot_of(workspace: Workspace, report: Progress) -> Snapshot:
    """The workspace's tables and posted events as they are now; what is left out is said."""
    report("reading the tables into a snapshot")
    snapshot = take(workspace, progress=lambda message: report(message))
    for name, rows in snapshot.quarantined.items():
        if rows:
            say(
                f"{name}: {rows} rows break the contract and are left out; "
                f"`presage check {workspace.path}` lists them"
            )
    return snapshot


def moment_of(
    workspace: Workspace, snapshot: Snapshot, as_of: datetime | None
) -> tuple[datetime, datetime]:
    """The moment that was asked for, or the default of the contract, and that default; the first is
    said. UsageError for a moment in the future."""
    newest = newest_as_of(workspace, snapshot, as_of)
    moment = newest if as_of is None else as_of
    latest = newest_possible(workspace)
    if moment > latest:
        raise UsageError(
            f"--as-of {moment.isoformat(sep=' ')} lies in the future: it is "
            f"{latest:%Y-%m-%d %H:%M:%S} UTC. Leave --as-of out for the newest moment that the "
            "tables allow"
        )
    say(f"as of {moment.isoformat(sep=' ')} UTC" + ("" if as_of else " (default)"))
    if (beyond := (moment - newest).days) > 1:  # the default may lie a day before their last row
        say(
            f"the tables end within a day of {newest:%Y-%m-%d %H:%M} UTC, {beyond} days before "
            "--as-of: as far as they tell, nothing came since. Load what did, or leave --as-of out"
        )
    return moment, newest


def newest_as_of(workspace: Workspace, snapshot: Snapshot, otherwise: datetime | None) -> datetime:
    """The contract's default moment; ``otherwise`` where no table says how far history goes.

    DataError where there is neither.
    """
    newest = complete_until(workspace, snapshot)
    if newest is not None:
        return newest
    return workspace.default_as_of() if otherwise is None else otherwise


@lru_cache(maxsize=1)
def code_version() -> str:
    """The release, and when each of its files was written: other code builds other products."""
    root = Path(__file__).parents[1]
    files = sorted(path for room in ROOMS for path in (root / room).rglob("*.py"))
    stamps = [(str(path.relative_to(root)), path.stat().st_mtime_ns) for path in files]
    return f"{version('presage')} {hashlib.sha256(repr(stamps).encode()).hexdigest()}"


def _published_as_of(state_dir: Path, kind: Kind) -> datetime | None:
    try:
        about = pointer(state_dir, kind)
        return None if about is None else datetime.fromisoformat(about["as_of"])
    except (DamagedFile, KeyError, ValueError):
        return None  # the run that publishes anew is the remedy


def _with_as_of(state_dir: Path, kind: str, moves: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Moves of before ``as_of`` was kept with them, with what MLflow knows of their versions."""
    from models.registry import history

    learned = {each.version: each.as_of for each in history(state_dir, kind)}
    return [
        {**move, "details": {"as_of": learned.get(str(move["version"])), **move["details"]}}
        for move in moves
    ]


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"
