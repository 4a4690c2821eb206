"""A mapping proposed from the columns that a source has, with the rows that it would give.

A name that means a column of the contract nearly everywhere is taken (``Case Number``,
``created_at``); the table is the one of which most required columns are found. What nobody could
know is left as a comment, for a person to fill in.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from data.adapters.mapped import _document, files_of, read_mapped
from data.adapters.mapping import parse_mapping
from data.adapters.reading import plain
from data.contract import TABLES, table
from data.engines import duckdb_connection
from data.errors import DataError
from data.settings_import import Import
from data.settings_tree import Engine
from data.source_files import open_source, stem_of

ROWS = 10
MEANS: Mapping[str, Mapping[str, str]] = {
    "tickets": {
        "ticket_id": "ticketid caseid casenumber issuekey conversationid ticketnumber number id "
        "key incidentid requestid caseenquiryid",
        "opened_at": "openedat createdat created createddate createdtime createdate opened opendt "
        "datetimeopened submittedat datecreated date receivedat startedat",
        "customer_id": "customerid requesterid contactid userid clientid customer requester "
        "callerid reporter email accountid customeremail",
        "channel": "channel source origin via medium contacttype contactmethod casesource",
        "topic": "topic category type reason subject issuetype tickettype queue department",
        "priority": "priority urgency severity",
        "resolved_at": "resolvedat solvedat closedat resolved closed closeddate closedtime closedt "
        "datetimeclosed resolutiondate resolveddate",
        "first_response_at": "firstresponseat firstreplyat firstrespondedat firstresponse",
        "reopened_at": "reopenedat",
        "handle_seconds": "handleseconds handletimeseconds talktime",
        "csat": "csat satisfaction rating satisfactionscore customersatisfactionrating",
        "csat_at": "csatat ratedat",
        "agent_id": "agentid assigneeid assignee agent owner ownerid assignedto",
        "text": "text description body message ticketdescription",
        "order_id": "orderid ordernumber productorder",
        "product_id": "productid sku product productpurchased",
        "language": "language locale",
    },
    "orders": {
        "order_id": "orderid ordernumber name invoice invoiceno id",
        "ordered_at": "orderedat createdat orderdate date created purchasedat invoicedate "
        "orderpurchasetimestamp",
        "customer_id": "customerid userid email clientid customer buyerid",
        "amount": "amount total totalprice price revenue grandtotal",
        "currency": "currency currencycode",
        "quantity": "quantity qty items",
        "product_id": "productid sku stockcode lineitemsku",
        "shipped_at": "shippedat fulfilledat dispatchedat orderdeliveredcarrierdate",
        "delivered_at": "deliveredat deliverydate orderdeliveredcustomerdate",
        "promised_at": "promisedat estimateddelivery orderestimateddeliverydate",
        "cancelled_at": "cancelledat canceledat",
        "refunded_at": "refundedat",
        "returned_at": "returnedat",
    },
    "usage": {
        "event_id": "eventid messageid",
        "used_at": "usedat timestamp time eventtime occurredat",
        "customer_id": "customerid userid distinctid",
        "feature": "feature event eventname action",
        "platform": "platform os",
        "version": "version appversion",
    },
    "volumes": {
        "unique_id": "uniqueid series queue skill channel",
        "ds": "ds datetime interval intervalstart starttime date timestamp",
        "y": "y calls offered contacts volume count callsoffered value",
    },
    "customers": {
        "customer_id": "customerid userid contactid id",
        "signed_up_at": "signedupat createdat registeredat createddate signupdate joined",
        "region": "region country state city",
        "segment": "segment tier",
        "plan": "plan subscription",
        "language": "language locale",
        "name": "name fullname",
    },
}
"""By which names, without case and punctuation, columns go elsewhere; the likelier first."""
DEFAULTS = {"channel": "'unknown'", "feature": "'unknown'", "unique_id": "'total'"}


@dataclass(frozen=True)
class Proposal:
    """A mapping's text, what it left open, and the first rows that it gives, by table."""

    text: str
    open: tuple[str, ...]
    rows: Mapping[str, pd.DataFrame]


def propose(source: Path) -> Proposal:
    """A mapping of the files at ``source``; DataError where no file looks like any table."""
    lines, left, named = ["# proposed from the columns; read it before you import"], [], []
    for path in files_of(source):
        columns = _columns(path)
        name = _table_of(path, columns)
        if name is None:
            left.append(f"{path.name}: no table has these columns: {', '.join(columns)}")
            continue
        matches, missing = _matches(name, columns)
        if any(m not in DEFAULTS for m in missing):
            left.append(f"{path.name}: {name} needs {', '.join(missing)}; name them in the mapping")
        repeated = name in named
        named.append(name)
        lines += [
            "",
            f"[{name}]" if not repeated else f"# and another source of {name}: {path.name}",
        ]
        if repeated:
            continue
        lines += [f"from = {json.dumps(path.name)}"] if source.is_dir() else []
        lines += [f"{ours} = {_written(theirs)}" for ours, theirs in matches.items()]
        for ours in missing:
            known = ours in DEFAULTS
            lines.append(f'{ours} = "{DEFAULTS[ours]}"' if known else f'# {ours} = "?"')
        unused = [c for c in columns if c not in matches.values()]
        if unused:
            lines.append(f"# not used: {', '.join(unused)}")
    if not named:
        raise DataError(f"{source}: no file looks like a table of the contract. {' '.join(left)}")
    text = "\n".join(lines) + "\n"
    rows: Mapping[str, pd.DataFrame] = {}
    try:
        mapping = parse_mapping(text, "proposal")
        imported = read_mapped(mapping, source, {})
        rows = {name: frame.head(ROWS) for name, frame in imported.tables.items()}
        left += [note for note in imported.notes if "set aside" in note]
    except DataError as error:
        left.append(str(error))
    return Proposal(text, tuple(left), rows)


def _columns(path: Path) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        con = duckdb_connection(Engine(), [path.parent.resolve(), Path(folder)])
        readable = _document(path, "", Path(folder))
        return list(open_source(con, readable, path.name, Import(), Path(folder)).types)


def _table_of(path: Path, columns: Sequence[str]) -> str | None:
    stem = stem_of(path)
    for name in TABLES:
        if name in MEANS and (stem == name or stem.rstrip("s") == name.rstrip("s")):
            return name
    scored = []
    for name in MEANS:
        matches, missing = _matches(name, columns)
        hard = [m for m in missing if m not in DEFAULTS]
        near = name.rstrip("s") in stem
        scored.append((len(hard), not near, -len(matches), name))
    hard_missing, far, _, name = min(scored)
    return name if not hard_missing or not far else None


def _matches(name: str, columns: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Our columns with theirs, and the required ones that none was found for."""
    known = {plain(column): column for column in reversed(columns)}
    matches: dict[str, str] = {}
    for ours in table(name).names:
        spellings = [plain(ours), *MEANS[name].get(ours, "").split()]
        theirs = next((known[s] for s in spellings if s in known), None)
        if theirs is not None and theirs not in matches.values():
            matches[ours] = theirs
    return matches, [c for c in table(name).required if c not in matches]


def _written(column: str) -> str:
    return json.dumps(column, ensure_ascii=False)
