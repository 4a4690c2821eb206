"""Random histories posted in any order, between predictions: what the service says in the end,
beside a night that reads everything anew.

    .venv/bin/python -m benchmarks.api_histories DIR --histories 10000

``DIR``: a workspace with published scores; it is copied. A history is what happens to one customer
in three weeks: orders and their items, usage, tickets, feedback, sessions with a bot and merges of
ids, each said in one or several versions (later facts, corrections, deletions, another owner, the
same row again), and later words about rows that the night has. The rows of all customers of a
round are shuffled and posted through the handler of POST /v1/events, a few a request; after some
requests customers are predicted, so that rows meet what is in memory already. In the end everybody
is predicted, and scored as ``presage score`` does on a snapshot taken anew. A difference is a
customer of whom any number, word or reason is not the same to the last bit.
"""

from __future__ import annotations

import argparse
import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.running import show
from data.clock import Clock
from data.snapshot import take
from data.workspace import Workspace
from features.opt_out import profiled
from features.spine import customers_at
from serving.api.assembly import assemble
from serving.api.handlers.events import kept_together, post_events
from serving.api.problem import Problem
from serving.api.route import Call
from serving.desk import Desk
from serving.live import FRESH
from serving.predictor import Predictor
from serving.published import pointer

Row = dict[str, Any]
WEEKS = timedelta(days=21)
"""So long before the service's clock a history may begin."""


PLACES = ("plan", "region", "segment", "preferred_channel")
KINDS = (
    "tickets", "tickets", "orders", "usage", "customers", "feedback", "bot_sessions", "items",
    "night", "identities",
)  # fmt: skip
"""What may happen to a customer, as often as it stands here."""
KEYS = {"tickets": "ticket_id", "orders": "order_id", "usage": "event_id",
        "feedback": "feedback_id", "bot_sessions": "session_id"}  # fmt: skip


class SetClock(Clock):
    """A clock that stands until it is set."""

    def __init__(self, start: datetime) -> None:
        self.at = start

    def now(self) -> datetime:
        return self.at


