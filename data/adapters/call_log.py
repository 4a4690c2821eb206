"""Call by call: the log of the Technion's Anonymous Bank, a month a file.

Source: the publisher's tab-separated month (``january.txt``) or its rows as csv or Parquet.

| their column | becomes |
|---|---|
| vru+line, call_id, date, vru_entry | ticket_id, all four joined: call_id alone repeats |
| date + vru_entry | opened_at: Israel's clock, in UTC |
| customer_id | customer_id; ``0`` is unknown, so null: an anonymous ticket |
| type | topic (PS, NW, NE, TT, IN, PE) |
| priority | priority |
| ser_start | first_response_at of a call that an agent answered |
| ser_exit | resolved_at of such a call |
| ser_time | handle_seconds of such a call |
| server | agent_id; ``NO_SERVER`` is null |
| outcome AGENT | answered |
| outcome HANG | abandoned, so neither answered nor resolved |
| outcome PHANTOM | is_machine: the publisher says to ignore these |

Who answers, and that a call was a phantom, is not known when the phone rings: each call is a
version as it came, and a second one with ``agent_id`` from the start of the service, or with
``is_machine`` from the end of the phantom. Every channel is ``phone``. A clock time far before the
call's own is past midnight, so the next day.

What is lost: the waiting time of abandoned calls and their end (the contract has neither; a
call with outcome HANG is a ticket without first_response_at), and the minutes in the voice unit,
which is no bot session here: the log holds only calls that went on to an agent, so containment
would be a constant. Nothing says what a complaint is, so there is no risk to learn.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from data.adapters.interface import Imported
from data.adapters.local_time import complete_to, last_midnight, moment_to_utc, to_utc
from data.adapters.reading import FIX, Field, Sheet, clock, numbers, required_text, sheets, text
from data.contract import table

TICKETS = table("tickets")
ZONE = "Asia/Jerusalem"
FIELDS = (
    Field("vru_line", ("vru+line",)),
    Field("call_id"),
    Field("customer_id"),
    Field("priority"),
    Field("type"),
    Field("date"),
    Field("vru_entry"),
    Field("outcome"),
    Field("ser_start"),
    Field("ser_exit"),
    Field("ser_time"),
    Field("server"),
)
AGAIN = "stands again in a later row with the same line, date and time, which counts"
OUTCOMES = ("AGENT", "HANG", "PHANTOM")
DATES = ("%y%m%d", "ISO8601")


def read(path: Path, options: Mapping[str, str]) -> Imported:
    """Tickets of the calls in the file at ``path``."""
    sheet = sheets(path, FIELDS)[0]
    outcome = _outcome(sheet)
    day = clock(sheet, "date", DATES, required=True)
    entry = required_text(sheet, "vru_entry")
    local = day + _of_day(sheet, "vru_entry")
    started, ended = _after(sheet, "ser_start", day, local), _after(sheet, "ser_exit", day, local)
    answered = (outcome == "AGENT") & started.notna()
    place = options.get("time_zone", ZONE)
    opened = to_utc(local, place)
    response, resolved = to_utc(started, place), to_utc(ended, place)
    number = (
        required_text(sheet, "vru_line")
        + "-"
        + required_text(sheet, "call_id")
        + day.dt.strftime("-%Y%m%d-")
        + entry.str.zfill(8).str.replace(":", "")
    )
    again = number.duplicated(keep="last") & number.notna()
    sheet.faults.add("call_id", text(sheet, "call_id"), again, AGAIN, "leave one of them out")
    customer = text(sheet, "customer_id")
    server = text(sheet, "server")
    agent = server.mask(server == "NO_SERVER")
    calls = pd.DataFrame(
        {
            "ticket_id": number,
            "opened_at": opened.utc,
            "customer_id": customer.mask(customer == "0"),
            "channel": "phone",
            "topic": text(sheet, "type"),
            "priority": text(sheet, "priority"),
            "first_response_at": response.utc.where(answered),
            "resolved_at": resolved.utc.where(answered),
            "handle_seconds": numbers(sheet, "ser_time").where(answered),
            "outcome": outcome,
            "is_answered": answered,
            "started": started,
            "ended": resolved.utc,
            "agent": agent,
            "local": local,
        }
    )
    calls = sheet.faults.good_rows(calls)
    settings: dict[str, object] = {
        "company.country": options.get("country", "IL"),
        "company.time_zone": place,
        "data.complete_to": complete_to(
            options, moment_to_utc(last_midnight(calls["local"]), place)
        ),
    }
    notes = (
        *sheet.remarks("tickets"),
        *_notes(calls),
        *opened.notes("vru_entry"),
    )
    aside = {"tickets": sheet.faults.rows("tickets")}
    return Imported({"tickets": _versions(calls)}, settings, notes, set_aside=aside)


def _versions(calls: pd.DataFrame) -> pd.DataFrame:
    """Each call as it came, then as it was known later where that adds something."""
    tickets = calls[[c for c in calls.columns if c in TICKETS.names]]
    as_it_came = tickets.assign(recorded_at=calls["opened_at"])
    began = calls[["first_response_at", "opened_at"]].max(axis=1)
    is_served = calls["is_answered"] & calls["agent"].notna()
    served = tickets.assign(recorded_at=began, agent_id=calls["agent"])[is_served]
    over = calls[["ended", "opened_at"]].max(axis=1)
    phantom = tickets.assign(recorded_at=over, is_machine=True)[calls["outcome"] == "PHANTOM"]
    return pd.concat([as_it_came, served, phantom], ignore_index=True).astype(
        {"is_machine": "boolean"}
    )


def _notes(calls: pd.DataFrame) -> tuple[str, ...]:
    outcome, answered, started = calls["outcome"], calls["is_answered"], calls["started"]
    counts = [
        (
            int((outcome == "HANG").sum()),
            "calls were abandoned: tickets without first_response_at and resolved_at",
        ),
        (
            int(((outcome == "HANG") & started.notna()).sum()),
            "of the abandoned calls carry a service time all the same; it is left out",
        ),
        (
            int(((outcome == "AGENT") & ~answered).sum()),
            "calls with outcome AGENT carry no service time; answered, but not known when",
        ),
        (int((outcome == "PHANTOM").sum()), "phantom calls are marked is_machine: not volume"),
        (int(calls["customer_id"].isna().sum()), "calls of unknown customers are anonymous"),
        (
            int((calls["resolved_at"] < calls["first_response_at"]).sum()),
            "calls end before their service began, by the file's clocks; kept so",
        ),
    ]
    sentences = [f"{count:,} {what}" for count, what in counts if count]
    return (*sentences, "no complaints in this file: volume can be forecast, risk cannot")


def _outcome(sheet: Sheet) -> pd.Series:
    outcome = required_text(sheet, "outcome")
    wrong = ~outcome.isin(OUTCOMES) & outcome.notna()
    sheet.faults.add("outcome", outcome, wrong, f"is none of {', '.join(OUTCOMES)}", FIX)
    return outcome


def _of_day(sheet: Sheet, column: str) -> pd.Series:
    """A clock column as the time since midnight; rows that are not h:mm:ss are set aside."""
    values = text(sheet, column)
    parts = values.str.extract(r"^(\d{1,2}):([0-5]\d):([0-5]\d)$").astype("float64")
    seconds = parts[0] * 3600 + parts[1] * 60 + parts[2]
    wrong = seconds.isna() & values.notna() | (seconds >= 86400)
    sheet.faults.add(column, values, wrong, "is not a time of day like 9:05:00", FIX)
    return pd.to_timedelta(seconds.mask(wrong), unit="s").astype("timedelta64[us]")


def _after(sheet: Sheet, column: str, day: pd.Series, arrival: pd.Series) -> pd.Series:
    """A clock column as a local time at or after the arrival, null where it shows 0:00:00.

    Twelve hours before the arrival or more is the next day: the call went on past midnight.
    """
    values = text(sheet, column)
    times = (day + _of_day(sheet, column)).mask(values.isna() | (values.str.zfill(8) == "00:00:00"))
    return times.where(~(times < arrival - pd.Timedelta(hours=12)), times + pd.Timedelta(days=1))
