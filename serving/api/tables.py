"""GET /v1/forecasts and GET /v1/staffing: pages of the newest published table, JSON or CSV.

A cursor is the row's position in the table as published, with that table's hash: a page that
follows after a newer one was published is refused (409) rather than mixing two forecasts.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pandas as pd

from data.errors import did_you_mean
from data.values import FIRST_YEAR, LAST_YEAR
from serving.api.problem import Problem
from serving.api.route import Answer, Call
from serving.published import Published
from serving.records import records

PAGE_ROWS = 5000
MAX_ROWS = 10**15 - 1


def parse_moment(call: Call, name: str) -> datetime | None:
    """A time of the query as naive UTC, or None where it is absent."""
    text = call.parameters.get(name)
    if not text:
        return None
    # an offset's "+" that was not escaped arrives as a space
    for candidate in (text, "+".join(text.rsplit(" ", 1))):
        try:
            value = datetime.fromisoformat(candidate)
            break
        except ValueError:
            continue
    else:
        raise Problem(
            400, "parameter", f"{name}={text!r} is not a time; write 2026-03-01T10:00:00Z"
        )
    return naive(value, name, 400)


def naive(value: datetime, name: str, status: int = 422) -> datetime:
    """A time as naive UTC; one without a zone is UTC already. Problem for an implausible one."""
    if not FIRST_YEAR < value.year < LAST_YEAR:  # an offset cannot lead out of them
        detail = f"{name}={value.isoformat()} lies outside the years {FIRST_YEAR} to {LAST_YEAR}"
        raise Problem(status, "parameter" if status == 400 else "value", detail)
    return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value


def between(frame: pd.DataFrame, column: str, call: Call) -> pd.DataFrame:
    """The rows whose ``column`` lies in [from, to)."""
    start, end = parse_moment(call, "from"), parse_moment(call, "to")
    if start and end and end <= start:
        raise Problem(400, "parameter", f"to={end} is not after from={start}")
    if start:
        frame = frame[frame[column] >= start]
    if end:
        frame = frame[frame[column] < end]
    return frame


def answer_rows(frame: pd.DataFrame, published: Published, call: Call) -> Answer:
    """CSV of all rows, or one page of them as JSON."""
    headers = {"Presage-As-Of": published.about["as_of"] + "Z"}
    if call.accept == "text/csv":
        text = frame.to_csv(index=False, date_format="%Y-%m-%dT%H:%M:%SZ")
        return Answer(text.encode(), media_type="text/csv", headers=headers)
    start = position(call.parameters.get("after"), published)
    limit = page_size(call, PAGE_ROWS, PAGE_ROWS)
    page = frame.iloc[start : start + limit]
    follows = start + limit < len(frame)
    value = {
        "items": records(page),
        "as_of": published.about["as_of"] + "Z",
        "published_at": published.about["published_at"] + "Z",
        "next": cursor_at(published, start + limit) if follows else None,
    }
    return Answer(value, headers=headers)


def rows_of(published: Published, name: str, time: str | None, call: Call) -> Answer:
    """``answer_rows`` of those whose ``name`` is the parameter's, and within from and to."""
    frame = of_name(published.frame, name, call)
    return answer_rows(frame if time is None else between(frame, time, call), published, call)


def of_name(frame: pd.DataFrame, name: str, call: Call) -> pd.DataFrame:
    """The rows whose ``name`` is as asked, all if nothing is; Problem 404 where there are none."""
    wanted = call.parameters.get(name)
    if not wanted:
        return frame
    rows = frame[frame[name] == wanted]
    if rows.empty:
        known = sorted(map(str, frame[name].unique()))
        detail = f"there is no {name} {wanted!r}.{did_you_mean(wanted, known)}"
        raise Problem(404, f"no-such-{name.replace('_', '-')}", detail)
    return rows


def cursor_at(published: Published, row: int) -> str:
    """The cursor of the page that begins at a row of this very table."""
    return f"{published.about['sha256'][:12]}.{row}"


def position(cursor: str | None, published: Published) -> int:
    """Where a page begins: Problem for a cursor of another table."""
    if not cursor:
        return 0
    digest, _, position = cursor.partition(".")
    start = whole(position, MAX_ROWS)
    if start is None:
        raise Problem(400, "cursor", f"after={cursor!r} is no cursor; take `next` of the last page")
    if digest != published.about["sha256"][:12]:
        raise Problem(
            409, "cursor", "a newer result was published since that page; start again without after"
        )
    return start


def page_size(call: Call, usual: int, most: int) -> int:
    """The parameter ``limit``, or the usual number of rows."""
    text = call.parameters.get("limit")
    size = whole(text, most) if text else usual
    if not size:
        raise Problem(400, "parameter", f"limit={text!r}: give a number from 1 to {most}")
    return size


def whole(text: str, most: int) -> int | None:
    """A whole number from 0 to ``most`` in ASCII digits; None where the text is none.

    >>> whole("12", 99), whole("\u00b2", 99), whole("", 99), whole("9" * 5000, 99), whole("-1", 99)
    (12, None, None, None, None)
    """
    if not re.fullmatch(r"[0-9]{1,15}", text) or int(text) > most:
        return None
    return int(text)
