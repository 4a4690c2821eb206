"""Merges posted since the night, taken back and corrected: as the next night has them."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from data.merges import CHANGED, IDENTITIES, Merged
from data.overlay import WithEvents
from data.tables import ROW, MemoryTables, Tables

START = datetime(2026, 1, 1)
KEYS = {"tickets": "ticket_id", "customers": "customer_id"}
BIRTHS = {"tickets": "opened_at", "customers": "signed_up_at", IDENTITIES: "valid_from"}
NOTHING = MemoryTables({})
Rows = dict[str, list[dict[str, Any]]]


def history(draw: random.Random) -> list[tuple[str, dict[str, Any]]]:
    """What was said of tickets and ids, in order."""
    people = ["a", "b", "c", "d"]
    words: list[tuple[str, dict[str, Any]]] = [
        ("customers", {"customer_id": who}) for who in people
    ]
    for _ in range(12):
        if draw.random() < 0.5:
            row = {"ticket_id": draw.choice("123"), "channel": "email"}
            words.append(("tickets", {**row, "customer_id": draw.choice(people)}))
        else:
            one = {"id": draw.choice(["b", "c", "d", "visitor"]), "customer_id": draw.choice("abc")}
            words.append((IDENTITIES, {**one, "at": draw.choice((1, 2))}))
        words[-1][1]["deleted"] = draw.random() < 0.25
    return [
        (name, {**row, "recorded_at": START + timedelta(days=day), BIRTHS[name]: _birth(row)})
        for day, (name, row) in enumerate(words)
    ]


def _birth(row: dict[str, Any]) -> datetime:
    return START - timedelta(days=row.pop("at", 1))


def frames(words: list[tuple[str, dict[str, Any]]]) -> dict[str, pd.DataFrame]:
    return {name: pd.DataFrame([r for n, r in words if n == name]) for name, _ in words}


def versions(tables: Tables, name: str) -> list[tuple[Any, ...]]:
    """What each row says after each moment; a moment's newest version alone."""
    wanted = list(dict.fromkeys((KEYS[name], *CHANGED, ROW)))
    rows = tables.frame(name, wanted).sort_values(["recorded_at", ROW], kind="stable")
    rows = rows.drop_duplicates([KEYS[name], "recorded_at"], keep="last")
    plain = rows[wanted[:-1]].astype(str)
    return sorted(plain.itertuples(index=False, name=None))


@pytest.mark.parametrize("seed", range(8))
def test_merges_posted_since_are_as_the_next_night_has_them(seed: int) -> None:
    draw = random.Random(seed)
    words = history(draw)
    at = draw.randint(5, len(words))
    night = MemoryTables(frames(words[:at]))
    if night.has(IDENTITIES):
        read = Merged(night, NOTHING)
        night = MemoryTables({name: read.frame(name) for name in night.names})
    live = WithEvents(night, frames(words[at:]))
    if not live.has(IDENTITIES):
        return
    anew = Merged(MemoryTables(frames(words)), NOTHING)
    for name in KEYS:
        if anew.has(name):
            assert versions(Merged(live, night), name) == versions(anew, name), (seed, name)


def tickets_of(*identities: tuple[str, str, int, bool]) -> list[str]:
    """Whose the ticket of b was, version by version, after these words on b and others."""
    ids = [
        {"id": one, "customer_id": whose, "valid_from": START, "deleted": gone,
         "recorded_at": START + timedelta(days=day)}
        for one, whose, day, gone in identities
    ]  # fmt: skip
    ticket = {"ticket_id": "1", "customer_id": "b", "opened_at": START, "channel": "email"}
    tables = MemoryTables({"tickets": pd.DataFrame([ticket]), IDENTITIES: pd.DataFrame(ids)})
    return list(Merged(tables, NOTHING).frame("tickets")["customer_id"])


def test_a_merge_that_is_taken_back_gives_the_rows_back() -> None:
    assert tickets_of(("b", "a", 1, False), ("b", "a", 3, True)) == ["b", "a", "b"]


def test_a_corrected_merge_moves_the_rows() -> None:
    assert tickets_of(("b", "a", 1, False), ("b", "c", 3, False)) == ["b", "a", "c"]


def test_two_ids_that_are_each_others_stay_their_own() -> None:
    assert tickets_of(("b", "a", 1, False), ("a", "b", 3, False)) == ["b", "a", "b"]


def test_a_chain_follows_and_ends_where_a_link_does() -> None:
    links = (("b", "a", 1, False), ("a", "c", 2, False), ("a", "c", 4, True))
    assert tickets_of(*links) == ["b", "a", "c", "a"]


@pytest.mark.parametrize("name", ["moved", "gone"])
def test_a_merge_does_not_bring_back_what_a_row_said_before(name: str) -> None:
    first = {"ticket_id": "1", "customer_id": "b", "opened_at": START, "channel": "email"}
    later = {**first, "recorded_at": START + timedelta(days=1)}
    later |= {"customer_id": "x"} if name == "moved" else {"customer_id": None, "deleted": True}
    merge = {"id": "b", "customer_id": "a", "valid_from": START + timedelta(days=2)}
    rows = pd.DataFrame([{**first, "recorded_at": START, "deleted": False}, later])
    tables = MemoryTables({"tickets": rows, IDENTITIES: pd.DataFrame([merge])})
    assert "a" not in set(Merged(tables, NOTHING).frame("tickets")["customer_id"].dropna())
