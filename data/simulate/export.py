"""From the log to the contract's tables: ids, names, texts, UTC times, and the cut at the end.

An export is taken at a moment: rows born or recorded after it are not in it, facts that come later
are null. Ids are made of numbers that say when and who, so equal events have equal ids in worlds
that differ elsewhere. The tables that follow from others (order lines, reviews) and the versions
(late rows, corrected ones, deleted ones) are made here; none of them feeds back into the world.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.errors import UsageError
from data.simulate import export_company, export_contacts, export_orders
from data.simulate import rates as names
from data.simulate.columns import customers_of, ids, table, times, words
from data.simulate.running import RunningCompany
from data.simulate.timeline import NEVER

if TYPE_CHECKING:
    import pandas as pd


def usage(company: RunningCompany, rows: dict[str, Any], end: int) -> pa.Table:
    """Usage rows; 2 % of those without error or payment are synchronised days late."""
    draws, key, spoken = company.archive, rows["key"], company.world.words
    plain = (rows["errors"] == 0) & (rows["feature"] < names.FEATURES.index("payment"))
    late = plain & (draws.uniform("usage late", 0, key) < 0.02)
    wait = (86_400e6 * (0.5 + 3.5 * draws.uniform("usage wait", 0, key))).astype(np.int64)
    recorded = rows["at"] + np.where(late, wait, 0)
    seconds = np.asarray(rows["seconds"], dtype=np.float64)
    return table(
        {
            "event_id": ids("u", key),
            "used_at": times(rows["at"], end),
            "customer_id": customers_of(rows["customer"]),
            "feature": words(spoken.features, rows["feature"]),
            "quantity": rows["quantity"].astype(np.float64),
            "errors": rows["errors"].astype(np.float64),
            "duration_seconds": pa.array(seconds, mask=seconds == 0),
            "platform": words(spoken.platforms, rows["platform"]),
            "version": pc.binary_join_element_wise(
                "3",
                (pa.array(rows["version"] // 10)).cast(pa.string()),
                (pa.array(rows["version"] % 10)).cast(pa.string()),
                ".",
            ),
            "recorded_at": times(recorded, NEVER),
        },
        (rows["at"] < end) & (recorded < end),
    )


def tables(company: RunningCompany) -> dict[str, pd.DataFrame]:
    """All tables of the company as frames, as they stand at ``company.now``."""
    return {name: rows.to_pandas() for name, rows in arrow_tables(company).items()}


def arrow_tables(company: RunningCompany, skip: tuple[str, ...] = ()) -> dict[str, pa.Table]:
    """All tables that the company records but those to skip, as Arrow tables."""
    record = company.record
    if record is None:
        raise UsageError("this clone keeps no tables; make it with clone(record=True).")
    end = int(company.world.timeline.midnight[company.day])
    makers = {
        "customers": export_company.customers,
        "orders": export_orders.orders,
        "order_items": export_orders.order_items,
        "usage": lambda company, end: usage(company, record.usage.columns(), end),
        "tickets": export_contacts.tickets,
        "bot_sessions": export_contacts.bot_sessions,
        "feedback": export_orders.feedback,
        "articles": export_company.articles,
        "article_events": export_contacts.article_events,
        "calendar": export_company.calendar,
        "agents": export_company.agents,
        "treatments": export_contacts.treatments,
    }
    recording = company.recording
    wanted = {n: m for n, m in makers.items() if n not in skip and not recording.lacks(n)}
    return {name: recording.cut(name, make(company, end)) for name, make in wanted.items()}
