"""A workspace that was moved or copied: MLflow's store is told where its artifacts lie now.

MLflow writes where an artifact lies as a whole path, into every experiment, run and model. In a
folder of another name the next run would still write to the old one: into somebody else's
workspace, or nowhere. So whoever opens the store first has the old beginning replaced by the new.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

PLACES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
"""Tables and columns of MLflow's store that hold where an artifact lies."""


def settle(store: Path, artifacts: Path) -> int:
    """Have ``store`` (mlflow.db) look for artifacts below ``artifacts``; how many places moved.

    Nothing is done where there is no store yet, or where it looks there already.
    """
    if not store.exists():
        return 0
    here = artifacts.absolute().as_uri()
    with closing(sqlite3.connect(store, timeout=30)) as database, database:
        known = "SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'experiments'"
        if database.execute(known).fetchone() is None:
            return 0
        found = database.execute(
            "SELECT DISTINCT artifact_location FROM experiments WHERE name LIKE 'presage-%'"
        )
        moved = 0
        for old in [location for (location,) in found if location and location != here]:
            for table, column in PLACES:
                moved += database.execute(
                    f"UPDATE {table} SET {column} = :here || substr({column}, :long) "  # noqa: S608
                    f"WHERE {column} = :old OR substr({column}, 1, :long) = :old || '/'",
                    {"here": here, "old": old, "long": len(old) + 1},
                ).rowcount
    return moved