class Histories:
    """Rows as a CRM would post them, of words that the company's own tables have."""

    def __init__(
        self, tables: Path, draw: random.Random, now: datetime, kinds: tuple[str, ...] = KINDS
    ) -> None:
        self.draw, self.now, self.number, self.kinds = draw, now, 0, kinds
        read = {name: pd.read_parquet(tables / f"{name}.parquet") for name in KEYS}
        self.there = {
            name: frame[[KEYS[name], "customer_id"]].dropna().groupby("customer_id")[KEYS[name]]
            .agg(list).to_dict()
            for name, frame in read.items()
        }  # fmt: skip
        self.words = {
            name: sorted(set(read[table][name].dropna()))
            for table, names in (
                ("tickets", ("channel", "topic", "priority")),
                ("orders", ("product_id", "product_category", "carrier")),
            )
            for name in names
        }
        customers = pd.read_parquet(tables / "customers.parquet")
        self.words |= {name: sorted(set(customers[name].dropna())) for name in PLACES}
        self.words["feature"] = sorted(set(read["usage"]["feature"].dropna()))

    def of(self, customer: str, others: list[str]) -> Iterator[tuple[str, Row]]:
        """One customer's rows, each with its table."""
        for _ in range(self.draw.randint(1, 4)):
            kind = self.draw.choice(self.kinds)
            made = getattr(self, f"_{kind}")(customer, others)
            yield from (row if isinstance(row, tuple) else (kind, row) for row in made)

    def _born(self) -> datetime:
        return self.now - self.draw.random() * WEEKS

    def _later(self, moment: datetime, hours: float) -> str:
        later = moment + timedelta(hours=self.draw.expovariate(1 / hours))
        return min(later, self.now - timedelta(seconds=1)).isoformat()

    def _name(self, kind: str) -> str:
        self.number += 1
        return f"h-{kind}-{self.number}"

    def _word(self, name: str) -> Any:
        return self.draw.choice([None, *self.words[name]])

    def _versions(self, first: Row, changes: list[Row], others: list[str]) -> list[Row]:
        """The row, what is said of it later, and now and then another owner, the same again, or
        its end."""
        key = {
            name: first[name]
            for name in first
            if name.endswith("_id") and str(first[name]).startswith("h-")
        }
        rows = [first, *({**first, **change} for change in changes)]
        rows += [{**key, **change} for change in changes if self.draw.random() < 0.2]
        if self.draw.random() < 0.15:
            rows.append({**self.draw.choice(rows[:1]), "customer_id": self.draw.choice(others)})
        if self.draw.random() < 0.2:
            rows.append(dict(first))
        if self.draw.random() < 0.1:
            rows.append({**first, "deleted": True})
        return rows

    def _tickets(self, customer: str, others: list[str]) -> list[Row]:
        born = self._born()
        first = {
            "ticket_id": self._name("t"), "opened_at": born.isoformat(), "customer_id": customer,
            "channel": self.draw.choice(self.words["channel"]), "topic": self._word("topic"),
            "is_complaint": self.draw.choice((True, False, None)),
            "priority": self._word("priority"),
        }  # fmt: skip
        changes: list[Row] = []
        if self.draw.random() < 0.7:
            changes.append({"first_response_at": self._later(born, 3)})
        if self.draw.random() < 0.5:
            resolved = self._later(born, 30)
            seconds = self.draw.randint(30, 3000)
            changes.append({"resolved_at": resolved, "handle_seconds": seconds})
            if self.draw.random() < 0.4:
                rated = {"csat": self.draw.randint(1, 5), "csat_at": self._later(born, 60)}
                changes.append(rated)
        return self._versions(first, changes, others)

    def _orders(self, customer: str, others: list[str]) -> list[Row]:
        born = self._born()
        first = {
            "order_id": self._name("o"), "ordered_at": born.isoformat(), "customer_id": customer,
            "product_id": self._word("product_id"), "carrier": self._word("carrier"),
            "product_category": self._word("product_category"),
            "quantity": self.draw.randint(1, 5), "amount": round(self.draw.uniform(1, 400), 2),
            "promised_at": (born + timedelta(days=self.draw.randint(1, 9))).isoformat(),
        }  # fmt: skip
        changes: list[Row] = []
        if self.draw.random() < 0.7:
            changes.append({"shipped_at": self._later(born, 24)})
        if self.draw.random() < 0.5:
            changes.append({"delivered_at": self._later(born, 96)})
        if self.draw.random() < 0.2:
            back = round(self.draw.uniform(0, first["amount"]), 2)
            changes.append({"refunded_at": self._later(born, 150), "refund_amount": back})
        return self._versions(first, changes, others)

    def _items(self, customer: str, others: list[str]) -> list[tuple[str, Row]]:
        """An order and what is in it, which may come before it; or more of an order of the
        night's."""
        there = self.there["orders"].get(customer)
        rows: list[tuple[str, Row]] = []
        if there and self.draw.random() < 0.4:
            order = self.draw.choice(there)
        else:
            orders = self._orders(customer, others)
            order = orders[0]["order_id"]
            rows += [("orders", row) for row in orders]
        for line in range(1, self.draw.randint(2, 4)):
            first = {
                "order_id": order, "line": self.draw.choice((line, f"h{line}")),
                "product_id": self._word("product_id"), "quantity": self.draw.randint(1, 5),
                "product_category": self._word("product_category"),
                "amount": round(self.draw.uniform(1, 400), 2),
            }  # fmt: skip
            more = [{"quantity": self.draw.randint(0, 5)}] if self.draw.random() < 0.4 else []
            versions = [first, *({**first, **change} for change in more)]
            if self.draw.random() < 0.2:
                versions.append({**first, "deleted": True})
            rows += [("order_items", row) for row in versions]
        return rows

    def _feedback(self, customer: str, others: list[str]) -> list[Row]:
        first = {
            "feedback_id": self._name("f"), "given_at": self._born().isoformat(),
            "customer_id": self.draw.choice((customer, customer, customer, None)),
            "kind": self.draw.choice(("survey", "review", "mention")),
            "rating": self.draw.choice((None, 1, 2, 3, 4, 5)),
            "product_id": self._word("product_id"), "public": self.draw.choice((True, False, None)),
        }  # fmt: skip
        changes: list[Row] = [{"rating": self.draw.randint(1, 5)}, {"customer_id": customer}]
        return self._versions(first, self.draw.sample(changes, self.draw.randint(0, 2)), others)

    def _bot_sessions(self, customer: str, others: list[str]) -> list[Row]:
        born = self._born()
        first = {
            "session_id": self._name("b"), "started_at": born.isoformat(),
            "customer_id": self.draw.choice((customer, customer, customer, None)),
            "topic": self._word("topic"),
        }  # fmt: skip
        changes: list[Row] = []
        if self.draw.random() < 0.6:
            ended = {"ended_at": self._later(born, 1), "contained": self.draw.random() < 0.5}
            changes.append(ended)
        if self.draw.random() < 0.3:
            changes.append({"handed_over_at": self._later(born, 1), "ticket_id": "h-t-1"})
        if self.draw.random() < 0.3:
            changes.append({"customer_id": customer})
        return self._versions(first, changes, others)

    def _night(self, customer: str, others: list[str]) -> list[tuple[str, Row]]:
        """A later word about a row of theirs that the night has: a fact, another owner, its end."""
        tables = [name for name in KEYS if customer in self.there[name]]
        rows: list[tuple[str, Row]] = []
        for name in self.draw.sample(tables, min(len(tables), 2)):
            key = {KEYS[name]: self.draw.choice(self.there[name][customer])}
            facts: dict[str, list[Row]] = {
                "tickets": [{"priority": self._word("priority")}, {"is_complaint": True}],
                "orders": [{"amount": 12.5}, {"carrier": self._word("carrier")}],
                "usage": [{"errors": 2}, {"quantity": 7}],
                "feedback": [{"rating": 1}, {"public": True}],
                "bot_sessions": [{"topic": self._word("topic")}, {"contained": False}],
            }
            changes = [
                self.draw.choice(facts[name]),
                {"customer_id": self.draw.choice(others)},
                {"deleted": True},
            ]
            rows += [(name, {**key, **row}) for row in self.draw.sample(changes, 2)]
        return rows

    def _identities(self, customer: str, others: list[str]) -> list[Row]:
        """An id that turns out to be theirs: one that was never seen, or another customer's; now
        and then taken back, or somebody else's after all."""
        key = {
            "id": self.draw.choice((self._name("i"), self.draw.choice(others))),
            "valid_from": self._born().isoformat(),
        }
        rows: list[Row] = [{**key, "customer_id": customer}]
        if self.draw.random() < 0.3:
            rows.append({**key, "customer_id": self.draw.choice(others)})
        if self.draw.random() < 0.3:
            rows.append({**key, "deleted": True})
        return rows

    def _customers(self, customer: str, others: list[str]) -> list[Row]:
        names = self.draw.sample(PLACES, self.draw.randint(1, len(PLACES)))
        return [{"customer_id": customer, name: self._word(name)} for name in names]

    def _usage(self, customer: str, others: list[str]) -> list[Row]:
        rows: list[Row] = []
        for _ in range(self.draw.randint(1, 5)):
            first = {
                "event_id": self._name("u"), "used_at": self._born().isoformat(),
                "customer_id": customer, "feature": self.draw.choice(self.words["feature"]),
                "quantity": self.draw.randint(1, 9), "errors": self.draw.choice((0, 0, 0, 1, 3)),
                "duration_seconds": round(self.draw.uniform(0, 900), 3),
            }  # fmt: skip
            rows += self._versions(first, [], others)
        return rows


