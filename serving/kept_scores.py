"""Published scores in a file beside their snapshot that is mapped: texts of reasons are many times
what a service needs of them at once."""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from data.errors import DamagedFile
from data.kept_columns import arrow_texts, column_of, put_column, put_plain, texts_as, texts_of
from data.packs import Pack, PackWriter, keep, opened
from data.snapshot import Snapshot, snapshot_of
from data.workspace import Workspace
from serving.kept_rows import Place
from serving.published import Published, newest, pointer

log = logging.getLogger("presage.api")

FORMAT = 1
KIND = "scores"
MANY = 100_000
"""So many customers' scores are mapped; fewer are held in memory."""
LONG = ("customer_id", "topics", "channels", "reasons")
"""Texts that differ from customer to customer."""


def scores_with_snapshot(workspace: Workspace) -> tuple[Published, Snapshot]:
    """The newest published scores, which there are, and the snapshot that they were made from, or
    what is read in its stead."""
    about = pointer(workspace.state_dir, "scores")
    assert about is not None
    snapshot = snapshot_of(workspace, about["snapshot"])
    published = published_scores(workspace.state_dir, snapshot)
    assert published is not None
    return published, snapshot


def published_scores(state_dir: Path, snapshot: Snapshot) -> Published | None:
    """The newest published scores; many are mapped, from a file that is made where it is not
    there. ``snapshot``: the one they were made from, or what is read in its stead."""
    about = pointer(state_dir, "scores")
    if about is None or int(about["rows"]) < MANY:
        return newest(state_dir, "scores")
    place, content = Place.of(snapshot), {"format": FORMAT, "of": about["sha256"]}
    pack = _opened(place, content)
    if pack is None:
        published = newest(state_dir, "scores")
        if published is None or published.about["sha256"] != about["sha256"]:
            return published  # others were published meanwhile: the next look finds them
        try:
            write = partial(_write, frame=published.frame)
            keep(place.folder, KIND, write, content, place.book)
        except OSError as error:
            log.warning("%s; the scores are held in memory", error)
            return published
        pack = _opened(place, content)
        if pack is None:
            return published
    place.remember()
    return Published(_frame(pack), about)


def _opened(place: Place, content: dict[str, object]) -> Pack | None:
    try:
        return opened(place.folder, KIND, content, place.book)
    except DamagedFile as damaged:
        log.warning("%s; it is made anew from what was published", damaged)
        return None


def _write(pack: PackWriter, frame: pd.DataFrame) -> None:
    pack.notes["columns"] = [str(name) for name in frame.columns]
    for name in frame.columns:
        if name in LONG:
            put_plain(pack, str(name), arrow_texts(frame[name]))
        else:
            put_column(pack, str(name), frame[name])


def _frame(pack: Pack) -> pd.DataFrame:
    """The frame, long texts mapped."""
    every = np.arange(len(texts_of(pack, "customer_id")))
    return pd.DataFrame(
        {
            name: texts_as(texts_of(pack, name)) if name in LONG else column_of(pack, name)(every)
            for name in pack.notes["columns"]
        },
        copy=False,
    )
