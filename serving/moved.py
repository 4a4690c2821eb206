"""What groups add up to, brought up to date by those whose rows may have changed since."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from data.merges import IDENTITIES
from data.store import Event
from features.groups_now import GroupsNow
from features.history import History
from features.sources import read_rows
from serving.held_rows import OWN
from serving.kept_sums import sums_of
from serving.own_rows import OwnRows
from serving.predictor import Predictor

ITEMS = "order_items"


def concerned(events: Sequence[Event], rows: OwnRows) -> dict[str, datetime]:
    """The customers whom events are about, who have or had those rows, and when it was posted."""
    keys = _keys(events)
    owners = {name: rows.owners(name, of) for name, of in keys.items()}
    ordered = {e.key[0]: e.customer_id for e in events if e.table == "orders"}
    news: dict[str, datetime] = {}
    for event in events:
        whose = {event.customer_id, *(owners[event.table][event.key[0]] if event.key else ())}
        if event.table == IDENTITIES:  # theirs who had it until now
            whose.add(event.key[0])
        if event.table == ITEMS:  # or the order came together with its items
            whose.add(ordered.get(event.key[0]))
        news |= {customer: event.recorded_at for customer in whose if customer}
    return news


def _keys(events: Sequence[Event]) -> dict[str, set[str]]:
    """The first part of the events' keys, by table."""
    keys: dict[str, set[str]] = {}
    for event in events:
        if event.key:
            keys.setdefault(event.table, set()).add(event.key[0])
    return keys


@dataclass
class Moved:
    """Whose rows may have changed groups' sums since those were brought up to date, and the sums.

    ``tables``: what was posted to since the night. ``nobodys``: by table the keys of posted rows
    that name no customer in a version of theirs. Not thread-safe: whoever asks holds a lock.
    """

    groups: GroupsNow | None = None
    whose: set[str] = field(default_factory=set)
    tables: set[str] = field(default_factory=set)
    nobodys: dict[str, set[str]] = field(default_factory=dict)
    _orders: set[str] = field(default_factory=set)
    _early_items: bool = False
    _posted: set[str] = field(default_factory=set)
    _of: Predictor | None = None

    def note(self, events: Sequence[Event], rows: OwnRows) -> None:
        """Remember what was posted to, and whose rows groups must count anew: of all who were or
        are named in what was posted, and of those whose tickets name a posted order. ``rows`` have
        the events."""
        self.whose |= rows.linked(concerned(events, rows))
        posted = {event.table for event in events}
        self.tables |= posted
        self._posted |= posted
        keys = _keys(events)
        for name, of in keys.items():
            self._note_nobodys(name, of, rows)
        if orders := keys.get("orders"):
            askers, tickets = rows.naming(orders)
            self.whose |= askers
            self._note_nobodys("tickets", tickets, rows)
            self._orders |= orders
            self._early_items = self._early_items or rows.early_items(orders)

    def _note_nobodys(self, name: str, posted: Collection[str], rows: OwnRows) -> None:
        if name in ("orders", ITEMS):  # an item is its order's customer's
            for both in ("orders", ITEMS):
                self._keep(both, rows.ownerless("orders", posted))
        elif name in OWN:
            self._keep(name, rows.ownerless(name, posted))
        else:
            self._keep(name, posted)

    def _keep(self, name: str, keys: Collection[str]) -> None:
        if keys:
            self.nobodys.setdefault(name, set()).update(keys)

    def brought_up(
        self, rows: OwnRows, predictor: Predictor, customer_ids: frozenset[str], news: set[str]
    ) -> tuple[GroupsNow, History] | None:
        """The groups' sums, brought up to date, and the rows of those asked about (there may be
        more). None where a table was posted to whose rows stand beside everybody's, and where an
        order was posted whose items were there before it: nobody's until then.

        ``news``: everybody about whom something was posted, for sums that begin anew.
        """
        if self.groups is None or self._of is not predictor:  # another model asks other sums
            self._of = predictor
            night = sums_of(predictor, rows.base)
            self.groups = GroupsNow(predictor.view, night)
            self.whose = set(news) | rows.naming(self._orders)[0]
            self._posted = set(self.tables)
            self._early_items = rows.early_items(self._orders)
        groups = self.groups
        beside = groups.beside - {*OWN, ITEMS}
        if self._early_items or not beside.isdisjoint(self.tables):
            return None
        # a merge moves rows of any table
        needed = groups.needed(None if IDENTITIES in self._posted else self._posted)
        if not needed:
            self.whose, self._posted = set(), set()
            return groups, predictor.history(rows.of(customer_ids))
        keys = {k: v for k, v in self.nobodys.items() if k in OWN}
        history = predictor.history(rows.of(customer_ids | self.whose, keys), needed)
        before = predictor.reads(rows.of(self.whose, keys, posted_too=False))
        groups.put(self.whose, read_rows(before, needed), history.by_source, self.nobodys)
        self.whose, self._posted = set(), set()
        return groups, history
