"""What groups added up to at night, in a file beside the snapshot that is mapped.

Made with a snapshot's other packs, by the model that scored from it; a service with another model
makes its own. Whatever of this code reads rows differently makes them anew.
"""

from __future__ import annotations

import hashlib
import logging
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import features
from data.files import staging_folder
from data.packs import keep, usable
from data.snapshot import Snapshot
from data.tables import Tables
from features.group_sums import NightSums
from features.groups_now import night_sums, put_night_sums, streams_of
from serving.kept_rows import Place, is_large
from serving.predictor import Predictor

KIND = "groups"
ROWS_AT_ONCE = 1_500_000
log = logging.getLogger("presage.api")


def sums_of(predictor: Predictor, base: Tables) -> NightSums:
    """What the groups of a model's view add up to over the rows of ``base``: of a large snapshot
    as it was kept, and kept where it was not."""
    if not isinstance(base, Snapshot) or not is_large(base):
        return night_sums(predictor.view, predictor.reads(base))
    place = Place.of(base)
    sums = _from_pack(predictor, base, place)
    if sums is not None:
        return sums
    try:
        with staging_folder(place.folder / KIND) as folder:
            rows = predictor.reads(base)
            write = partial(
                put_night_sums, view=predictor.view, base=rows, folder=folder,
                rows_at_once=ROWS_AT_ONCE,
            )  # fmt: skip
            keep(place.folder, _kind(predictor), write, _about(predictor, base), place.book)
        place.remember()
    except OSError as error:
        log.warning("%s; what groups add up to is held in memory", error)
    return _from_pack(predictor, base, place) or night_sums(predictor.view, predictor.reads(base))


def keep_sums(predictor: Predictor, snapshot: Snapshot) -> None:
    """Keep them where they are not there."""
    if predictor.groups_add_up and not predictor.reads_own_rows:
        sums_of(predictor, snapshot)


def _from_pack(predictor: Predictor, base: Snapshot, place: Place) -> NightSums | None:
    about = _about(predictor, base)
    pack = usable(place.folder, _kind(predictor), about, place.book, "the snapshot")
    return None if pack is None else NightSums.from_pack(streams_of(predictor.view), pack)


def _kind(predictor: Predictor) -> str:
    return f"{KIND}-{_view(predictor)[:8]}"


def _view(predictor: Predictor) -> str:
    return hashlib.sha256(predictor.view.to_json().encode()).hexdigest()


def _about(predictor: Predictor, base: Snapshot) -> dict[str, Any]:
    fingerprint = predictor.reads(base).fingerprint
    return {"of": fingerprint, "view": _view(predictor), "code": _code()}


@lru_cache(maxsize=1)
def _code() -> str:
    """A hash of the room that reads rows."""
    digest = hashlib.sha256()
    for folder in features.__path__:
        for path in sorted(Path(folder).rglob("*.py")):
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()
