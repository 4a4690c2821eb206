"""What a run reads: an immutable, hashed copy of tables and posted events."""

from __future__ import annotations

from data.tables import MemoryTables, Tables, normalise

__all__ = ["MemoryTables", "Tables", "normalise"]
