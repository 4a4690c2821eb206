"""What can be imported, by name: one ``Adapter`` an export format."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from data.adapters.interface import Adapter
from data.errors import NotBuiltYet, UsageError, did_you_mean

ADAPTERS: Mapping[str, Adapter] = MappingProxyType(
    {
        found.name: found
        for found in (
            Adapter(
                "online-retail",
                "order lines of an online shop; a cancellation is its complaint (UCI Online "
                "Retail I and II: xlsx, csv, parquet)",
                "data.adapters.online_retail",
            ),
            Adapter(
                "incidents",
                "every update of an IT service desk's incidents (UCI incident event log: csv, "
                "parquet)",
                "data.adapters.incidents",
                {"topic": "the column that becomes the topic: category (default), subcategory"},
            ),
            Adapter(
                "calls",
                "a call centre's log, or its counts per interval (Technion's Anonymous Bank, "
                "fpp3 bank_calls: txt, csv, parquet)",
                "data.adapters.calls",
                {
                    "time_zone": "IANA zone of the file's clock, where the file is not one we know",
                    "country": "ISO 3166 code for holidays, where the file is not one we know",
                },
            ),
            Adapter(
                "requests-311",
                "a city's service requests (Boston 311 open data: csv, parquet)",
                "data.adapters.requests_311",
                {
                    "topic": "the column that becomes the topic: type (default), reason, "
                    "department, subject"
                },
            ),
        )
    }
)
"""What can be imported now, by name."""

NOT_BUILT_YET = ("sql", "zendesk", "shopify", "segment")
"""Names that the contract fixes and a later release fills."""


def adapter(name: str) -> Adapter:
    """The adapter of that name; NotBuiltYet or UsageError, with the names that work, if none."""
    if name in ADAPTERS:
        return ADAPTERS[name]
    working = ", ".join(sorted(ADAPTERS))
    if name in NOT_BUILT_YET:
        raise NotBuiltYet(f'the adapter "{name}" is not built yet; there are: {working}')
    near = did_you_mean(name, [*ADAPTERS, *NOT_BUILT_YET])
    raise UsageError(f'there is no adapter "{name}".{near} There are: {working}')
