"""A workspace is a folder: the company's tables, its settings, and our own state.

``DIR/tables/NAME.parquet`` (or ``NAME.csv``, or parts ``NAME/*.parquet``), ``DIR/presage.toml``,
and ``DIR/.presage/``, which is ours: store.db and secrets must be backed up, all else in it can
be rebuilt.

>>> import tempfile, pandas as pd
>>> with tempfile.TemporaryDirectory() as folder:
...     workspace = init(Path(folder) / "acme")
...     orders = pd.DataFrame({"order_id": ["1"], "ordered_at": ["2026-01-01"],
...                            "customer_id": ["c"]})
...     write_tables(workspace.path, {"orders": orders})
...     write_tables(workspace.path, {"orders": orders})  # by key: not doubled
...     [path.name for path in workspace.sources("orders")]
{'orders': 1}
{'orders': 1}
['orders.parquet']
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pandas as pd

from data.contract import table
from data.errors import DataError, SettingsError, UsageError
from data.files import replacing, write_whole
from data.folder import STATE, Folder
from data.settings import FILE, Settings, commented_toml, load_settings

if TYPE_CHECKING:
    from data.snapshot import Snapshot
    from data.store import Erased


@dataclass(frozen=True)
class Workspace(Folder):
    """An opened workspace; its settings are those read when it was opened."""

    def default_as_of(self) -> datetime:
        """``[data] complete_to``, or the last local midnight not after the newest birth.

        The newest birth is that of orders, usage, tickets and volumes, rows that break the
        contract left out; naive UTC. With ``complete_to`` only rows posted since can lead further.
        DataError if there is none.
        """
        complete_to = self.settings.data.complete_to
        if complete_to is not None and not _has_events(self):
            return complete_to
        from data.snapshot import take

        newest = complete_until(self, take(self))
        if newest is None:
            raise DataError(
                "orders, usage, tickets and volumes have no rows, so there is no moment to look "
                f"from. Put tables into {self.tables_dir}, or give --as-of"
            )
        return newest


def complete_until(workspace: Folder, snapshot: Snapshot) -> datetime | None:
    """The moment up to which a snapshot of the workspace is complete, None without any history.

    Tables are complete to ``[data] complete_to``; a company that goes on by posting rows is
    complete to the last local midnight before the newest of them.
    """
    complete_to, zone = workspace.settings.data.complete_to, workspace.settings.company.time_zone
    newest = snapshot.newest_birth if complete_to is None else snapshot.newest_posted
    if newest is None:
        return complete_to
    midnight = last_midnight(newest, zone)
    return midnight if complete_to is None else max(complete_to, midnight)


def _has_events(workspace: Folder) -> bool:
    from data.store import events_since, has_store, open_store

    if not has_store(workspace):
        return False
    with open_store(workspace) as store:
        return bool(events_since(store, 0, limit=1))


def last_midnight(moment: datetime, time_zone: str) -> datetime:
    """The last midnight of that zone not after ``moment``; both naive UTC.

    >>> last_midnight(datetime(2026, 7, 1, 22, 30), "Europe/Oslo")
    datetime.datetime(2026, 7, 1, 22, 0)
    """
    zone = ZoneInfo(time_zone)
    local = moment.replace(tzinfo=UTC).astimezone(zone)
    midnight = datetime.combine(local.date(), time(0), tzinfo=zone)
    return midnight.astimezone(UTC).replace(tzinfo=None)


def init(path: Path | str) -> Workspace:
    """An empty workspace with a commented presage.toml; what is there is left as it is."""
    folder = Path(path).absolute()
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{path} is a file; a workspace is a folder")
    (folder / "tables").mkdir(parents=True, exist_ok=True)
    (folder / STATE).mkdir(mode=0o700, exist_ok=True)
    if not (folder / FILE).exists():
        write_whole(folder / FILE, commented_toml().encode())
    return Workspace.open(folder)


def set_setting(path: Path | str, name: str | Sequence[str], value: object) -> None:
    """Write ``section.key = value`` into presage.toml, comments kept; refused if it is not valid.

    ``name``: parts joined by dots, or a list of them where a part has a dot of its own, such as
    the channel ``x.com``. Lists may be tuples; None takes the key away.
    """
    import tomlkit
    from tomlkit.items import Table as TomlTable

    file = Path(path) / FILE
    document = tomlkit.parse(file.read_text("utf-8-sig") if file.exists() else "")
    *sections, key = name.split(".") if isinstance(name, str) else name
    if not sections:
        raise SettingsError(f"{name!r} names no setting; they are section.key")
    place: tomlkit.TOMLDocument | TomlTable = document
    for section in sections:
        if section not in place:
            place[section] = tomlkit.table()
        place = place[section]
    if value is None:
        place.pop(key, None)
    else:
        place[key] = list(value) if isinstance(value, tuple) else value
    with replacing(file) as staged:
        staged.write_text(tomlkit.dumps(document), "utf-8")
        try:
            load_settings(staged, {})
        except SettingsError as error:
            raise SettingsError(str(error).replace(staged.name, FILE)) from None


def write_tables(
    path: Path | str, frames: Mapping[str, pd.DataFrame], by_key: bool = True
) -> dict[str, int]:
    """Write frames as tables/NAME.parquet, each whole or not at all; rows written per table.

    ``by_key``: a new row takes the place of the row with its key and its stated ``recorded_at``
    (none stated: of the row that states none); all other rows stay. Rows without a key are the
    same if all their values are, and are counted, so the same file twice doubles nothing.
    Otherwise the frame replaces the table. Rows that name somebody who was erased are left out
    (``erased_rows`` counts them). DataError where the table is CSV or in parts.
    """
    folder = Path(path).absolute()
    workspace = Workspace(folder, Settings())
    written, gone = {}, _erased(folder)
    for name, frame in frames.items():
        if gone:
            frame = frame[~gone.in_frame(frame)]
        place = workspace.tables_dir / f"{table(name).name}.parquet"
        there = workspace.sources(name)
        if there and there != [place]:
            raise DataError(
                f"tables/ already holds {name} as {there[0].relative_to(workspace.tables_dir)}; "
                "it cannot be merged into. Move it away, or import into another workspace"
            )
        if by_key and there:
            frame = _merged(name, pd.read_parquet(place), frame)
        elif by_key:
            frame = _merged(name, frame.iloc[:0], frame)
        with replacing(place) as staged:
            frame.to_parquet(staged, index=False, compression="zstd")
        written[name] = len(frame)
    return written


def erased_rows(path: Path | str, frames: Mapping[str, pd.DataFrame]) -> dict[str, int]:
    """The rows of frames, by table, that ``write_tables`` leaves out: they name somebody who was
    erased from the workspace at ``path``."""
    gone = _erased(Path(path).absolute())
    counts = {name: int(gone.in_frame(frame).sum()) for name, frame in frames.items() if gone}
    return {name: count for name, count in counts.items() if count}


def _erased(folder: Path) -> Erased:
    from data.store import NOBODY, erased_in_workspace

    if not (folder / STATE).is_dir():
        return NOBODY
    return erased_in_workspace(Folder(folder, load_settings(folder / FILE)))


def _merged(name: str, old: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    both = pd.concat([old, new], ignore_index=True) if len(old) else new.reset_index(drop=True)
    keys = [*table(name).key, "recorded_at"] if table(name).key else []
    keyed = pd.Series(bool(keys), index=both.index)
    for key in table(name).key:
        keyed &= both[key].notna() if key in both.columns else False
    identity = pd.DataFrame(index=both.index)
    for key in keys:
        identity[key] = _text(both[key]) if key in both.columns else "nan"
    identity["row"] = ""
    identity["nth"] = 0
    if not keyed.all():
        loose = both[~keyed].map(str)
        identity.loc[~keyed, "row"] = pd.util.hash_pandas_object(loose, index=False).astype(str)
        # the n-th of equal rows in the old table is the n-th of them in the new one
        is_new = pd.Series(both.index >= len(old), index=both.index)[~keyed]
        nth = identity[~keyed].groupby(["row", is_new]).cumcount()
        identity.loc[~keyed, "nth"] = nth
    return both[~identity.duplicated(keep="last")].reset_index(drop=True)


def _text(values: pd.Series) -> pd.Series:
    return values.astype(object).where(values.notna(), None).map(str)
