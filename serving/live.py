"""Predictions between two nights: as published, and for customers with news as of now.

Everybody's published score stands until the next one, and is answered from memory. A customer about
whom something was posted since is scored again at the moment they are asked for, from the published
snapshot and all posted events, by the same ``Predictor``; a score of the whole company at that
moment would give the same bits. Whoever is in neither is unknown.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec

from data.artifacts import stamp
from data.clock import Clock
from data.errors import NotEnoughHistory, PresageError, StorageFailure
from data.merges import merged
from data.overlay import WithEvents
from data.snapshot import Snapshot, snapshot_of, take
from data.store import Event, Store, event_frames, events_since
from data.tables import Tables
from data.turns import OnceATurn
from data.workspace import Workspace
from features.asof import microseconds
from features.groups_now import GroupsAt
from features.history import History
from features.opt_out import profiled
from features.spine import customers_at
from models.champion import champion_file
from serving.items import LIFETIME, decoded, encoded, item
from serving.kept_rows import rows_by_customer
from serving.moved import Moved, concerned
from serving.night import Night, Scores, Unexplained, usable_model
from serving.of_customers import OfCustomers, status_of
from serving.own_rows import OwnRows, readable_rows
from serving.prediction_log import PredictionLog
from serving.predictor import Predictor, now_spine
from serving.published import Kind, Published, newest_scores, pointer_file
from serving.ranking import Ranking, ranking_of
from serving.together import Together

FRESH = timedelta(minutes=15)
"""So long a score made between two nights stands, unless something else is posted."""
AT_ONCE = 200
"""So many customers are answered without a thread: a millisecond or two."""


@dataclass
class Live:
    """The service's memory. Thread-safe; every call looks for what was published or posted. What is
    read anew is read under the lock and put in place whole; answers do not wait for it."""

    workspace: Workspace
    store: Store
    clock: Clock
    published: dict[Kind, Published] = field(default_factory=dict)
    log: PredictionLog | None = None
    """Where predictions are written down."""
    posting: int = 0
    """Posts that are being kept; each is taken in before it is answered."""
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _count: threading.Lock = field(default_factory=threading.Lock)
    _night: Night | None = None
    _stamps: tuple[Any, ...] = ()
    _unscored: Snapshot | None = None
    _changes: int | None = None
    _complete: bool = False
    """Whether all events that were there at the start are in memory."""
    _seq: int = 0
    _news: dict[str, datetime] = field(default_factory=dict)
    _heard: dict[str, datetime] = field(default_factory=dict)
    _own: OwnRows | None = None
    _own_seq: int = 0
    _tables: Tables | None = None
    _tables_seq: int = 0
    _history: History | None = None
    _history_of: Predictor | None = None
    _history_seq: int = -1
    _moved: Moved = field(default_factory=Moved)

    def __post_init__(self) -> None:
        self._together = Together(self._score_now)
        state = self.workspace.state_dir
        self._scores_file = pointer_file(state, "scores")
        self._champion_file = champion_file(state, "risk")
        self._pointers_this_turn = OnceATurn(self._pointers)

    def night(self) -> Night:
        """The newest published scores and the model at work, read again when either has changed.

        Raises NotEnoughHistory where nothing was published yet.
        """
        stamps, night = self._pointers(), self._night
        if night is not None and stamps == self._stamps:
            return night
        with self._lock:
            if stamps[0] is None:
                raise NotEnoughHistory("nothing is published yet; run `presage score`")
            night = self._night
            if night is None or stamps[0] != self._stamps[0]:
                night = self._read_night()
                self._forget_rows()
            elif stamps[1] != self._stamps[1]:
                night = self._with_model(night.published, night.rows, night.snapshot, night)
                self._forget_history()  # another model may read other columns
            self._night, self._stamps = night, stamps
            return night

    def _read_night(self) -> Night:
        published = newest_scores(self.workspace.state_dir)
        assert published is not None
        snapshot = snapshot_of(self.workspace, published.about["snapshot"])
        return self._with_model(published, Scores(published.frame), snapshot, self._night)

    def _with_model(
        self, published: Published, rows: Scores, snapshot: Snapshot, before: Night | None
    ) -> Night:
        at_work, predictor = usable_model(self.workspace, self.store, self.clock, before)
        about = published.about
        # a past moment may be published, scored by the model of then: that one stands
        superseded = about.get("model_version") != predictor.model_version and (
            at_work is None or at_work.promoted_at > datetime.fromisoformat(about["published_at"])
        )
        without = Unexplained(published, rows)
        return Night(published, rows, predictor, snapshot, at_work, superseded, unexplained=without)

    def _forget_rows(self) -> None:
        self._own = self._tables = None
        self._forget_history()

    def _forget_history(self) -> None:
        self._history = self._history_of = None
        self._moved.groups = None

    def snapshot(self) -> Snapshot:
        """The snapshot that was scored; where nothing is published yet, the tables as they are."""
        with self._lock:
            if self._pointers()[0] is None:
                if self._unscored is None or not self._unscored.path.exists():
                    self._unscored = take(self.workspace)
                    self._forget_rows()
                return self._unscored
            night = self.night()
            if not night.snapshot.path.exists():  # cleared away since: read what there is anew
                night = self._night = self._read_night()
                self._forget_rows()
            return night.snapshot

    def tables(self) -> Tables:
        """That snapshot with every event posted so far."""
        with self._lock:
            snapshot = self.snapshot()
            self.take_in()
            if self._tables is None or self._tables_seq < self._seq:
                os.utime(snapshot.path)  # the ones used last are kept
                self._tables = merged(WithEvents(snapshot, event_frames(self.store)), snapshot)
                self._tables_seq = self._seq
            return self._tables

    def rows_of(self, customer_ids: Sequence[str]) -> Tables:
        """The same, with the rows of these customers only."""
        with self._lock:
            self.take_in()
            rows = self._rows()
        return rows.of(set(customer_ids))

    def newest_rows(
        self, name: str, rows: Sequence[Mapping[str, Any]]
    ) -> dict[tuple[str, str], dict[str, Any]]:
        """The newest version in the snapshot of each of these rows of a table, by table and key."""
        with self._lock:
            return self._rows().newest(name, rows)

    def take_in(self) -> None:
        """Know of everything posted so far: whom it is about, and the rows."""
        changes = self.store.changes()
        if changes is not None and changes == self._changes:
            return
        with self._lock:
            rows = self._rows()
            try:
                events = events_since(self.store, self._seq)
            except StorageFailure:  # what is in memory stands until it is there again
                if not self._complete:
                    raise
                return
            whose = concerned(events, rows)
            self._extend(rows, events)
            whose |= {i: at for who, at in list(whose.items()) for i in rows.linked([who])}
            # a post takes its time before it is kept: a score made in between lacks it
            self._heard |= dict.fromkeys(whose, self.clock.now())
            self._news |= whose
            self._seq = max([self._seq, *(event.seq for event in events)])
            self._moved.note(events, rows)
            self._changes, self._complete = changes, True

    @contextlib.contextmanager
    def taking_in(self) -> Iterator[None]:
        """For a block that posts events: they are in memory when it has ended."""
        with self._count:
            self.posting += 1
        try:
            yield
            with contextlib.suppress(PresageError):  # what is damaged fails where it is asked for
                self.take_in()
        finally:
            with self._count:
                self.posting -= 1

    def _rows(self) -> OwnRows:
        """The snapshot's rows with those posted up to ``_seq``."""
        snapshot = self.snapshot()
        if self._own is None:
            self._own, self._own_seq = OwnRows(snapshot, rows_by_customer(snapshot)), 0
        if self._own_seq < self._seq:
            events = events_since(self.store, self._own_seq)
            self._extend(self._own, [event for event in events if event.seq <= self._seq])
        return self._own

    def _extend(self, own: OwnRows, events: Sequence[Event]) -> None:
        new = [event for event in events if event.seq > self._own_seq]
        own.extend(readable_rows(new))
        self._own_seq = max([self._own_seq, *(event.seq for event in new)])
        os.utime(self.snapshot().path)  # the ones used last are kept

    def predict(
        self, customer_ids: Sequence[str], horizons: Sequence[int] | None = None
    ) -> list[dict[str, Any]]:
        """One item per id, in the order asked, as the contract's ``/v1/predictions`` has them.

        ``horizons`` in days, None for all that the model has; UsageError for one it has not.
        """
        items = self._items(customer_ids, horizons, *self._scored_now(customer_ids))
        return [decoded(one) for one in items]

    def _items(
        self,
        customer_ids: Sequence[str],
        horizons: Sequence[int] | None,
        night: Night,
        scored: Mapping[str, dict[str, Any] | None],
    ) -> list[dict[str, Any]]:
        """Ready to be put into JSON."""
        now, days = self.clock.now(), night.predictor.check_horizons(horizons)
        rows = [scored[i] if i in scored else night.row(i) for i in customer_ids]
        absent = {i for i, row in zip(customer_ids, rows, strict=True) if row is None}
        status = status_of(self.rows_of(sorted(absent)), absent, self.clock.now()) if absent else {}
        return [
            {"customer_id": i, "status": status.get(i, "unknown")}
            if row is None
            else item(i, row, days, now, night.stopped)
            for i, row in zip(customer_ids, rows, strict=True)
        ]

    def encoded(
        self, customer_ids: Sequence[str], horizons: Sequence[int] | None = None
    ) -> list[Any]:
        """``predict``, each item ready to be put into JSON; published ones are kept as such."""
        night, scored = self._scored_now(customer_ids)
        if scored or horizons is not None:
            return self._items(customer_ids, horizons, night, scored)
        stale = self.clock.now() > night.published.as_of + LIFETIME
        return [self._published(i, stale, night) for i in customer_ids]

    def _published(self, customer_id: str, stale: bool, night: Night) -> msgspec.Raw:
        """The answer that was published for a customer, as JSON."""
        raw = night.ready.get(customer_id, stale)
        if raw is None:
            days, row = night.predictor.model.horizons, night.row(customer_id)
            raw = encoded(item(customer_id, row, days, self.clock.now(), night.stopped))
            night.ready.put(customer_id, stale, raw)
        return raw

    def remembered(self, customer_ids: Sequence[str]) -> list[Any] | None:
        """``encoded`` without waiting for a lock or the store: None where an answer is not at hand,
        or something was published, promoted or posted that is not in memory yet."""
        night = self._night
        if night is None or self._stamps != self._pointers_this_turn():
            return None
        if len(customer_ids) > AT_ONCE or not self._up_to_date():
            return None
        now, as_of, news, items = self.clock.now(), night.published.as_of, self._news, []
        stale, published_by = now > as_of + LIFETIME, night.published.about.get("model_version")
        one_model = night.superseded or published_by == night.predictor.model_version
        for i in customer_ids:
            posted = news.get(i, as_of)
            if posted > as_of or i not in night.rows:
                row = night.fresh.get(i)
                if row is None or not one_model or not self._stands(row, now):
                    return None
                days = night.predictor.model.horizons
                items.append(encoded(item(i, row, days, now, night.stopped)))
            elif (night.superseded or i in night.unexplained) and i not in night.again:
                return None
            else:
                items.append(self._published(i, stale, night))
        return items

    def _up_to_date(self) -> bool:
        """Whether every event whose post was answered is in memory; told in microseconds."""
        changes = self.store.changes_this_turn()
        if changes is None:
            return False
        if changes == self._changes:
            return True
        # something else was written, or what is being posted is not answered yet
        return self.posting > 0 or self.store.last_event() <= self._seq

    def _pointers(self) -> tuple[Any, ...]:
        """Another value once other scores are published, or another model is at work."""
        return stamp(self._scores_file), stamp(self._champion_file)

    def ranking(self) -> tuple[Ranking, Night]:
        """The published scores in order, made once a night."""
        night = self.night()
        if night.ranking is None:
            night.ranking = ranking_of(night.published, self.snapshot())
        return night.ranking, night

    def has_news(self, customer_id: str, since: datetime) -> bool:
        """Whether something was posted about a customer since then, of what is in memory."""
        return self._news.get(customer_id, since) > since

    def warm(self) -> None:
        """Score somebody as of now, as every prediction with news is; once a night and model.

        NotEnoughHistory without scores.
        """
        night = self.night()
        if not night.warm:
            self.take_in()
            someone = next(iter(night.rows), None)
            if someone is not None:
                self._scored([someone], self.clock.now(), night)
            night.warm = True

    def _scored_now(
        self, customer_ids: Sequence[str]
    ) -> tuple[Night, dict[str, dict[str, Any] | None]]:
        """The night, and the rows of those asked for whose published row is not what holds."""
        night, scored = self._news_scored(customer_ids)
        mixed = any(scored.values()) and (
            night.published.about.get("model_version") != night.predictor.model_version
        )
        if night.superseded or mixed:  # one answer speaks of one model
            scored |= self._score_again([i for i in customer_ids if i not in scored], night)
        else:
            self._score_again(
                [i for i in customer_ids if i in night.unexplained and i not in scored], night
            )
        return night, scored

    def _news_scored(
        self, customer_ids: Sequence[str]
    ) -> tuple[Night, dict[str, dict[str, Any] | None]]:
        """The night, and the rows as of now of those with news and of those it does not know."""
        while True:
            now, night = self.clock.now(), self.night()
            self.take_in()
            as_of, news = night.published.as_of, self._news
            scored: dict[str, dict[str, Any] | None] = {}
            unscored = []
            for i in dict.fromkeys(customer_ids):
                if i in night.rows and news.get(i, as_of) <= as_of:
                    continue
                row = night.fresh.get(i)
                if row is not None and self._stands(row, now):
                    scored[i] = row
                else:
                    unscored.append(i)
            anew = self._together.ask(unscored) if unscored else {}
            if all(of is night for of, _ in anew.values()):
                return night, scored | {i: row for i, (_, row) in anew.items()}

    def _stands(self, row: Mapping[str, Any], now: datetime) -> bool:
        """Whether a score made between two nights is young, and has all that is in memory."""
        oldest = now - FRESH
        return bool(row["as_of"] > max(self._heard.get(row["customer_id"], oldest), oldest))

    def _score_now(self, customer_ids: list[str]) -> dict[str, tuple[Night, dict[str, Any] | None]]:
        """The night, and scores as of now by its model; None for those who are no customers."""
        now, night = self.clock.now(), self.night()
        self.take_in()
        rows: dict[str, dict[str, Any]] = {}
        known = [i for i in customer_ids if i in self._news or i in night.rows]
        if known:
            own = OfCustomers(self.rows_of(known), frozenset(known))
            here = profiled(customers_at(own, [now]), own)["customer_id"].tolist()
            rows = self._scored(here, now, night) if here else {}
            for gone in set(known) - rows.keys():
                night.fresh.pop(gone, None)
            night.fresh |= rows
        return {i: (night, rows.get(i)) for i in customer_ids}

    def _score_again(self, customer_ids: list[str], night: Night) -> dict[str, dict[str, Any]]:
        """Published customers as of the published moment, by the model promoted since."""
        missing = [i for i in dict.fromkeys(customer_ids) if i not in night.again]
        if missing:
            night.again |= self._scored(missing, night.published.as_of, night)
        return {i: night.again[i] for i in customer_ids}

    def _scored(
        self, customer_ids: list[str], moment: datetime, night: Night
    ) -> dict[str, dict[str, Any]]:
        history, groups = self._history_for(customer_ids, moment, night)
        frame = night.predictor.score(
            now_spine(customer_ids, moment),
            history,
            groups=groups,
            language=self.workspace.settings.risk.reasons_language,
            time_zone=self.workspace.settings.company.time_zone,
        )
        # the customers' tickets and the forecast tell one total, here too
        frame["expected_tickets_30d"] *= float(night.published.about.get("scale", 1.0))
        scores = {row["customer_id"]: row for row in frame.to_dict("records")}
        if self.log is not None:
            self.log.add(scores.values(), self.clock.now())
        return scores

    def _history_for(
        self, customer_ids: list[str], moment: datetime, night: Night
    ) -> tuple[History, GroupsAt | None]:
        """These customers' rows, and what groups add up to; everybody's rows, where scores ask
        more of others than what adds up."""
        predictor = night.predictor
        if predictor.reads_own_rows:
            return predictor.history(self.rows_of(customer_ids)), None
        if predictor.groups_add_up:
            whose = frozenset(customer_ids)
            with self._lock:
                self.take_in()
                sums = self._moved.brought_up(self._rows(), predictor, whose, set(self._news))
            if sums is not None:
                groups, history = sums
                return history, groups.at(microseconds(moment))
        with self._lock:
            tables = self.tables()
            if self._history_of is not predictor or self._history_seq < self._tables_seq:
                self._history, self._history_of = predictor.history(tables), predictor
                self._history_seq = self._tables_seq
            assert self._history is not None
            return self._history, None
