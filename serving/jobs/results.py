"""The result of a job as a file: Parquet as it is, CSV, or JSON lines shaped as predictions are.

Each is made part by part while it is sent, so its size costs no memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec
import pandas as pd

from serving.items import utc
from serving.jobs.answers import LISTS
from serving.jobs.ids import CSV, LINES, PARQUET
from serving.jobs.job import RESULT, Job
from serving.staffing.exports import neutral_frame

if TYPE_CHECKING:
    import pyarrow as pa

FORMATS = {"csv": CSV, "jsonl": LINES, "parquet": PARQUET}
"""The parameter ``format``, and the media type that it stands for."""
CHUNK_BYTES = 1 << 20


def result_of(job: Job, media: str) -> Iterator[bytes]:
    """The result of a job that is done, in pieces. What is removed meanwhile is still read."""
    file = (job.folder / RESULT).open("rb")
    if media == PARQUET:
        return _bytes(file)
    return _parts(file, _csv if media == CSV else _lines)


def _bytes(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while piece := file.read(CHUNK_BYTES):
            yield piece


def _parts(file: BinaryIO, text: Any) -> Iterator[bytes]:
    import pyarrow.parquet as pq

    with file, pq.ParquetFile(file) as table:
        for number in range(table.num_row_groups):
            yield text(table.read_row_group(number), number == 0)


def _csv(part: pa.Table, is_first: bool) -> bytes:
    """Rows of CSV; a text that a spreadsheet would run as a formula has an apostrophe before it."""
    frame = neutral_frame(part.to_pandas())
    for name in ("as_of", "expires_at"):
        frame[name] = pd.to_datetime(frame[name]).dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    return frame.to_csv(index=False, header=is_first, lineterminator="\n").encode()


def _lines(part: pa.Table, is_first: bool) -> bytes:
    """A line a row, named as an item of ``/v1/predictions``."""
    return b"".join(msgspec.json.encode(line_of(row)) + b"\n" for row in part.to_pylist())


def line_of(row: dict[str, Any]) -> dict[str, Any]:
    """A row as an item: its risks in one object, lists as lists."""
    line = {name: value for name, value in row.items() if not name.startswith("risk_")}
    risks = {n.removeprefix("risk_")[:-1]: row[n] for n in row if n.startswith("risk_")}
    scored = row["status"] == "scored"
    line["risk"] = risks if scored else None
    for name in LISTS:
        line[name] = msgspec.Raw((row[name] or "[]").encode())
    for name in ("as_of", "expires_at"):
        line[name] = utc(row[name]) if scored else None
    return line
