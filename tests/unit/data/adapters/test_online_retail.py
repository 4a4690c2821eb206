"""Online retail: every edition of the file reads to the same tables, and nothing vanishes."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pandas as pd
import pytest

from data.adapters import ADAPTERS
from data.adapters.interface import Imported
from data.errors import DataError

HEADER = "Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country"
ROWS = """
489434,85048,15CM CHRISTMAS GLASS BALL,12,2009-12-01 07:45:00,6.95,13085.0,United Kingdom
489434,79323P,PINK CHERRY LIGHTS,2,2009-12-01 07:46:00,6.75,13085.0,United Kingdom
489435,22350,CAT BOWL,1,2010-07-01 12:00:00,2.55,13085.0,Norway
489436,21523,STOCK CORRECTION,-5,2010-07-01 12:10:00,0,,United Kingdom
C489449,22087,PAPER BUNTING,-12,2010-07-02 10:33:00,2.95,13085.0,Norway
C489450,22087,PAPER BUNTING,-1,2010-07-02 11:33:00,2.95,,United Kingdom
489437,22350,"BOWL, CAT",2,2010-07-02 17:00:00,2.55,16321.0,Australia
""".strip()


def read(path: Path, **options: str) -> Imported:
    return ADAPTERS["online-retail"].read(path, options)


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    path = tmp_path / "online_retail_II.csv"
    path.write_text(f"{HEADER}\n{ROWS}\n", encoding="utf-8")
    return path


def as_frame(csv: Path) -> pd.DataFrame:
    frame = pd.read_csv(csv, dtype={"Invoice": "str", "StockCode": "str"})
    return frame.assign(InvoiceDate=pd.to_datetime(frame["InvoiceDate"]))


def assert_same(left: Imported, right: Imported) -> None:
    assert left.tables.keys() == right.tables.keys()
    for name, frame in left.tables.items():
        pd.testing.assert_frame_equal(frame, right.tables[name], check_dtype=False, obj=name)
    assert left.settings == right.settings


def test_lines_become_orders_items_customers_and_tickets(csv: Path) -> None:
    tables = read(csv).tables
    orders = tables["orders"].set_index("order_id")
    assert list(orders.index) == ["489434", "489435", "489437"]
    assert orders.loc["489434", "amount"] == 12 * 6.95 + 2 * 6.75
    assert orders.loc["489434", "quantity"] == 14
    assert pd.isna(orders.loc["489434", "product_id"])  # two products
    assert orders.loc["489435", "product_id"] == "22350"
    assert set(orders["currency"]) == {"GBP"}
    items = tables["order_items"]
    assert list(items["line"]) == ["1", "2", "1", "1"]
    assert list(items["product_id"]) == ["85048", "79323P", "22350", "22350"]
    tickets = tables["tickets"].set_index("ticket_id")
    assert list(tickets.index) == ["C489449", "C489450"]
    assert tickets.loc["C489449", "customer_id"] == "13085"
    assert pd.isna(tickets.loc["C489450", "customer_id"])
    assert tickets["is_complaint"].all()


def test_times_are_utc_and_an_order_is_born_with_its_last_line(csv: Path) -> None:
    orders = read(csv).tables["orders"].set_index("order_id")
    assert orders.loc["489434", "ordered_at"] == datetime(2009, 12, 1, 7, 46)  # winter: UTC
    assert orders.loc["489435", "ordered_at"] == datetime(2010, 7, 1, 11, 0)  # summer: one hour


def test_a_customer_who_moves_is_two_versions(csv: Path) -> None:
    customers = read(csv).tables["customers"]
    mover = customers[customers["customer_id"] == "13085"]
    assert list(mover["region"]) == ["United Kingdom", "Norway"]
    assert set(mover["signed_up_at"]) == {pd.Timestamp(2009, 12, 1, 7, 45)}
    assert mover["recorded_at"].iloc[1] == datetime(2010, 7, 1, 11, 0)


def test_what_has_no_place_is_counted(csv: Path) -> None:
    notes = " ".join(read(csv).notes)
    assert "1 baskets (1 lines) without a customer are not in orders" in notes
    assert "1 cancellations without a customer are kept as anonymous" in notes
    assert "2 lines of cancellations became 2 tickets" in notes


def test_both_editions_a_workbook_and_parquet_read_the_same(csv: Path, tmp_path: Path) -> None:
    expected = read(csv)
    first = as_frame(csv).rename(
        columns={"Invoice": "InvoiceNo", "Price": "UnitPrice", "Customer ID": "CustomerID"}
    )
    stamps = first["InvoiceDate"]
    first.assign(
        InvoiceDate=[f"{t.month}/{t.day}/{t.year} {t.hour}:{t:%M}" for t in stamps]
    ).to_csv(tmp_path / "first.csv", index=False, encoding="cp1252")
    assert_same(read(tmp_path / "first.csv"), expected)

    frame = as_frame(csv)
    frame.to_parquet(tmp_path / "copy.parquet")
    assert_same(read(tmp_path / "copy.parquet"), expected)

    with pd.ExcelWriter(tmp_path / "II.xlsx", engine="xlsxwriter") as book:
        frame.iloc[:5].to_excel(book, sheet_name="Year 2009-2010", index=False)
        frame.iloc[2:].to_excel(book, sheet_name="Year 2010-2011", index=False)
    book_read = read(tmp_path / "II.xlsx")
    assert_same(book_read, expected)
    assert "3 lines stand on two sheets" in " ".join(book_read.notes)


def test_basket_keys_stand_in_for_lost_invoice_numbers(csv: Path, tmp_path: Path) -> None:
    frame = as_frame(csv)
    lost = frame.assign(
        basket_key=frame["Invoice"].where(frame.index < 4, "k" + frame["Invoice"].str[-3:]),
        is_cancel=frame["Invoice"].str.startswith("C"),
        Invoice=frame["Invoice"].where(frame.index < 4),
    )
    lost.to_parquet(tmp_path / "copy.parquet")
    tables = read(tmp_path / "copy.parquet").tables
    assert list(tables["tickets"]["ticket_id"]) == ["k449", "k450"]
    assert list(tables["orders"]["order_id"]) == ["489434", "489435", "k437"]


def test_a_basket_of_two_customers_is_an_order_each(csv: Path) -> None:
    csv.write_text(csv.read_text().replace("489437,", "489435,"), encoding="utf-8")
    orders = read(csv).tables["orders"]
    assert list(orders["order_id"]) == ["489434", "489435/13085", "489435/16321"]


def test_the_last_day_is_left_out_unless_it_is_whole(csv: Path) -> None:
    assert read(csv).settings["data.complete_to"] == datetime(2010, 7, 1, 23, 0)
    stated = read(csv, complete_to="2010-07-03").settings
    assert stated["data.complete_to"] == datetime(2010, 7, 3)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("2010-07-01 12:00:00", "someday", "InvoiceDate: is not a time"),
        (",2.55,13085.0", ",cheap,13085.0", "Price: is not a number"),
        ("489435,", ",", "Invoice: is empty"),
    ],
)
def test_a_line_with_a_bad_cell_is_set_aside(csv: Path, old: str, new: str, message: str) -> None:
    csv.write_text(csv.read_text().replace(old, new, 1), encoding="utf-8")
    imported = read(csv)
    assert list(imported.set_aside["orders"]["row"]) == [3]
    assert f"orders: 1 rows of {csv.name} are set aside: {message}" in " ".join(imported.notes)


def test_an_order_with_a_line_set_aside_has_no_amount(csv: Path) -> None:
    before = read(csv).tables["orders"].set_index("order_id")
    first = csv.read_text().splitlines()[1]
    csv.write_text(csv.read_text().replace(first, first.replace(",6.95,", ",dear,")))
    imported = read(csv)
    orders = imported.tables["orders"].set_index("order_id")
    assert pd.isna(orders.loc["489434", "amount"]) and pd.isna(orders.loc["489434", "quantity"])
    others = orders.index.drop("489434")
    pd.testing.assert_frame_equal(orders.loc[others], before.loc[others])
    assert "1 orders of which a line is set aside" in " ".join(imported.notes)


def test_a_missing_column_is_named(csv: Path) -> None:
    csv.write_text(csv.read_text().replace("Quantity,", "Quantty,"), encoding="utf-8")
    with pytest.raises(DataError, match=r'no column "Quantity".*Did you mean "Quantty"'):
        read(csv)


def test_a_file_without_rows_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(HEADER + "\n")
    with pytest.raises(DataError, match=r"a\.csv has no rows"):
        read(tmp_path / "a.csv")
    (tmp_path / "b.csv").write_text("")
    with pytest.raises(DataError, match=r"b\.csv is empty"):
        read(tmp_path / "b.csv")
