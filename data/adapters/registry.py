"""What can be imported, by name: one ``Adapter`` an export format."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from data.adapters.described import DatabaseAdapter, MappedAdapter
from data.adapters.interface import Adapter
from data.adapters.mapping import MAPS
from data.errors import UsageError, did_you_mean

PULLED = {
    "since": "SOURCE is an address: pull what changed since then (2026-01-01); default: all",
    "api_version": "SOURCE is a shop's address: the version of Shopify's API; default: 2025-10",
}
ZONE = {"time_zone": "IANA zone of times without an offset; default UTC"}


def _mapped(name: str, describe: str, **more: str) -> Adapter:
    return MappedAdapter(name, describe, str(MAPS / f"{name}.toml"), {**ZONE, **more})


ADAPTERS: Mapping[str, Adapter] = MappingProxyType(
    {
        adapter.name: adapter
        for adapter in (
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
            _mapped(
                "zendesk",
                "tickets, users and ratings of Zendesk Support: exports, API dumps, "
                "Fivetran's, Airbyte's and Singer's tables (json, ndjson, csv, parquet); or its "
                "address",
                **PULLED,
            ),
            _mapped(
                "shopify",
                "orders of a Shopify shop: orders_export.csv, its orders as JSON, or its address",
                **PULLED,
            ),
            _mapped(
                "segment",
                "track and identify calls of Segment or RudderStack: JSON lines, or "
                "the warehouse's tables",
            ),
            _mapped("freshdesk", "tickets of Freshdesk: csv export, or the API's JSON"),
            _mapped("intercom", "conversations of Intercom: the API's JSON, or its csv export"),
            _mapped("jira", "requests of Jira Service Management: csv export, or JSON of a search"),
            _mapped("hubspot", "tickets and contacts of HubSpot: csv export, or the API's JSON"),
            _mapped(
                "salesforce",
                "cases and contacts of Salesforce: csv of a report or of the data "
                "export, or the API's JSON",
            ),
            DatabaseAdapter(
                "sql",
                "any database by its SQLAlchemy URL: tables named as the contract's, or any with a "
                "mapping",
                "data.adapters.databases",
                {
                    "map": "a mapping file whose `from` names tables of the database, or the name "
                    "of an adapter by mapping, such as zendesk",
                    "tables": "the tables to read, with commas; default: those of the contract, or "
                    "of the mapping",
                    "query": "a SELECT instead of a table; with `tables` naming what it gives",
                    "cursor": "the column by which rows that are new or changed are found",
                    "schema": "the schema of the tables",
                },
            ),
        )
    }
)
"""What can be imported now, by name."""


def adapter(name: str) -> Adapter:
    """The adapter of that name, or of a mapping file (``map.toml``); UsageError if there is none,
    with the names that work."""
    if name in ADAPTERS:
        return ADAPTERS[name]
    if name.lower().endswith(".toml"):
        return MappedAdapter(name, "a mapping of yours", name, ZONE)
    working = ", ".join(sorted(ADAPTERS))
    near = did_you_mean(name, ADAPTERS)
    raise UsageError(
        f'there is no adapter "{name}".{near} There are: {working}; or a mapping file, such as '
        "map.toml"
    )
