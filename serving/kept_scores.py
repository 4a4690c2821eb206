"""Published scores in a file that is mapped: the texts of their reasons are many times what a
service needs of them at once."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from data.files import HashBook
from data.kept_columns import arrow_texts, column_of, put_column, put_plain, texts_as, texts_of
from data.packs import Pack, PackWriter, keep, usable

FORMAT = 1
KIND = "mapped-scores"
LONG = ("customer_id", "topics", "channels", "reasons")
"""Texts that differ from customer to customer."""


def keep_scores(home: Path, sha256: str, frame: pd.DataFrame) -> None:
    """Keep the scores whose published file has that hash in a pack of the folder ``home``."""
    book = _book(home)
    keep(home, KIND, partial(_write, frame=frame), _about(sha256), book)
    book.save()


def mapped_scores(home: Path, sha256: str) -> pd.DataFrame | None:
    """The scores of that published file, long texts mapped; None where no pack has them."""
    book = _book(home)
    pack = usable(home, KIND, _about(sha256), book, "what was published")
    book.save()
    return None if pack is None else _frame(pack)


def _book(home: Path) -> HashBook:
    return HashBook(home.parent / "hashes.json")


def _about(sha256: str) -> dict[str, object]:
    return {"format": FORMAT, "of": sha256}


def _write(pack: PackWriter, frame: pd.DataFrame) -> None:
    pack.notes["columns"] = [str(name) for name in frame.columns]
    for name in frame.columns:
        if name in LONG:
            put_plain(pack, str(name), arrow_texts(frame[name]))
        else:
            put_column(pack, str(name), frame[name])


def _frame(pack: Pack) -> pd.DataFrame:
    every = np.arange(len(texts_of(pack, "customer_id")))
    return pd.DataFrame(
        {
            name: texts_as(texts_of(pack, name)) if name in LONG else column_of(pack, name)(every)
            for name in pack.notes["columns"]
        },
        copy=False,
    )
