"""Exports of help desks, shops and trackers, as their publishers' pages describe them; own rows."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from data.adapters import ADAPTERS
from data.adapters.interface import Imported


def read(name: str, path: Path, **options: str) -> Imported:
    return ADAPTERS[name].read(path, options)


def put(path: Path, content: Any) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def row(imported: Imported, table: str, key: str) -> pd.Series:
    frame = imported.tables[table]
    return frame.set_index(frame.columns[0]).loc[key]


ZENDESK = {
    "id": 35436,
    "created_at": "2026-01-05T10:00:00Z",
    "updated_at": "2026-01-07T10:00:00Z",
    "requester_id": 20978392,
    "via": {"channel": "voice"},
    "status": "solved",
    "tags": ["billing"],
    "subject": "Where is it?",
    "satisfaction_rating": {"score": "good", "updated_at": "2026-01-08T10:00:00Z"},
    "metric_set": {
        "solved_at": "2026-01-06T10:00:00Z",
        "reopens": 0,
        "reply_time_in_minutes": {"calendar": 90, "business": 30},
    },
}


def test_zendesk_tickets_from_the_api(tmp_path: Path) -> None:
    merged = {**ZENDESK, "id": 2, "tags": ["closed_by_merge"], "satisfaction_rating": None}
    by_rule = {**ZENDESK, "id": 3, "via": {"channel": "rule"}, "metric_set": None}
    gone = {**ZENDESK, "id": 4, "status": "deleted"}
    path = put(tmp_path / "tickets.json", {"tickets": [ZENDESK, merged, by_rule, gone]})
    made = read("zendesk", path)
    first = row(made, "tickets", "35436")
    assert first["channel"] == "phone"
    assert first["first_response_at"] == datetime(2026, 1, 5, 11, 30)
    assert first["resolved_at"] == datetime(2026, 1, 6, 10)
    assert (first["csat"], first["csat_at"]) == (5, datetime(2026, 1, 8, 10))
    assert made.tables["tickets"]["is_machine"].tolist() == [False, True, True, False]
    assert made.tables["tickets"]["deleted"].tolist() == [False, False, False, True]


def test_people_as_objects_of_an_account_export(tmp_path: Path) -> None:
    ids = ("requester_id", "assignee_id")
    bare = {name: value for name, value in ZENDESK.items() if name not in ids}
    people = {"requester": {"id": 5, "name": "P"}, "assignee": {"id": 9, "name": "Q"}}
    path = put(tmp_path / "tickets.json", {"tickets": [{**bare, **people}]})
    tickets = read("zendesk", path).tables["tickets"]
    assert tickets["customer_id"].tolist() == ["5"] and tickets["agent_id"].tolist() == ["9"]


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("ticket.csv", "id,created_at,requester_id,via_channel,status,_fivetran_deleted"),
        ("tickets.csv", "id,created_at,requester_id,via__channel,status,_sdc_received_at"),
        ("view.csv", "Id,Created at,Requester id,Via,Status,Group"),
        ("view.csv", "Id,Requested,Requester,Channel,Status,Group"),
    ],
)
def test_zendesk_tickets_from_pipelines_and_views(tmp_path: Path, name: str, columns: str) -> None:
    path = put(tmp_path / name, f"{columns}\n7,2026-01-05 10:00:00,42,web,solved,false\n")
    one = row(read("zendesk", path), "tickets", "7")
    assert (one["customer_id"], one["channel"]) == ("42", "web")
    assert one["opened_at"] == datetime(2026, 1, 5, 10)


@pytest.mark.parametrize(
    ("channel", "ours"),
    [("Email", "email"), ("Web form", "web"), ("Phone call (inbound)", "phone"), ("", "unknown")],
)
def test_channels_of_a_zendesk_view(tmp_path: Path, channel: str, ours: str) -> None:
    head = "Id,Subject,Requester,Requested,Channel,Status,Group"
    line = f"7,Late,Ann,2026-01-05 10:00,{channel},Solved,Care"
    one = row(read("zendesk", put(tmp_path / "view.csv", f"{head}\n{line}\n")), "tickets", "7")
    assert (one["customer_id"], one["channel"]) == ("Ann", ours)


def test_a_channel_that_is_no_word_is_set_aside(tmp_path: Path) -> None:
    records = [
        ZENDESK | {"id": number, "via": via}
        for number, via in enumerate([{"channel": ["web"]}, ["web"], {"channel": {"a": 1}}, None])
    ]
    imported = read("zendesk", put(tmp_path / "tickets.json", {"tickets": [*records, ZENDESK]}))
    assert imported.tables["tickets"]["ticket_id"].tolist() == ["3", "35436"]
    assert imported.set_aside["tickets"]["row"].tolist() == [1, 2, 3]
    assert set(imported.set_aside["tickets"]["column"]) == {"channel"}


def test_a_parquet_file_of_objects_reads_as_its_json(tmp_path: Path) -> None:
    plain = {name: ZENDESK[name] for name in ("id", "created_at", "requester_id", "via")}
    path = tmp_path / "tickets.parquet"
    pd.DataFrame([plain, plain | {"id": 1, "via": {"channel": "web"}}]).to_parquet(path)
    assert read("zendesk", path).tables["tickets"]["channel"].tolist() == ["phone", "web"]


FROM_ZENDESK = {key: ZENDESK[key] for key in ("id", "created_at", "requester_id", "via", "tags")}
BY_RULE, WITHIN = {"channel": "rule"}, {"channel": "web"}
SAID, NOTED = [{"type": "Comment", "public": True}], [{"type": "Comment", "public": False}]
SPOKEN = [{"event_type": "Comment", "comment_public": True}]
BESIDE = {
    "ticket_audits.json": {
        "audits": [
            {"ticket_id": 35436, "created_at": at, "author_id": by, "via": via, "events": events}
            for at, by, via, events in (
                ("2026-01-05T10:00:00Z", 20978392, WITHIN, SAID),
                ("2026-01-05T10:00:05Z", -1, BY_RULE, SAID),
                ("2026-01-05T10:20:00Z", 9, WITHIN, NOTED),
                ("2026-01-05T11:30:00Z", 9, WITHIN, SAID),
                ("2026-01-05T12:30:00Z", 9, WITHIN, SAID),
            )
        ]
    },
    "ticket_events.json": {
        "ticket_events": [
            {"ticket_id": 35436, "timestamp": 1767607205, "updater_id": -1, "via": "Rule",
             "child_events": SPOKEN},
            {"ticket_id": 35436, "timestamp": 1767612600, "updater_id": 9, "via": "Web form",
             "child_events": SPOKEN},
        ]
    },
    "ticket_metrics.json": {
        "ticket_metrics": [{"ticket_id": 35436, "reply_time_in_minutes": {"calendar": 90}}]
    },
}  # fmt: skip


@pytest.mark.parametrize("name", list(BESIDE))
def test_the_first_answer_is_a_persons_wherever_zendesk_tells_it(tmp_path: Path, name: str) -> None:
    put(tmp_path / "tickets_0.json", {"tickets": [FROM_ZENDESK], "end_of_stream": True})
    put(tmp_path / name, BESIDE[name])
    made = read("zendesk", tmp_path)
    assert row(made, "tickets", "35436")["first_response_at"] == datetime(2026, 1, 5, 11, 30)
    assert not any("not read" in note for note in made.notes)


SHOPIFY = """\
Name,Email,Financial Status,Paid at,Fulfillment Status,Fulfilled at,Currency,Total,Created at,\
Lineitem quantity,Lineitem name,Lineitem price,Lineitem sku,Cancelled at,Refunded Amount,\
Shipping Method
#1001,Ann@x.no,paid,2026-01-05 10:00:00 +0100,fulfilled,2026-01-06 10:00:00 +0100,NOK,500.00,\
2026-01-05 09:59:00 +0100,1,Cup,100.00,CUP,,0.00,Post
#1001,,,,,,,,,2,Jug,200.00,JUG,,,
#1002,bo@x.no,refunded,2026-01-05 10:00:00 +0100,,,SEK,40.00,2026-01-05 11:00:00 +0100,1,Cup,40.00,\
CUP,2026-01-07 10:00:00 +0100,40.00,Post
"""


def test_shopify_orders_of_several_lines(tmp_path: Path) -> None:
    made = read("shopify", put(tmp_path / "orders_export.csv", SHOPIFY))
    first, second = row(made, "orders", "#1001"), row(made, "orders", "#1002")
    assert len(made.tables["orders"]) == 2
    assert (first["quantity"], first["amount"], first["currency"]) == (3, 500, "NOK")
    assert first["ordered_at"] == datetime(2026, 1, 5, 8, 59)
    assert first["customer_id"] == "ann@x.no"
    assert pd.isna(first["refunded_at"]) and pd.isna(first["refund_amount"])
    assert (second["refunded_at"], second["refund_amount"]) == (datetime(2026, 1, 7, 9), 40)
    items = made.tables["order_items"]
    assert items[["order_id", "line", "amount"]].to_numpy().tolist() == [
        ["#1001", "1", 100],
        ["#1001", "2", 400],
        ["#1002", "1", 40],
    ]


def test_shopify_orders_from_the_api(tmp_path: Path) -> None:
    order = {
        "name": "#7",
        "created_at": "2026-01-05T10:00:00-05:00",
        "customer": {"id": 77},
        "email": "a@b.c",
        "total_price": "12.50",
        "currency": "USD",
        "line_items": [{"quantity": 2}, {"quantity": 1}],
        "fulfillments": [{"created_at": "2026-01-06T10:00:00-05:00", "tracking_company": "UPS"}],
        "refunds": [{"created_at": "2026-01-09T10:00:00-05:00"}],
        "cancelled_at": None,
    }
    one = row(read("shopify", put(tmp_path / "orders.json", {"orders": [order]})), "orders", "#7")
    assert (one["customer_id"], one["quantity"], one["carrier"]) == ("77", 3, "UPS")
    assert one["shipped_at"] == datetime(2026, 1, 6, 15)
    assert one["refunded_at"] == datetime(2026, 1, 9, 15)


PAID_BACK = datetime(2026, 1, 9, 10)


def paid_back(*amounts: float, at: str = "2026-01-09T10:00:00Z") -> dict[str, Any]:
    parts = [{"kind": "refund", "status": "success", "amount": f"{a:.2f}"} for a in amounts]
    return {"created_at": at, "transactions": parts}


@pytest.mark.parametrize(
    ("refunds", "first"),
    [
        ([], None),
        ([paid_back()], None),  # items put back, no money
        ([paid_back(), paid_back(5, at="2026-01-11T10:00:00Z"), paid_back(7)], PAID_BACK),
        ([{**paid_back(), "transactions": [{"status": "failure", "amount": "5"}]}], None),
        ([{"createdAt": "2026-01-09T10:00:00Z",
           "totalRefundedSet": {"shopMoney": {"amount": "3.0"}}}], PAID_BACK),
    ],
)  # fmt: skip
def test_a_shopify_refund_is_one_that_gave_money_back(
    tmp_path: Path, refunds: list[Any], first: datetime | None
) -> None:
    shown = {"currency": "USD", "presentment_currency": "EUR", "total_price": "12.50"}
    order = {
        "name": "#7",
        "created_at": "2026-01-05",
        "email": "a@b.c",
        "refunds": refunds,
        **shown,
    }
    one = row(read("shopify", put(tmp_path / "orders.json", {"orders": [order]})), "orders", "#7")
    assert (one["amount"], one["currency"]) == (12.5, "USD")
    assert one["refunded_at"] == first or (first is None and pd.isna(one["refunded_at"]))


LATER = "2026-01-11T10:00:00Z"


@pytest.mark.parametrize(
    ("refunds", "amount", "last"),
    [
        ([paid_back(3)], 3, PAID_BACK),
        ([paid_back(5, at=LATER), paid_back(7)], 12, datetime(2026, 1, 11, 10)),
        ([paid_back(5, 1), paid_back(at=LATER)], 6, PAID_BACK),  # then items only
        ([{"createdAt": LATER, "totalRefundedSet": {"shopMoney": {"amount": "3.0"}}}], 3,
         datetime(2026, 1, 11, 10)),
        ([{"created_at": LATER}], None, datetime(2026, 1, 11, 10)),  # nobody says how much
        ([paid_back(3), {**paid_back(), "transactions": [{"amount": "5", "currency": "EUR"}]}],
         None, PAID_BACK),  # dollars and euros are no sum
    ],
)  # fmt: skip
def test_what_a_shopify_order_gave_back_is_known_once_the_last_part_is(
    tmp_path: Path, refunds: list[Any], amount: float | None, last: datetime
) -> None:
    order = {"name": "#7", "created_at": "2026-01-05", "email": "a@b.c", "total_price": "12.50",
             "currency": "USD", "refunds": refunds}  # fmt: skip
    one = row(read("shopify", put(tmp_path / "orders.json", {"orders": [order]})), "orders", "#7")
    assert one["last_refund_at"] == last
    assert one.get("refund_amount") == amount or (amount is None and pd.isna(one["refund_amount"]))


def test_items_of_shopify_orders_from_the_api(tmp_path: Path) -> None:
    sold = [
        {"id": 11, "sku": "CUP", "price": "30.00", "quantity": 2},
        {"id": 12, "sku": "", "product_id": 5, "price": "40.00", "quantity": 1},
    ]
    back = {"created_at": LATER, "refund_line_items": [{"restock_type": "return"}]}
    common = {"created_at": "2026-01-05", "email": "a@b.c", "total_price": "100", "currency": "USD"}
    orders = [
        {**common, "name": "#1", "line_items": sold, "refunds": [back]},
        {**common, "name": "#2", "line_items": [], "refunds": []},
    ]
    made = read("shopify", put(tmp_path / "orders.json", {"orders": orders}))
    items = made.tables["order_items"]
    assert items.to_numpy().tolist() == [["#1", "11", "CUP", 2, 60], ["#1", "12", "5", 1, 40]]
    assert made.tables["orders"]["returned_at"].tolist() == [datetime(2026, 1, 11, 10), pd.NaT]
    assert not any("left out" in note for note in made.notes)


def test_shopify_bulk_lines_are_orders_and_their_items(tmp_path: Path) -> None:
    money = {"shopMoney": {"amount": "10.00", "currencyCode": "NOK"}}
    lines = [
        {"id": "gid://shopify/Order/1", "name": "#1", "createdAt": "2026-01-05T10:00:00Z",
         "email": "A@b.c", "totalPriceSet": money,
         "fulfillments": [{"createdAt": "2026-01-06", "deliveredAt": "2026-01-08T10:00:00Z"}]},
        {"id": "gid://shopify/LineItem/5", "name": "Cup", "sku": "CUP", "quantity": 2,
         "originalUnitPriceSet": {"shopMoney": {"amount": "5.00"}},
         "__parentId": "gid://shopify/Order/1"},
    ]  # fmt: skip
    path = put(tmp_path / "bulk.jsonl", "\n".join(map(json.dumps, lines)) + "\n")
    made = read("shopify", path)
    one = row(made, "orders", "#1")
    assert (len(made.tables["orders"]), one["currency"], one["customer_id"]) == (1, "NOK", "a@b.c")
    assert one["delivered_at"] == datetime(2026, 1, 8, 10)
    items = made.tables["order_items"][["order_id", "line", "product_id", "amount"]]
    assert items.to_numpy().tolist() == [["#1", "1", "CUP", 10]]


def test_segment_calls(tmp_path: Path) -> None:
    base = {"timestamp": "2026-01-05T10:00:00.123Z", "messageId": "m1"}
    calls = [
        {**base, "type": "track", "userId": "u", "event": "Payment failed"},
        {**base, "messageId": "m2", "type": "track", "userId": None, "event": "Viewed"},
        {
            **base,
            "messageId": "m3",
            "type": "identify",
            "userId": "u",
            "traits": {"createdAt": "2025-12-01T00:00:00Z", "plan": "pro"},
        },
    ]
    path = put(tmp_path / "calls.jsonl", "\n".join(map(json.dumps, calls)) + "\n")
    made = read("segment", path)
    assert made.tables["usage"][["event_id", "feature", "errors"]].to_numpy().tolist() == [
        ["m1", "Payment failed", 1]
    ]
    customer = row(made, "customers", "u")
    assert (customer["plan"], customer["signed_up_at"]) == ("pro", datetime(2025, 12, 1))
    assert any("2 rows of calls.jsonl are left out" in note for note in made.notes)


def test_another_thing_under_a_columns_name_costs_no_row(tmp_path: Path) -> None:
    """Freshdesk's response time is a moment in one export and a span in the other."""
    rows = "".join(f"{n},Email,2026-01-05 10:00:00,00:{n}:05\n" for n in range(10, 30))
    path = put(tmp_path / "t.csv", "Ticket ID,Source,Created time,Initial response time\n" + rows)
    made = read("freshdesk", path)
    assert len(made.tables["tickets"]) == 20
    assert "first_response_at" not in made.tables["tickets"]
    assert any("first_response_at is left out" in note for note in made.notes)


