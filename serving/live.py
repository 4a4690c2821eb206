"""Predictions between two nights: as published, and for customers with news as of now.

Everybody's published score stands until the next one. A customer about whom something was posted
since is scored again at the moment they are asked for, from the published snapshot and all posted
events, by the same ``Predictor``; a score of the whole company at that moment would give the same
bits. Whoever is in neither is unknown.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from data.clock import Clock
from data.errors import NotEnoughHistory
from data.overlay import WithEvents
from data.snapshot import Snapshot, open_snapshot, take
from data.store import Event, Store, event_frames, events_since
from data.workspace import Workspace
from features.asof import as_of_view
from features.history import History
from features.spine import customers_at
from models.champion import Champion, champion
from serving.of_customers import OfCustomers
from serving.outreach.actions import action_for
from serving.predictor import REPEAT, Predictor, now_spine
from serving.published import Kind, Published, newest, pointer

LIFETIME = timedelta(hours=36)
"""A published score is stale when the next night's is half a day late."""


@dataclass
class Night:
    """What was published: scores by customer, the model at work, the snapshot they were made from.

    ``superseded``: another model was promoted since. Then everybody asked about is scored again by
    that one, as of the same moment; ``again`` keeps these scores.
    """

    published: Published
    rows: dict[str, dict[str, Any]]
    predictor: Predictor
    snapshot: Snapshot
    at_work: Champion
    superseded: bool
    again: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass
