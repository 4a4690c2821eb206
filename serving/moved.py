"""What groups add up to, brought up to date by those whose rows may have changed since."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from data.tables import Tables
from features.groups_now import GroupsNow
from serving.own_rows import OWN, OwnRows
from serving.predictor import Predictor

OWNED = (*OWN, "order_items")
"""Tables whose rows are a customer's, or nobody's."""


@dataclass
class Moved:
    """Whose rows may have changed groups' sums since those were brought up to date, and the sums.

    ``nobodys``: by table the keys of posted rows, of which some may name no customer. Not
    thread-safe: whoever asks holds a lock.
    """

    groups: GroupsNow | None = None
    whose: set[str] = field(default_factory=set)
    nobodys: dict[str, set[str]] = field(default_factory=dict)
    _news_of_nobody: bool = False
    _of: Predictor | None = None

    def note(
        self,
        keys: Mapping[str, set[str]],
        owners: Mapping[str, Mapping[str, set[str]]],
        named: Collection[str | None],
        rows: OwnRows,
    ) -> None:
        """Remember whose rows groups must count anew: of all who were or are named in what was
        posted, and of those whose tickets name a posted order."""
        self.whose |= {who for of in owners.values() for found in of.values() for who in found}
        self.whose |= {who for who in named if who}
        self._news_of_nobody = self._news_of_nobody or bool(keys)
        for name, posted in keys.items():
            self.nobodys.setdefault(name, set()).update(posted)
        orders = keys.get("orders", set())
        if orders:
            askers, tickets = rows.naming(orders)
            self.whose |= askers
            self.nobodys.setdefault("tickets", set()).update(tickets)

    def brought_up(
        self, rows: OwnRows, predictor: Predictor, asked: frozenset[str], news: set[str]
    ) -> tuple[GroupsNow | None, Tables]:
        """The groups' sums, brought up to date, and the rows of those asked about (there may be
        more). None for the sums where a table was posted to whose rows stand beside everybody's,
        and where an order was posted whose items were there before it: nobody's until then.

        ``news``: everybody about whom something was posted, for sums that begin anew.
        """
        if self.groups is None or self._of is not predictor:  # another model asks other sums
            self._of = predictor
            self.groups = GroupsNow(predictor.view, predictor.reads(rows.base))
            self.whose = set(news)
            self.whose |= rows.naming(self.nobodys.get("orders", set()))[0]
            self._news_of_nobody = bool(self.nobodys)
        groups = self.groups
        if any(name in groups.beside and name not in OWNED for name in self.nobodys):
            return None, rows.base
        if rows.early_items(self.nobodys.get("orders", ())):
            return None, rows.base
        if not self.whose and not self._news_of_nobody:
            return groups, rows.of(asked)
        keys = {k: v for k, v in self.nobodys.items() if k in OWN}
        before, after = (rows.of(self.whose, keys, posted_too=posted) for posted in (False, True))
        groups.put(self.whose, predictor.reads(before), predictor.reads(after), self.nobodys)
        own = after if asked <= self.whose else rows.of(asked)
        self.whose, self._news_of_nobody = set(), False
        return groups, own
