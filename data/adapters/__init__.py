"""Exports of other systems brought into the contract's tables: one file a format.

``ADAPTERS`` names what can be imported; nothing heavy is loaded until one of them reads.

>>> from data.adapters import ADAPTERS, adapter
>>> "zendesk" in ADAPTERS, "sql" in ADAPTERS
(True, True)
>>> adapter("online-retial")
Traceback (most recent call last):
    ...
data.errors.UsageError: there is no adapter "online-retial". Did you mean "online-retail"? ...
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from data.adapters.interface import Adapter, Imported, ImportReport
from data.adapters.registry import ADAPTERS, adapter

__all__ = [
    "ADAPTERS",
    "Adapter",
    "ImportReport",
    "Imported",
    "adapter",
    "run_import",
]


def run_import(
    name: str,
    source: Path | str,
    workspace_path: Path | str,
    options: Mapping[str, str] | None = None,
    progress: Callable[[str], object] | None = None,
) -> ImportReport:
    """Import an export into a workspace; see ``data.adapters.importing.run_import``."""
    adapter(name)  # a wrong name is refused before anything heavy is loaded
    from data.adapters import importing

    return importing.run_import(name, source, workspace_path, options, progress)
