"""Merges as of any time: before one it is a stranger's row, after it the customer's."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pandas as pd
import pytest

from data.snapshot import Snapshot, take
from data.workspace import init
from features.asof import as_of_view
from features.spine import customers_at

NOW = datetime(2026, 6, 1)
BEFORE, AFTER, LATE = datetime(2026, 1, 20), datetime(2026, 2, 10), datetime(2026, 4, 1)
TABLES = {
    "customers": "customer_id,signed_up_at\nann,2025-01-01\nbob,2025-01-01\nann2,2025-01-01\n",
    "identities": "id,customer_id,valid_from,source\ncookie,ann2,2026-02-01,login\n"
    "ann2,ann,2026-03-01,merge\n",
    "tickets": "ticket_id,opened_at,customer_id,channel,recorded_at,topic\n"
    "1,2026-01-05,cookie,chat,,a\n1,2026-01-05,cookie,chat,2026-02-05,b\n"
    "2,2026-01-06,bob,chat,,a\n"
    "3,2026-03-20,cookie,chat,,a\n",
    "article_events": "viewed_at,article_id,customer_id\n2026-01-05,x,cookie\n"
    "2026-02-05,y,cookie\n",
}


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    workspace = init(Path(tmp_path_factory.mktemp("w")) / "w")
    for name, text in TABLES.items():
        (workspace.tables_dir / f"{name}.csv").write_text(text)
    return take(workspace, now=NOW)


@pytest.mark.parametrize(
    ("moment", "owners"),
    [
        (BEFORE, {"1": "cookie", "2": "bob"}),
        (AFTER, {"1": "ann2", "2": "bob"}),
        (LATE, {"1": "ann", "2": "bob", "3": "ann"}),
    ],
)
def test_a_ticket_is_its_customers_from_the_merge_on(
    snapshot: Snapshot, moment: datetime, owners: dict[str, str]
) -> None:
    seen = as_of_view(snapshot, "tickets", moment, ["ticket_id", "customer_id", "topic"])
    assert dict(zip(seen["ticket_id"], seen["customer_id"], strict=True)) == owners
    if moment > BEFORE:  # the version that was learned later is still the newest
        assert seen.set_index("ticket_id").loc["1", "topic"] == "b"


def test_a_merged_customer_is_gone_from_then_on(snapshot: Snapshot) -> None:
    there = customers_at(snapshot, [AFTER, LATE])
    named = {str(t.date()): set(rows["customer_id"]) for t, rows in there.groupby("as_of")}
    assert named == {"2026-02-10": {"ann", "bob", "ann2"}, "2026-04-01": {"ann", "bob"}}


def test_rows_without_a_key_take_what_was_known_when_they_came(snapshot: Snapshot) -> None:
    views: pd.DataFrame = snapshot.frame("article_events", ["article_id", "customer_id"])
    assert dict(views.itertuples(index=False)) == {"x": "cookie", "y": "ann2"}
