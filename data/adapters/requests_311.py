"""A city's service requests: Boston's 311 open data.

Source: the publisher's csv of a year (either edition of its column names) or its rows as Parquet.

| their column | becomes |
|---|---|
| case_enquiry_id | ticket_id |
| open_dt | opened_at: Boston's clock, in UTC |
| source | channel, as written |
| type (or ``topic=reason``, ``department``, ``subject``) | topic |
| closed_dt | resolved_at, known once it has passed: requests of 2011 were closed up to 2019 |

``type`` has some 140 values in half a year, ``reason`` 35, ``department`` 11: for a volume
forecast per channel and topic a coarser one may serve better.

Nearly a third of the requests have the source ``Employee Generated``: staff who file what they
find. They stay a channel of their own, as ``Maximo Integration`` does; none is marked as a
machine, because a crew answers them all.

The file is a state, not a log: type, reason, department and source stand as at the export, and a
request that was moved from one department to another shows only the last. That much of the later
time is in the early rows; nothing in the file tells when it changed.

What is lost: target_dt (the contract has no deadline for a ticket), ontime, case_status and
closure_reason (outcomes), case_title, queue, places and districts. Nobody is named: there are no
customers, so volume can be forecast, risk cannot.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from data.adapters.interface import Imported
from data.adapters.local_time import complete_to, from_utc, last_midnight, moment_to_utc
from data.adapters.reading import Field, choose, instants, option, required_text, sheets, text

ZONE = "America/New_York"
TOPICS = ("type", "reason", "department", "subject")
AGAIN = "stands again in a later row, which counts"
FORMATS = ("ISO8601", "%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y %H:%M")


def read(source: Path, options: Mapping[str, str]) -> Imported:
    """Tickets of the requests at ``source``."""
    path = choose(source, options.get("which"))
    topic = option(options, "topic", TOPICS)
    fields = [Field(name) for name in ("case_enquiry_id", "open_dt", "closed_dt", "source", topic)]
    sheet = sheets(path, fields)[0]
    ids = required_text(sheet, "case_enquiry_id")
    again = ids.duplicated(keep="last") & ids.notna()
    sheet.faults.add("case_enquiry_id", ids, again, AGAIN, "nothing to do where it is an update")
    opened = instants(sheet, "open_dt", FORMATS, ZONE, required=True)
    closed = instants(sheet, "closed_dt", FORMATS, ZONE)
    tickets = pd.DataFrame(
        {
            "ticket_id": ids,
            "opened_at": opened.utc,
            "channel": required_text(sheet, "source"),
            "topic": text(sheet, topic),
            "resolved_at": closed.utc,
        }
    )
    tickets = sheet.faults.good_rows(tickets)
    staff = int((tickets["channel"] == "Employee Generated").sum())
    notes = (*sheet.remarks("tickets"), *opened.notes("open_dt"), *closed.notes("closed_dt"))
    if staff:
        notes += (
            f"{staff:,} of {len(tickets):,} requests are Employee Generated: staff, not citizens; "
            "kept as a channel",
        )
    backwards = int((tickets["resolved_at"] < tickets["opened_at"]).sum())
    if backwards:
        notes += (f"{backwards:,} requests are closed before they were opened; kept so",)
    notes += ("no customers in this file: volume can be forecast, risk cannot",)
    settings: dict[str, object] = {
        "company.country": "US",
        "company.time_zone": ZONE,
        "data.complete_to": complete_to(
            options, moment_to_utc(last_midnight(from_utc(tickets["opened_at"], ZONE)), ZONE)
        ),
    }
    aside = sheet.faults.rows("tickets")
    return Imported({"tickets": tickets}, settings, notes, set_aside={"tickets": aside})
