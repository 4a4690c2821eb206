"""What decisions were made on, without a person.

The choice among others depends on everybody who was eligible: without their row another could have
been in their place. So the row of a person who was eligible stays as numbers that name nobody (what
a complaint and a contact cost, which channels were open, what was drawn), and the decisions about
the others can still be made again. The row of whoever was not eligible goes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from data.erasure.finder import Finder
from data.erasure.formats import parquet_rows
from data.files import replacing

DECIDED = "decided"
"""The folder below ``.presage`` (serving/outreach/kept_inputs.py)."""
ELIGIBLE = "eligible"
ERASED = b"presage.erased"
"""In the schema of a file from which somebody was taken: it is not as it was written."""
BLANK = {
    "risk": 0.0,
    "segment": None,
    "unwelcome": None,
    "last_contacted_at": None,
    "time_zone": None,
    "vulnerable": False,
}
"""What tells of a person and did not decide about the others, and what stands in its place."""


def forget_decided(path: Path, finder: Finder) -> None:
    """Rewrite a file of inputs so that nothing in it is the person's."""
    import pyarrow.parquet as pq

    was = path.stat()
    with replacing(path, was.st_mode & 0o777) as staged:
        with pq.ParquetFile(path) as old:
            schema = old.schema_arrow
        schema = schema.with_metadata({**(schema.metadata or {}), ERASED: b"1"})
        with pq.ParquetWriter(staged, schema, compression="zstd") as writer:
            for part in _anonymous(path, finder):
                writer.write_table(part.cast(schema))
        os.utime(staged, ns=(was.st_atime_ns, was.st_mtime_ns))  # it is as old as it was


def _anonymous(path: Path, finder: Finder) -> Iterator:  # type: ignore[type-arg]
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    present = set(pq.read_table(path, columns=["customer_id"])["customer_id"].to_pylist())
    nobody = (name for number in count(1) if (name := f"erased-{number}") not in present)
    for part, named in parquet_rows(path, finder):
        stays = ~named
        if ELIGIBLE in part.column_names:
            stays |= part[ELIGIBLE].to_numpy().astype(bool)
        part, theirs = part.filter(stays), named[stays]
        ids = np.array(part["customer_id"].to_pylist(), dtype=object)
        ids[theirs] = [next(nobody) for _ in range(int(theirs.sum()))]
        values = {"customer_id": pa.array(ids, part.schema.field("customer_id").type)}
        for name in set(part.column_names) - {"customer_id"}:
            kind = part.schema.field(name).type
            blank = theirs if name in BLANK else finder.in_column(part[name], name) & theirs
            if blank.any() and not pa.types.is_null(kind):
                value = pa.scalar(BLANK.get(name), kind)
                values[name] = pc.if_else(pa.array(blank), value, part[name])
        for name, column in values.items():
            part = part.set_column(part.column_names.index(name), part.schema.field(name), column)
        yield part