class Live:
    """The service's memory. Thread-safe; every call looks for what was published or posted."""

    workspace: Workspace
    store: Store
    clock: Clock
    published: dict[Kind, Published] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _night: Night | None = None
    _unscored: Snapshot | None = None
    _seq: int = 0
    _news: dict[str, datetime] = field(default_factory=dict)
    _owners: dict[str, str] = field(default_factory=dict)
    _tables: WithEvents | None = None
    _history: History | None = None

    def night(self) -> Night:
        """The newest published scores and the model at work, read again when either has changed.

        Raises NotEnoughHistory where nothing was published yet.
        """
        with self._lock:
            told = pointer(self.workspace.state_dir, "scores")
            if told is None:
                raise NotEnoughHistory("nothing is published yet; run `presage score`")
            night = self._night
            if night is None or night.published.about["sha256"] != told["sha256"]:
                self._night = self._read_night()
                self._tables = self._history = None
            elif champion(self.workspace.state_dir, "risk") != night.at_work:
                self._night = self._with_model(night.published, night.rows, night.snapshot)
                self._history = None  # another model may read other columns
            assert self._night is not None
            return self._night

    def _read_night(self) -> Night:
        published = newest(self.workspace.state_dir, "scores")
        assert published is not None
        place = self.workspace.state_dir / "snapshots" / published.about["snapshot"]
        snapshot = open_snapshot(place) if place.exists() else take(self.workspace)
        rows = {row["customer_id"]: row for row in published.frame.to_dict("records")}
        return self._with_model(published, rows, snapshot)

    def _with_model(
        self, published: Published, rows: dict[str, dict[str, Any]], snapshot: Snapshot
    ) -> Night:
        at_work = champion(self.workspace.state_dir, "risk")
        if at_work is None:
            raise NotEnoughHistory("no risk model has been promoted yet; run `presage train` first")
        predictor = Predictor.of_bundle(at_work.folder, at_work.model_version)
        about = published.about
        # a past moment may be published, scored by the model of then: that one stands
        superseded = about.get("model_version") != at_work.model_version and (
            at_work.promoted_at > datetime.fromisoformat(about["published_at"])
        )
        return Night(published, rows, predictor, snapshot, at_work, superseded)

    def snapshot(self) -> Snapshot:
        """The snapshot that was scored; where nothing is published yet, the tables as they are."""
        with self._lock:
            if pointer(self.workspace.state_dir, "scores") is None:
                if self._unscored is None or not self._unscored.path.exists():
                    self._unscored, self._tables = take(self.workspace), None
                return self._unscored
            night = self.night()
            if not night.snapshot.path.exists():  # cleared away since: read what there is anew
                night = self._night = self._read_night()
                self._tables = self._history = None
            return night.snapshot

    def tables(self) -> WithEvents:
        """That snapshot with every event posted so far."""
        with self._lock:
            snapshot = self.snapshot()
            events = events_since(self.store, self._seq)
            if events or self._tables is None:
                self._take_in(events)
                os.utime(snapshot.path)  # the ones used last are kept
                self._tables = WithEvents(snapshot, event_frames(self.store))
                self._history = None
            return self._tables

    def _take_in(self, events: Sequence[Event]) -> None:
        """Remember whom each event is about; an item of an order is about the order's customer."""
        ordered = {e.key[0]: e.customer_id for e in events if e.table == "orders"}
        self._owners |= {order: owner for order, owner in ordered.items() if owner is not None}
        for event in events:
            self._seq = event.seq
            owner = event.customer_id
            if event.table == "order_items":
                owner = self._owner_of_order(event.key[0])
            if owner is not None:
                self._news[owner] = event.recorded_at

    def _owner_of_order(self, order_id: str) -> str | None:
        if order_id not in self._owners:
            orders = self.snapshot().frame("orders", ["order_id", "customer_id"])
            known = dict(zip(orders["order_id"], orders["customer_id"], strict=True))
            self._owners = {**known, **self._owners}
        return self._owners.get(order_id)

    def predict(
        self, customer_ids: Sequence[str], horizons: Sequence[int] | None = None
    ) -> list[dict[str, Any]]:
        """One item per id, in the order asked, as the contract's ``/v1/predictions`` has them.

        ``horizons`` in days, None for all that the model has; UsageError for one it has not.
        """
        with self._lock:
            night = self.night()
            days = night.predictor.check_horizons(horizons)
            tables = self.tables()
            as_of = night.published.as_of
            fresh = [
                i
                for i in dict.fromkeys(customer_ids)
                if i not in night.rows or self._news.get(i, as_of) > as_of
            ]
            scored = self._score_now(fresh, tables, night) if fresh else {}
            if night.superseded:
                scored |= self._score_again([i for i in customer_ids if i not in scored], night)
            rows = [scored[i] if i in scored else night.rows[i] for i in customer_ids]
            absent = {i for i, row in zip(customer_ids, rows, strict=True) if row is None}
            left = self._were_customers(absent, tables) if absent else frozenset()
        return [
            {"customer_id": i, "status": "closed" if i in left else "unknown"}
            if row is None
            else self._item(i, row, days)
            for i, row in zip(customer_ids, rows, strict=True)
        ]

    def warm(self) -> None:
        """Read everything that the first prediction needs; NotEnoughHistory without scores."""
        with self._lock:
            night = self.night()
            self._read_history(night, self.tables())

    def _read_history(self, night: Night, tables: WithEvents) -> History:
        if self._history is None:
            self._history = night.predictor.history(tables)
        return self._history

    def _score_now(
        self, customer_ids: list[str], tables: WithEvents, night: Night
    ) -> dict[str, dict[str, Any] | None]:
        """Scores as of now; None for those who are no customers (now)."""
        found: dict[str, dict[str, Any] | None] = dict.fromkeys(customer_ids)
        known = [i for i in customer_ids if i in self._news or i in night.rows]
        if not known:
            return found
        now = self.clock.now()
        here = customers_at(OfCustomers(tables, frozenset(known)), [now])["customer_id"].tolist()
        if here:
            found |= self._scored(here, now, tables, night)
        return found

    def _score_again(self, customer_ids: list[str], night: Night) -> dict[str, dict[str, Any]]:
        """Published customers as of the published moment, by the model promoted since."""
        missing = [i for i in dict.fromkeys(customer_ids) if i not in night.again]
        if missing:
            night.again |= self._scored(missing, night.published.as_of, self.tables(), night)
        return {i: night.again[i] for i in customer_ids}

    def _scored(
        self, customer_ids: list[str], moment: datetime, tables: WithEvents, night: Night
    ) -> dict[str, dict[str, Any]]:
        frame = night.predictor.score(
            now_spine(customer_ids, moment),
            self._read_history(night, tables),
            language=self.workspace.settings.risk.reasons_language,
            time_zone=self.workspace.settings.company.time_zone,
        )
        return {row["customer_id"]: row for row in frame.to_dict("records")}

    def _item(
        self, customer_id: str, row: dict[str, Any], horizons: Sequence[int]
    ) -> dict[str, Any]:
        as_of = pd.Timestamp(row["as_of"]).to_pydatetime()
        expires = as_of + LIFETIME
        topic = _text(row["topic"])
        return {
            "customer_id": customer_id,
            "status": "scored",
            "risk": {str(h): row[f"risk_{h}d"] for h in horizons},
            "topic": topic,
            "channel": _text(row["channel"]),
            "reasons": json.loads(row["reasons"]),
            "action": action_for(topic).name,
            "as_of": _utc(as_of),
            "expires_at": _utc(expires),
            "stale": self.clock.now() > expires,
            "model_version": row["model_version"],
            REPEAT: _number(row.get(REPEAT)),
        }

    def _were_customers(self, ids: set[str], tables: WithEvents) -> frozenset[str]:
        """Those of ``ids`` who are known, and closed."""
        if not tables.has("customers"):
            return frozenset()
        own = OfCustomers(tables, frozenset(ids))
        return frozenset(
            as_of_view(own, "customers", self.clock.now(), ["customer_id"])["customer_id"]
        )


def _number(value: Any) -> float | None:
    return None if value is None or pd.isna(value) else float(value)


def _text(value: object) -> str | None:
    return None if pd.isna(value) else str(value)


def _utc(moment: datetime) -> str:
    return moment.isoformat() + "Z"
