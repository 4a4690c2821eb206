"""Adapters that need no code of their own: exports that a mapping describes, and databases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from data.adapters.interface import Adapter, Imported
from data.settings_import import Import


class MappedAdapter(Adapter):
    """An export format that a mapping describes; ``module`` is its TOML file."""

    def of_options(self, source: Path | str, options: Mapping[str, str]) -> Imported:
        """The tables that the mapping makes of the files at ``source``."""
        return self.by_settings(source, options, Import())

    def by_settings(
        self, source: Path | str, options: Mapping[str, str], stated: Import
    ) -> Imported:
        """The same, with the words for channels, topics and statuses that a workspace states."""
        from data.adapters.local_time import zone
        from data.adapters.mapped import read_mapped
        from data.adapters.mapping import load_mapping

        mapping = load_mapping(Path(self.module)).with_words(stated)
        if "dates" in options:
            reading = replace(mapping.reading, dates=options["dates"])  # type: ignore[arg-type]
            mapping = replace(mapping, reading=reading)
        if "time_zone" in options:
            mapping = replace(mapping, time_zone=zone(options["time_zone"]).key)
        path = Path(source)
        if "which" in options:
            path = path / options["which"]
        return read_mapped(mapping, path, options)


class DatabaseAdapter(Adapter):
    """A database, by its URL; how far it was read is remembered in the workspace."""