def post(desk: Desk, rows: list[tuple[str, Row]], counts: Counter[str]) -> None:
    """One request; rows that are refused by name are left out and the others posted again."""
    while rows:
        body: dict[str, list[Row]] = {}
        for name, row in rows:
            body.setdefault(name, []).append(row)
        call = Call({}, body, "histories")
        try:
            kept_together(desk, lambda call=call: post_events(desk, call))  # type: ignore[misc]
        except Problem as problem:
            refused = [body[one["table"]][one["row"] - 1] for one in problem.errors or []]
            counts["refused"] += len(refused)
            rows = [(name, row) for name, row in rows if not any(row is one for one in refused)]
            continue
        counts["rows"] += len(rows)
        return


def round_of(
    source: Path,
    most: int,
    draw: random.Random,
    counts: Counter[str],
    kinds: tuple[str, ...] = KINDS,
) -> list[str]:
    """Up to ``most`` customers' histories on a copy of a workspace; those whose last prediction
    differs from the batch's."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "company"
        shutil.copytree(source, place)
        workspace = Workspace.open(place)
        about = pointer(workspace.state_dir, "scores")
        assert about is not None
        clock = SetClock(datetime.fromisoformat(about["as_of"]) + timedelta(hours=1))
        _, desk = assemble(workspace, clock)
        try:
            everybody = list(desk.live.night().rows)
            whose = draw.sample(everybody, min(most, len(everybody)))
            make = Histories(place / "tables", draw, clock.at, kinds)
            rows = [row for customer in whose for row in make.of(customer, everybody)]
            draw.shuffle(rows)
            while rows:
                size = draw.choice((1, 1, 3, 10, 40, 100))
                post(desk, rows[:size], counts)
                rows = rows[size:]
                clock.at += timedelta(seconds=draw.uniform(0.001, 20))
                if draw.random() < 0.3:
                    desk.live.predict(draw.sample(whose, min(len(whose), draw.randint(1, 8))))
            clock.at += FRESH + timedelta(minutes=1)
            counts["histories"] += len(whose)
            return _differences(desk, clock.at)
        finally:
            desk.close()


def _differences(desk: Desk, now: datetime) -> list[str]:
    night = desk.live.night()
    with_news = [i for i in night.rows if desk.live.has_news(i, night.published.as_of)]
    desk.live.predict(with_news)
    snapshot = take(desk.workspace, now=now)
    spine = profiled(customers_at(snapshot, [now]), snapshot)
    spine = spine[spine["customer_id"].isin(with_news)]
    batch = Predictor.of_champion(desk.workspace.state_dir).score(
        spine,
        snapshot,
        language=desk.workspace.settings.risk.reasons_language,
        time_zone=desk.workspace.settings.company.time_zone,
    )
    batch["expected_tickets_30d"] *= float(night.published.about.get("scale", 1.0))
    anew = {row["customer_id"]: row for row in batch.to_dict("records")}
    return [
        i
        for i in with_news
        if repr(sorted(anew.get(i, {}).items())) != repr(sorted(night.fresh.get(i, {}).items()))
    ]


def main() -> None:
    """Rounds until there were so many histories; a line of what was found."""
    text, rest = (__doc__ or "").split("\n\n", 1)
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=text, epilog=rest, formatter_class=shape)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--histories", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kinds", nargs="*", default=KINDS)
    arguments = parser.parse_args()
    draw, counts, began = random.Random(arguments.seed), Counter[str](), time.perf_counter()
    differ: list[str] = []
    while counts["histories"] < arguments.histories:
        most = arguments.histories - counts["histories"]
        differ += round_of(arguments.workspace, most, draw, counts, tuple(arguments.kinds))
        print(f"{counts['histories']} histories, {len(differ)} differ", flush=True)
    told = f"{counts['rows']} rows kept, {counts['refused']} refused by name; "
    told += f"{len(differ)} differ{': ' * bool(differ)}{', '.join(differ[:5])}"
    seconds = f"{time.perf_counter() - began:.0f} s"
    show(
        ["what", "measured", "bar", "took"],
        [[f"{counts['histories']} random histories, streamed", told, "0 differ", seconds]],
    )


if __name__ == "__main__":
    main()
