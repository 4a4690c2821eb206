"""Bad input at the command line's doors: named, refused or quarantined, exit 1, nothing lost."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data.workspace import init, write_tables

pytestmark = pytest.mark.system


def _company(folder: Path, customers: int = 40, days: int = 200, complaints: bool = True) -> Path:
    """A company of tickets and customers, written as a user would."""
    init(folder)
    start = pd.Timestamp("2026-01-01")
    ids = [f"c{i}" for i in range(customers)]
    rows = [
        {
            "ticket_id": f"t{i}-{day}",
            "opened_at": start + pd.Timedelta(days=day, hours=9 + i % 8),
            "channel": "email",
            "customer_id": c,
            "topic": "billing",
            "is_complaint": complaints and (i + day) % 3 == 0,
        }
        for i, c in enumerate(ids)
        for day in range(i % 9, days, 9)
    ]
    customers_frame = pd.DataFrame({"customer_id": ids, "signed_up_at": start})
    write_tables(folder, {"customers": customers_frame, "tickets": pd.DataFrame(rows)})
    return folder


def _refused(run_presage, *arguments: object) -> str:
    told = run_presage(*arguments, code=1).stderr
    assert "Traceback" not in told
    return told


def test_a_missing_column_names_the_near_miss(run_presage, tmp_path) -> None:
    folder = _company(tmp_path / "w")
    path = folder / "tables" / "tickets.parquet"
    pd.read_parquet(path).rename(columns={"opened_at": "opend_at"}).to_parquet(path)
    told = _refused(run_presage, "train", folder)
    assert "opened_at" in told and "opend_at" in told and "tickets.parquet" in told


def test_wrong_types_and_duplicates_are_quarantined_and_the_rest_kept(
    run_presage, tmp_path
) -> None:
    folder = _company(tmp_path / "w")
    path = folder / "tables" / "tickets.parquet"
    good = pd.read_parquet(path)
    path.unlink()
    text = good.astype(object)
    text.loc[3, "opened_at"] = "yesterday"
    text.loc[5, "channel"] = None
    text.to_csv(folder / "tables" / "tickets.csv", index=False)
    told = run_presage("check", folder, code=1).stdout
    assert "tickets.csv" in told and "yesterday" in told and "channel" in told
    kept = pd.read_parquet(folder / ".presage" / "quarantine" / "tickets.parquet")
    assert set(kept["column"]) == {"opened_at", "channel"}
    assert "2 rows quarantined" in told


def test_times_in_the_future_are_refused_by_row(run_presage, tmp_path) -> None:
    folder = _company(tmp_path / "w")
    told = run_presage("check", folder, "--clock", "2026-02-01", code=1).stdout
    assert "tickets.parquet" in told and "future" in told


def test_empty_tables_say_what_is_missing(run_presage, tmp_path) -> None:
    folder = tmp_path / "w"
    init(folder)
    told = _refused(run_presage, "train", folder)
    assert "tables" in told
    pd.DataFrame({"ticket_id": [], "opened_at": [], "channel": []}).to_csv(
        folder / "tables" / "tickets.csv", index=False
    )
    _refused(run_presage, "train", folder, "--as-of", "2026-03-01")


def test_too_little_history_says_how_much_is_missing_and_gets_the_rule(
    run_presage, tmp_path
) -> None:
    folder = _company(tmp_path / "w", days=20)
    done = run_presage("train", folder, "--only", "risk")
    assert "too little history" in done.stderr and "enough by about 2026-" in done.stderr
    assert "rule of recency and frequency stands in" in done.stdout
    run_presage("score", folder, "--out", tmp_path / "scores.csv")
    scores = pd.read_csv(tmp_path / "scores.csv")
    assert len(scores) == 40 and scores["risk_14d"].between(0, 1, inclusive="neither").all()


def test_one_class_only_is_refused(run_presage, tmp_path) -> None:
    folder = _company(tmp_path / "w", complaints=False)
    told = _refused(run_presage, "train", folder, "--only", "risk")
    assert "complaint" in told


def test_scoring_without_a_model_says_what_to_do(run_presage, tmp_path) -> None:
    folder = _company(tmp_path / "w")
    assert "presage train" in _refused(run_presage, "score", folder)


def test_columns_that_the_model_learned_from_are_missed_by_name(
    run_presage, trained_workspace, tmp_path
) -> None:
    folder = Path(shutil.copytree(trained_workspace, tmp_path / "w"))
    for name, column in (("orders", "delivered_at"), ("order_items", "product_id")):
        path = folder / "tables" / f"{name}.parquet"
        rows = pq.read_table(path)
        at = rows.schema.get_field_index(column)
        pq.write_table(rows.set_column(at, column, pa.nulls(len(rows))), path)
    path = folder / "tables" / "tickets.parquet"
    pq.write_table(pq.read_table(path).drop_columns(["customer_id"]), path)
    before = (folder / ".presage" / "published" / "scores.json").read_bytes()
    said = _refused(run_presage, "score", folder)
    assert "tickets.customer_id (" in said and "order_items.product_id (" in said
    assert _refused(run_presage, "outreach", folder, "--commit", "--yes")
    assert (folder / ".presage" / "published" / "scores.json").read_bytes() == before
    said = run_presage("score", folder, "--publish").stderr
    assert "orders.delivered_at (" in said and "presage train --accept-changes" in said
    monitor = json.loads(run_presage("monitor", folder, "--json", code=1).stdout)
    (columns,) = [one for one in monitor["findings"] if one["what"] == "columns"]
    assert columns["status"] == "alarm" and "tickets.customer_id (" in columns["text"]


def test_a_damaged_model_is_refused_by_name(run_presage, trained_workspace, tmp_path) -> None:
    folder = Path(shutil.copytree(trained_workspace, tmp_path / "w"))
    (text,) = (folder / ".presage" / "models" / "risk").glob("[0-9]*/trees_7d.txt")
    content = bytearray(text.read_bytes())
    content[len(content) // 2] ^= 1
    text.write_bytes(bytes(content))
    # scores that are current would be opened, and no model
    shutil.rmtree(folder / ".presage" / "published", ignore_errors=True)
    assert "trees_7d.txt" in _refused(run_presage, "score", folder)


def test_a_damaged_snapshot_is_refused_by_name(run_presage, trained_workspace, tmp_path) -> None:
    folder = Path(shutil.copytree(trained_workspace, tmp_path / "w"))
    for file in (folder / ".presage" / "snapshots").glob("*/tickets.parquet"):
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(bytes(content))
    assert "tickets.parquet" in _refused(run_presage, "score", folder)


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("[service_levels.forum]\nshare = 0.9\n", "target_seconds"),
        ('[opening_hours.phone]\nmon = "18:00-08:00"\n', "end before they begin"),
        ("[outreach]\ncontact_cost = -1\n", "contact_cost"),
        ("[staffing]\nshrinkge = 0.2\n", "shrinkage"),
    ],
)
def test_settings_are_refused_by_name(run_presage, tmp_path, section, said) -> None:
    folder = _company(tmp_path / "w", days=10)
    (folder / "presage.toml").write_text(section)
    assert said in _refused(run_presage, "settings", folder)


def test_an_unknown_scope_and_adapter_are_refused_by_name(run_presage, tmp_path) -> None:
    folder = _company(tmp_path / "w", days=10)
    assert (
        "forecasts"
        in run_presage("keys", folder, "create", "x", "--scopes", "forecast", code=2).stderr
    )
    assert "incidents" in run_presage("import", "incident", tmp_path, folder, code=2).stderr
