"""Frames to files, whole or not at all: .csv, .parquet, .jsonl and .xlsx by the name's end.

Floats are written so that reading gives the same bits; times as ISO 8601 in UTC without a zone;
lists (reasons) as JSON text.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from data.errors import UsageError
from data.files import replacing

if TYPE_CHECKING:
    import pandas as pd

ENDINGS = (".csv", ".parquet", ".jsonl", ".xlsx")
XLSX_ROWS = 1_048_575


def check_out(path: Path | None) -> None:
    """Refuse an ``--out`` that could not be written, before any work is done.

    Raises UsageError for another ending or a folder that is not there.
    """
    if path is None:
        return
    if path.suffix not in ENDINGS:
        raise UsageError(f"--out {path}: end the name in one of {', '.join(ENDINGS)}")
    if not path.parent.is_dir():
        raise UsageError(f"--out {path}: the folder {path.parent} does not exist; make it first")


def write_frame(frame: pd.DataFrame, path: Path) -> None:
    """Write ``frame`` to ``path`` in the format of its ending; a reader never sees half of it."""
    check_out(path)
    with replacing(path, mode=None) as staged:
        if path.suffix == ".parquet":
            _with_text_lists(frame).to_parquet(staged, index=False)
        elif path.suffix == ".csv":
            _with_text_lists(frame).to_csv(staged, index=False, date_format="%Y-%m-%dT%H:%M:%S")
        elif path.suffix == ".jsonl":
            frame.to_json(
                staged, orient="records", lines=True, date_format="iso", force_ascii=False
            )
        else:
            _write_xlsx(_with_text_lists(frame), staged, path)


FORMULA = ("=", "+", "-", "@", "\t", "\r")


def spreadsheet_safe(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with an apostrophe before every text that a spreadsheet would run as a formula.

    >>> import pandas as pd
    >>> spreadsheet_safe(pd.DataFrame({"name": ["=1+1", "Ana"], "n": [-1, 2]}))["name"].tolist()
    ["'=1+1", 'Ana']
    """
    import pandas as pd

    texts = [c for c in frame.columns if pd.api.types.is_string_dtype(frame[c].dtype)]
    return frame.assign(
        **{
            str(c): frame[c].map(
                lambda v: f"'{v}" if isinstance(v, str) and v.startswith(FORMULA) else v
            )
            for c in texts
        }
    )


def _with_text_lists(frame: pd.DataFrame) -> pd.DataFrame:
    lists = [
        name
        for name in frame.columns
        if frame[name].dtype == object and frame[name].map(lambda v: isinstance(v, list)).any()
    ]
    texts = {
        name: frame[name].map(lambda v: json.dumps(v, ensure_ascii=False, default=str))
        for name in lists
    }
    return frame.assign(**texts)


def _write_xlsx(frame: pd.DataFrame, staged: Path, path: Path) -> None:
    import pandas as pd

    if len(frame) > XLSX_ROWS:
        raise UsageError(f"{path}: {len(frame)} rows do not fit a spreadsheet; write .csv instead")
    options = {"options": {"strings_to_formulas": False, "strings_to_urls": False}}
    with pd.ExcelWriter(staged, engine="xlsxwriter", engine_kwargs=options) as book:
        frame.to_excel(book, index=False, sheet_name="presage", freeze_panes=(1, 0))
