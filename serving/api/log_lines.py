"""Lines of the service's log as JSON: when, how bad, of which request, what. Nobody's data.

>>> record = logging.LogRecord("presage.api", logging.WARNING, "", 0, "%s late", ("usage",), None)
>>> record.created, record.request_id = 0.0, "r-1"
>>> print(JsonLines().format(record))
{"at": "1970-01-01T00:00:00.000Z", "level": "warning", "request_id": "r-1", "message": "usage late"}
"""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime


class JsonLines(logging.Formatter):
    """A record as one line of JSON; a traceback is a string in it."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without a line break in it."""
        moment = datetime.fromtimestamp(record.created, UTC).replace(tzinfo=None)
        line = {
            "at": moment.isoformat(timespec="milliseconds") + "Z",
            "level": record.levelname.lower(),
            "request_id": getattr(record, "request_id", "-"),
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)
