"""An export into a workspace: read, merged by key, its settings written.

Importing again changes nothing, and a later export of the same system goes on where the earlier
one ended: rows with a key that is there take its place. A setting that somebody has already put
into presage.toml is kept, except ``[data] complete_to``, which belongs to the data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pandas as pd

from data.adapters.described import DatabaseAdapter, MappedAdapter
from data.adapters.interface import Imported, ImportReport
from data.adapters.pulling import forget, is_address, pull
from data.contract import TABLES
from data.errors import DataError
from data.files import replacing
from data.settings import FILE, Settings, load_settings
from data.tables import normalise
from data.urls import without_password
from data.workspace import Workspace, erased_rows, init, set_setting, write_tables

COMPLETE_TO = "data.complete_to"


def run_import(
    name: str,
    source: Path | str,
    workspace_path: Path | str,
    options: Mapping[str, str] | None = None,
    progress: Callable[[str], object] | None = None,
) -> ImportReport:
    """Import an export into the workspace at ``workspace_path``, made if it is not there.

    Nothing is written unless the whole export could be read. Raises UsageError, NotBuiltYet for
    the adapter's name and options, DataError for what the file holds.
    """
    from data.adapters.registry import adapter

    say = progress or (lambda _: None)
    chosen = adapter(name)
    say(f"reading {without_password(str(source))}")
    at = source if "://" in str(source) else Path(source)
    pages: Path | None = None
    if isinstance(chosen, DatabaseAdapter):
        from data.adapters.databases import read_database

        imported = read_database(str(source), chosen.checked(options), Path(workspace_path), say)
    elif isinstance(chosen, MappedAdapter):
        words = load_settings(Path(workspace_path) / FILE).import_
        own = chosen.checked(options)
        if is_address(str(source)):
            pages, cursors, heard = pull(name, str(source), Path(workspace_path), own, say)
            at = pages
        imported = chosen.by_settings(at, own, words)
        if pages is not None:
            imported = replace(imported, cursors=cursors, notes=(*heard, *imported.notes))
    else:
        imported = chosen.read(at, options)
    for table_name, frame in imported.tables.items():
        normalise(table_name, frame)  # an adapter's mistake shows here, not in somebody's features
    imported = replace(
        imported, tables={t: frame for t, frame in imported.tables.items() if len(frame)}
    )
    if not imported.tables:
        raise DataError(f"{source} has no row that a table could hold: {'; '.join(imported.notes)}")
    workspace = init(workspace_path)
    say(f"writing {', '.join(imported.tables)}")
    tables = _with_earlier_sight(imported, workspace)
    left_out = [
        f"{name}: {rows:,} rows of people who were erased are left out"
        for name, rows in erased_rows(workspace.path, tables).items()
    ]
    total = write_tables(workspace.path, tables)
    _write_aside(imported, workspace)
    if imported.cursors:
        from data.adapters.databases import remember

        remember(workspace.state_dir, imported.cursors)
        if pages is not None:
            forget(pages)
        imported = _not_back(imported, workspace)
    written, notes = _write_settings(imported, workspace)
    return ImportReport(
        adapter=name,
        source=without_password(str(source)),
        workspace=workspace.path,
        rows={t: len(frame) for t, frame in imported.tables.items()},
        total_rows=dict(total),
        settings=written,
        notes=(*imported.notes, *left_out, *notes),
    )


def _not_back(imported: Imported, workspace: Workspace) -> Imported:
    """Without a ``complete_to`` before the one that is known: what changed since the last import
    may all be old."""
    new, known = imported.settings.get(COMPLETE_TO), workspace.settings.data.complete_to
    if known is None or not isinstance(new, datetime) or new >= known:
        return imported
    others = {name: value for name, value in imported.settings.items() if name != COMPLETE_TO}
    return replace(imported, settings=others)


def _write_aside(imported: Imported, workspace: Workspace) -> None:
    """Rows that broke the contract, kept by name; of a table without any the file is gone."""
    folder = workspace.state_dir / "quarantine"
    for name in imported.tables:
        (folder / f"import-{name}.parquet").unlink(missing_ok=True)
    for name, rows in imported.set_aside.items():
        if rows.empty:
            continue
        with replacing(folder / f"import-{name}.parquet") as staged:
            rows.astype("str").to_parquet(staged, index=False)


def _with_earlier_sight(imported: Imported, workspace: Workspace) -> dict[str, pd.DataFrame]:
    """The tables to write; births that are a first sight are the earliest of all imports."""
    tables = dict(imported.tables)
    for name in imported.first_seen:
        sources = workspace.sources(name)
        if name in tables and sources and all(path.suffix == ".parquet" for path in sources):
            old = pd.concat([pd.read_parquet(path) for path in sources], ignore_index=True)
            tables[name] = earliest_sight(name, old, tables[name])
    return tables


def earliest_sight(name: str, old: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """Old and new rows of a table; each version is born at the first sight recorded up to it.

    A new version that says nothing new is left out.

    >>> old = pd.DataFrame({"customer_id": ["a"], "signed_up_at": pd.to_datetime(["2026-01-01"]),
    ...                     "region": ["x"], "recorded_at": pd.to_datetime(["2026-01-01"])})
    >>> new = old.assign(signed_up_at=pd.Timestamp("2026-03-01"),
    ...                  recorded_at=pd.Timestamp("2026-03-01"))
    >>> earliest_sight("customers", old, new)
      customer_id signed_up_at region recorded_at
    0           a   2026-01-01      x  2026-01-01
    """
    contract = TABLES[name]
    birth, keys = contract.birth, list(contract.key)
    assert birth is not None
    both = pd.concat([old, new], ignore_index=True)
    both["recorded_at"] = both["recorded_at"].fillna(both[birth])
    both["_order"] = range(len(both))
    both = both.sort_values(["recorded_at", "_order"], ignore_index=True)
    both[birth] = both.groupby(keys)[birth].cummin()
    facts = [c for c in both.columns if c not in (*keys, "recorded_at", "_order")]
    same = pd.Series(True, index=both.index)
    for column in facts:
        values = both[column]
        before = values.groupby([both[key] for key in keys]).shift()
        same &= (values == before).fillna(False).astype(bool) | (values.isna() & before.isna())
    first = ~both.duplicated(keys)
    repeats = same & ~first & (both["_order"] >= len(old))
    return both[~repeats].drop(columns="_order").reset_index(drop=True)


def _write_settings(
    imported: Imported, workspace: Workspace
) -> tuple[dict[str, object], tuple[str, ...]]:
    """Write what the export decides; what presage.toml already states is kept, and said."""
    stated = workspace.settings.sources
    sections = {name.rpartition(".")[0] for name in stated}
    written: dict[str, object] = {}
    notes: list[str] = []
    for name, value in imported.settings.items():
        section = name.rpartition(".")[0]
        stays = name in stated or (name.startswith("opening_hours.") and section in sections)
        if name == COMPLETE_TO:
            before = workspace.settings.data.complete_to
            if before is not None and before != value:
                notes.append(f"[data] complete_to was {before.isoformat()}")
        elif stays:
            if not _says(workspace.settings, name, value):
                notes.append(f"{name} is kept as {FILE} states it; the export suggests {value!r}")
            continue
        set_setting(workspace.path, name, value)
        written[name] = value
    return written, tuple(notes)


def _says(settings: Settings, name: str, value: object) -> bool:
    """Whether the settings already hold that value."""
    setting: object = settings
    for part in name.split("."):
        setting = (
            setting.get(part) if isinstance(setting, Mapping) else getattr(setting, part, None)
        )
    listed = tuple(value) if isinstance(value, list | tuple) else (value,)
    return setting in (value, listed)
