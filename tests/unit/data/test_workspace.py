"""A workspace: opened or refused by name, filled by key, its settings edited in place."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pandas as pd
import pytest

from data.errors import DataError, SettingsError, UsageError
from data.settings import Settings
from data.workspace import Workspace, init, last_midnight, set_setting, write_tables


def read(workspace: Workspace, name: str) -> pd.DataFrame:
    return pd.read_parquet(workspace.tables_dir / f"{name}.parquet")


def test_a_new_workspace_opens_with_the_defaults_and_is_left_alone_later(tmp_path: Path) -> None:
    workspace = init(tmp_path / "acme")
    assert workspace.settings == Settings()
    assert workspace.state_dir.stat().st_mode & 0o777 == 0o700
    (workspace.path / "presage.toml").write_text("[risk]\nseed = 3\n")
    assert init(tmp_path / "acme").settings.risk.seed == 3


def test_what_is_no_workspace_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is nothing of that name. `presage init"):
        Workspace.open(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="there is a file of that name"):
        Workspace.open(tmp_path / "file")
    with pytest.raises(UsageError, match="a workspace is a folder"):
        init(tmp_path / "file")
    with pytest.raises(UsageError, match=r"neither tables/ nor presage.toml"):
        Workspace.open(tmp_path)
    (tmp_path / "tables").mkdir()
    assert Workspace.open(tmp_path, {}).settings == Settings()  # presage.toml may be absent


def test_rows_are_merged_by_key_and_never_doubled(tmp_path: Path) -> None:
    workspace = init(tmp_path)
    first = pd.DataFrame(
        {"ticket_id": ["1", "2"], "opened_at": "2026-01-01", "channel": ["a", "b"]}
    )
    assert write_tables(tmp_path, {"tickets": first}) == {"tickets": 2}
    assert write_tables(tmp_path, {"tickets": first}) == {"tickets": 2}
    second = pd.DataFrame(
        {"ticket_id": ["2", "3"], "opened_at": "2026-01-02", "channel": "c", "topic": "late"}
    )
    assert write_tables(tmp_path, {"tickets": second}) == {"tickets": 3}
    tickets = read(workspace, "tickets").set_index("ticket_id")
    assert tickets["channel"].to_dict() == {"1": "a", "2": "c", "3": "c"}
    assert tickets.loc["2", "opened_at"] == "2026-01-02"


def test_stated_versions_stay_apart_and_the_same_version_is_replaced(tmp_path: Path) -> None:
    def version(day: int, channel: str) -> pd.DataFrame:
        return pd.DataFrame(
            {
                "ticket_id": ["1"],
                "opened_at": pd.Timestamp(2026, 1, 1),
                "channel": [channel],
                "recorded_at": pd.Timestamp(2026, 1, day),
            }
        )

    workspace = init(tmp_path)
    for day, channel in ((1, "a"), (2, "b"), (2, "c")):
        write_tables(tmp_path, {"tickets": version(day, channel)})
    assert read(workspace, "tickets")["channel"].tolist() == ["a", "c"]


def test_rows_without_a_key_are_counted(tmp_path: Path) -> None:
    workspace = init(tmp_path)
    view = {"viewed_at": pd.Timestamp(2026, 1, 1), "article_id": "a"}
    views = pd.DataFrame([view, view, {**view, "article_id": "b"}])
    usage = pd.DataFrame(
        {"event_id": [None, None, "e"], "used_at": "2026-01-01", "customer_id": "c", "feature": "f"}
    )
    for _ in range(2):
        assert write_tables(tmp_path, {"article_events": views, "usage": usage}) == {
            "article_events": 3,
            "usage": 3,
        }
    write_tables(tmp_path, {"article_events": pd.DataFrame([view] * 4)})
    assert read(workspace, "article_events")["article_id"].tolist().count("a") == 4


def test_without_by_key_the_frame_is_the_table(tmp_path: Path) -> None:
    workspace = init(tmp_path)
    frame = pd.DataFrame({"article_id": ["1", "1"], "published_at": "2026-01-01", "topic": "t"})
    write_tables(tmp_path, {"articles": frame}, by_key=False)
    assert write_tables(tmp_path, {"articles": frame.iloc[:1]}, by_key=False) == {"articles": 1}
    assert len(read(workspace, "articles")) == 1
    assert [p.name for p in workspace.tables_dir.iterdir()] == ["articles.parquet"]


def test_a_table_in_another_form_is_not_merged_into(tmp_path: Path) -> None:
    workspace = init(tmp_path)
    (workspace.tables_dir / "articles.csv").write_text("article_id,published_at,topic\n")
    with pytest.raises(DataError, match=r"already holds articles as articles\.csv"):
        write_tables(tmp_path, {"articles": pd.DataFrame({"article_id": ["1"]})})
    with pytest.raises(DataError, match='Did you mean "articles"'):
        write_tables(tmp_path, {"article": pd.DataFrame()})


def test_a_setting_is_written_among_its_comments(tmp_path: Path) -> None:
    workspace = init(tmp_path)
    before = (tmp_path / "presage.toml").read_text()
    set_setting(tmp_path, "data.complete_to", pd.Timestamp("2026-03-01 12:00"))
    set_setting(tmp_path, "company.country", ("NO", "SE"))
    set_setting(tmp_path, "service_levels.forum.target_seconds", 60)
    after = (tmp_path / "presage.toml").read_text()
    assert [line for line in before.splitlines() if line not in after] == []
    settings = Workspace.open(workspace.path, {}).settings
    assert settings.data.complete_to == datetime(2026, 3, 1, 12)
    assert settings.company.country == ("NO", "SE")
    assert settings.service_levels["forum"].target_seconds == 60
    set_setting(tmp_path, "data.complete_to", None)
    assert Workspace.open(workspace.path, {}).settings.data.complete_to is None


def test_a_setting_that_would_not_load_is_not_written(tmp_path: Path) -> None:
    init(tmp_path)
    before = (tmp_path / "presage.toml").read_text()
    for name, value in (("company.time_zone", "Mars"), ("company.zone", "UTC"), ("seed", 1)):
        with pytest.raises(SettingsError) as refused:
            set_setting(tmp_path, name, value)
        assert "staging" not in str(refused.value)
    assert (tmp_path / "presage.toml").read_text() == before


@pytest.mark.parametrize(
    ("moment", "zone", "midnight"),
    [
        (datetime(2026, 1, 5), "UTC", datetime(2026, 1, 5)),  # itself a midnight
        (datetime(2026, 1, 5, 23, 59), "UTC", datetime(2026, 1, 5)),
        (datetime(2026, 3, 29, 12), "Europe/Oslo", datetime(2026, 3, 28, 23)),  # clocks forward
        (datetime(2026, 10, 25, 12), "Europe/Oslo", datetime(2026, 10, 24, 22)),
        (datetime(2026, 1, 5, 18, 29), "Asia/Kolkata", datetime(2026, 1, 4, 18, 30)),
    ],
)
def test_midnight_is_local(moment: datetime, zone: str, midnight: datetime) -> None:
    assert last_midnight(moment, zone) == midnight


def test_a_setting_s_part_may_have_a_dot_of_its_own(tmp_path: Path) -> None:
    init(tmp_path)
    set_setting(tmp_path, ("opening_hours", "x.com"), {"mon": "08:00-16:00"})
    assert Workspace.open(tmp_path).settings.opening_hours["x.com"] == {"mon": "08:00-16:00"}
