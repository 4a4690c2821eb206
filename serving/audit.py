"""Who asked for whom: each request about customers, with the key's name and the customers'
pseudonyms.

    .presage/audit/2026-03-02/asked-04f1.jsonl
    {"at": ..., "request_id": ..., "key": "crm", "call": "/v1/customers/{id}", "about": ["9c2e..."]}

>>> import tempfile
>>> with tempfile.TemporaryDirectory() as folder:
...     audit = AuditLog(Path(folder), b"salt", keep_days=30)
...     audit.add([("crm", "/v1/predictions", ["a"], "r1")], datetime(2026, 3, 2))
...     audit.close()
...     told = requests_logged(Path(folder))
>>> told[0]["key"], told[0]["about"] == [pseudonym(b"salt", "a")]
('crm', True)
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from data.pseudonyms import pseudonym
from serving.day_log import DayLog, lines

FOLDER = "audit"


class AuditLog(DayLog):
    """What a running service was asked: of each request the key's name, the call's path, the
    customers' ids, and the request's id."""

    def __init__(self, state_dir: Path, salt: bytes, keep_days: int) -> None:
        super().__init__(state_dir / FOLDER, "asked", keep_days=keep_days, line=self._request)
        self._salt = salt

    def _request(
        self, now: datetime, request: tuple[str, str, Sequence[str], str]
    ) -> dict[str, Any]:
        key, call, about, request_id = request
        ids = [pseudonym(self._salt, one) for one in about]
        return {"request_id": request_id, "key": key, "call": call, "about": ids}


def requests_logged(state_dir: Path, since: datetime | None = None) -> list[dict[str, Any]]:
    """Every request kept, of days from ``since`` on."""
    return list(lines(state_dir / FOLDER, since))
