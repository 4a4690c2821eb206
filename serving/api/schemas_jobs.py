"""What goes in and out of bulk jobs."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from serving.api.schemas import Likely, Probability, Reason

Horizons = Annotated[list[Annotated[int, Meta(ge=1, le=365)]], Meta(min_length=1)]


class JobRequest(Struct, forbid_unknown_fields=True):
    """The customers of a job, a row each, and the horizons in days; default: all the model has. As
    CSV, JSON lines or Parquet: a column ``customer_id``, and the horizons in the query."""

    customer_ids: Annotated[list[str | int | None], Meta(min_length=1)]
    horizons: Horizons | None = None


class Job(Struct):
    """A bulk job and how far it is. All its rows are as of one moment, by one model.

    ``state``: "waiting", "running", "done" (the result is at ``result``) or "failed" (``detail``
    says why). ``rows_with_error``: how many rows are not answered, known once it is done. It is
    removed at ``kept_until``, or when you delete it.
    """

    job_id: str
    kind: Literal["predictions"]
    state: Literal["waiting", "running", "done", "failed"]
    rows: int
    rows_done: int
    rows_with_error: int | None
    horizons: list[int]
    as_of: datetime
    expires_at: datetime
    stale: bool
    stale_sources: list[str]
    model_version: str
    created_at: datetime
    finished_at: datetime | None
    kept_until: datetime | None
    result: str | None
    detail: str | None


class Jobs(Struct):
    """The jobs of the key that asks, the newest first."""

    items: list[Job]


class JobRow(Struct):
    """A line of a job's result: a row that was sent, in order, named as a prediction is.

    ``status`` is "scored", or says why the row is not answered, and ``error`` says it in words:
    "unknown", "closed", "not_profiled", "not_scored" (they came after these scores were made),
    "blank" (no id), "duplicate" (of an earlier row), "unreadable". ``news``: something was posted
    about them since, so ask ``/v1/predictions`` for their risk now.
    """

    row: int
    customer_id: str | None
    status: Literal[
        "scored", "unknown", "closed", "not_profiled", "not_scored", "blank", "duplicate",
        "unreadable",
    ]  # fmt: skip
    error: str | None
    risk: dict[str, Probability] | None
    topic: str | None
    channel: str | None
    action: str | None
    reasons: list[Reason]
    as_of: datetime | None
    expires_at: datetime | None
    model_version: str | None
    repeat_contact_14d: Probability | None
    contact_30d: Probability | None
    expected_tickets_30d: Annotated[float, Meta(ge=0)] | None
    topics: list[Likely]
    channels: list[Likely]
    news: bool