@pytest.mark.parametrize(
    ("adapter", "file", "content", "expected"),
    [
        (
            "freshdesk",
            "tickets.csv",
            "Ticket ID,Subject,Status,Priority,Source,Type,Created time,Resolved time,Contact ID\n"
            "9,Late,Closed,High,Email,Problem,2026-01-05 10:00:00,2026-01-06 10:00:00,c\n",
            ("9", "email", "Problem", "c"),
        ),
        (
            "freshdesk",
            "tickets.json",
            [{"id": 9, "source": 3, "priority": 4, "type": "Problem", "requester_id": 5,
              "created_at": "2026-01-05T10:00:00Z", "spam": False,
              "stats": {"resolved_at": "2026-01-06T10:00:00Z"}}],
            ("9", "phone", "Problem", "5"),
        ),
        (
            "intercom",
            "conversations.json",
            {"type": "conversation.list", "conversations": [
                {"id": "9", "created_at": 1767607200, "source": {"type": "conversation"},
                 "contacts": {"contacts": [{"id": "c"}]}, "priority": "priority",
                 "custom_attributes": {"Topic": "Billing"},
                 "statistics": {"last_close_at": 1767693600}}]},
            ("9", "chat", "Billing", "c"),
        ),
        (
            "jira",
            "search.json",
            {"total": 1, "issues": [{"key": "HELP-9", "fields": {
                "created": "2026-01-05T10:00:00.000+0000", "issuetype": {"name": "Incident"},
                "reporter": {"accountId": "c"}, "priority": {"name": "High"},
                "resolutiondate": "2026-01-06T10:00:00.000+0000"}}]},
            ("HELP-9", "portal", "Incident", "c"),
        ),
        (
            "jira",
            "issues.csv",
            "Issue key,Summary,Created,Resolved,Reporter,Priority,Issue Type\n"
            "HELP-9,Late,2026-01-05 10:00,2026-01-06 10:00,c,High,Incident\n",
            ("HELP-9", "portal", "Incident", "c"),
        ),
        (
            "hubspot",
            "tickets.json",
            {"results": [{"id": "9", "properties": {
                "createdate": "2026-01-05T10:00:00.000Z", "source_type": "EMAIL",
                "hs_ticket_category": "BILLING", "hs_primary_contact_id": "c",
                "closed_date": "2026-01-06T10:00:00.000Z"}}]},
            ("9", "email", "BILLING", "c"),
        ),
        (
            "salesforce",
            "Case.csv",
            "Id,CaseNumber,ContactId,Origin,Type,Priority,CreatedDate,ClosedDate,IsDeleted\n"
            "5x,00009,c,Phone,Problem,High,2026-01-05T10:00:00.000+0000,"
            "2026-01-06T10:00:00.000+0000,false\n",
            ("00009", "phone", "Problem", "c"),
        ),
        (
            "salesforce",
            "cases.csv",
            "Case Number,Contact ID,Case Origin,Case Reason,Date/Time Opened,Date/Time Closed\n"
            "00009,c,Email,Delay,2026-01-05 10:00,2026-01-06 10:00\n",
            ("00009", "email", "Delay", "c"),
        ),
    ],
)  # fmt: skip
def test_help_desks(
    tmp_path: Path, adapter: str, file: str, content: Any, expected: tuple[str, ...]
) -> None:
    made = read(adapter, put(tmp_path / file, content)).tables["tickets"]
    one = made.iloc[0]
    assert (one["ticket_id"], one["channel"], one["topic"], one["customer_id"]) == expected
    assert one["opened_at"] == datetime(2026, 1, 5, 10)
    assert one["resolved_at"] == datetime(2026, 1, 6, 10)


def test_times_of_a_report_follow_the_option(tmp_path: Path) -> None:
    text = "Case Number,Case Origin,Date/Time Opened\n1,Email,03/04/2026 10:00\n"
    path = put(tmp_path / "cases.csv", text)
    made = read("salesforce", path, dates="day_first", time_zone="Europe/Oslo")
    assert row(made, "tickets", "1")["opened_at"] == datetime(2026, 4, 3, 8)
