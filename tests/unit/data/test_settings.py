"""presage.toml and the environment: what holds, where it came from, and what is refused."""

from __future__ import annotations

import dataclasses
import re
from datetime import datetime
from pathlib import Path

import pytest

from data.errors import PresageError, SettingsError
from data.settings import (
    DEFAULT_SERVICE_LEVELS,
    Settings,
    commented_toml,
    explain,
    load_settings,
    opening_intervals,
)
from data.store.opening import open_url
from data.workspace import set_setting


def settings_of(tmp_path: Path, text: str, **environ: str) -> Settings:
    file = tmp_path / "presage.toml"
    file.write_text(text)
    return load_settings(file, environ)


def test_without_a_file_every_setting_is_the_documented_default(tmp_path: Path) -> None:
    settings = load_settings(tmp_path / "presage.toml", {})
    assert settings == Settings()
    assert {row.source for row in explain(settings)} == {"default"}
    levels = settings.service_levels
    assert (levels["email"].target_seconds, levels["email"].limit_seconds) == (43200, 86400)
    assert (levels["chat"].target_seconds, levels["phone"].target_seconds) == (60, 20)
    assert (levels["social"].target_seconds, levels["social"].limit_seconds) == (7200, 14400)
    assert {c: level.kind for c, level in levels.items()} == {
        "phone": "real_time",
        "chat": "real_time",
        "email": "backlog",
        "social": "backlog",
    }
    assert {c: level.share for c, level in levels.items()} == {
        "phone": 0.8,
        "chat": 0.9,
        "email": 0.9,
        "social": 0.9,
    }
    assert {level.confidence for level in levels.values()} == {0.9}
    assert {level.resolution_seconds for level in levels.values()} == {48 * 3600}


def test_the_fixed_keys_of_the_contract_are_read(tmp_path: Path) -> None:
    settings = settings_of(
        tmp_path,
        """
[company]
country = "NO"
time_zone = "Europe/Oslo"
currency = "NOK"
[data]
complete_to = 2026-03-01T01:00:00+01:00
attributes = ["tier", "score"]
[complaint]
topics = ["late"]
priorities = ["urgent"]
csat_at_most = 2
all = true
[service_levels.forum]
target_seconds = 60
limit_seconds = 90
share = 0.7
confidence = 0.8
clock = "calendar"
kind = "real_time"
concurrency = 3
patience_seconds = 30
[service_levels.email]
share = 0.5
[opening_hours.phone]
mon = "08:00-12:00, 13:00-24:00"
sun = "closed"
[outreach]
consent_when_unknown = true
[engine]
memory_limit_gb = 2
[store]
url = "postgresql://db/presage"
""",
    )
    assert settings.company.country == ("NO",)
    assert settings.company.time_zone == "Europe/Oslo"
    assert settings.data.complete_to == datetime(2026, 3, 1)
    assert settings.data.attributes == ("tier", "score")
    assert settings.complaint.csat_at_most == 2.0
    assert settings.complaint.all
    forum = settings.service_levels["forum"]
    assert (forum.kind, forum.clock, forum.concurrency) == ("real_time", "calendar", 3.0)
    email = settings.service_levels["email"]
    assert (email.share, email.target_seconds) == (0.5, 43200)  # the rest stays as documented
    assert settings.opening_hours["phone"]["mon"] == "08:00-12:00, 13:00-24:00"
    assert settings.outreach.consent_when_unknown
    assert settings.engine.memory_limit_gb == 2.0
    assert settings.store.url == "postgresql://db/presage"


def test_the_environment_wins_over_the_file_and_is_named_as_source(tmp_path: Path) -> None:
    settings = settings_of(
        tmp_path,
        '[company]\ntime_zone = "Europe/Oslo"\ncurrency = "NOK"\n',
        PRESAGE_COMPANY_TIME_ZONE="Asia/Tokyo",
        PRESAGE_COMPANY_COUNTRY="NO, SE",
        PRESAGE_DATA_COMPLETE_TO="2026-03-01",
        PRESAGE_COMPLAINT_ALL="true",
        PRESAGE_RISK_ACTIVE_WITHIN_DAYS="90",
        PRESAGE_DATA="/somewhere",  # the folder of real data: no setting
    )
    assert settings.company.time_zone == "Asia/Tokyo"
    assert settings.company.country == ("NO", "SE")
    assert settings.data.complete_to == datetime(2026, 3, 1)
    assert settings.complaint.all is True
    assert settings.risk.active_within_days == 90
    sources = {row.name: row.source for row in explain(settings)}
    assert sources["company.time_zone"] == "environment PRESAGE_COMPANY_TIME_ZONE"
    assert sources["company.currency"] == "presage.toml"
    assert sources["risk.seed"] == "default"
    assert sources["service_levels.email.target_seconds"] == "default"


def test_the_commented_file_changes_nothing_and_with_its_comments_removed_neither() -> None:
    text = commented_toml()
    assert load_from(text) == Settings()
    lines = []
    for line in text.splitlines():
        value = re.fullmatch(r"# (\w+ = .+)", line)
        lines.append(value[1] if value else line)
    # the examples of hours, sites, pools and contracts are no defaults: no header, no section
    text = "\n".join(lines)
    for example in ("# Opening hours", "# Sites", "# Pools", "# Contracts"):
        head, _, tail = text.partition(example)
        text = head + tail[tail.index("\n\n") :]
    assert load_from(text) == Settings()


def load_from(text: str) -> Settings:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "presage.toml"
        file.write_text(text)
        return load_settings(file, {})


def test_every_field_is_documented_in_the_commented_file() -> None:
    text = commented_toml()
    for section in dataclasses.fields(Settings):
        value = getattr(Settings(), section.name)
        if dataclasses.is_dataclass(value):
            for field in dataclasses.fields(value):
                assert f"# {field.name} =" in text
                assert field.metadata["comment"] in text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            '[company]\n\ntimezone = "UTC"\n',
            "presage.toml line 3: [company] has no key 'timezone'. Did you mean \"time_zone\"?",
        ),
        ("[complaint]\n[complaint]\n", "[complaint] stands there already; write the key below"),
        ("[compny]\n", 'presage.toml line 1: there is no section [compny]. Did you mean "company"'),
        ('[company]\ntime_zone = "Europe/Olso"\n', "line 2: [company] time_zone 'Europe/Olso'"),
        ('[company]\ntime_zone = "Europe/Olso"\n', 'Did you mean "Europe/Oslo"?'),
        ('[company]\ncountry = "norway"\n', 'Did you mean "NO"?'),
        ('[company]\ncountry = "UK"\n', 'Did you mean "GB"?'),
        ('[company]\ncountry = "de_by"\n', 'Did you mean "DE-BY"?'),
        ('[company]\ncountry = "gb-sct"\n', 'Did you mean "GB-SCT"?'),
        ('[company]\ncountry = "GB-SCO"\n', 'Did you mean "SCT"?'),
        ('[company]\ncountry = "NO-XX"\n', "holidays are known of"),
        ('[company]\ncountry = ["NO", "XX"]\n', "country 'XX' is no ISO 3166 code"),
        ('[company]\ncurrency = "kroner"\n', "no ISO 4217 code"),
        ('[risk]\nseed = "x"\n', "line 2: [risk] seed is 'x', but must be a whole number"),
        ("[risk]\ntrees = true\n", "trees is True, but must be a whole number"),
        ("[risk]\ntrees = -5\n", "line 2: [risk] trees is -5, but must be above 0"),
        ("[data]\ncomplete_to = 5\n", "complete_to is 5, but must be a time"),
        ('[data]\ncomplete_to = "soon"\n', "complete_to is 'soon', but must be a time"),
        ("[data]\ncomplete_to = 9999-12-31T23:59:59-05:00\n", "but must be a time"),
        ("[complaint]\ncsat_at_most = 9\n", "csat goes from 1 to 5"),
        (
            "[service_levels.forum]\nshare = 0.5\n",
            "presage.toml line 1: [service_levels.forum] has no target_seconds",
        ),
        (
            "[service_levels.email]\nlimit_seconds = 60\n",
            "[service_levels.email] limit_seconds 60 is below target_seconds 43200",
        ),
        ("[service_levels.email]\nshare = 1.5\n", "line 2: [service_levels.email] share is 1.5"),
        ('[service_levels.email]\nkind = "bulk"\n', 'must be one of "real_time", "backlog"'),
        ("[service_levels]\nemail = 5\n", "line 2: service levels are sections"),
        (
            '[opening_hours.phone]\nmon = "18:00-08:00"\n',
            "line 2: [opening_hours.phone] mon: opening hours '18:00-08:00' end before they begin",
        ),
        ('[opening_hours.phone]\nmonday = "08:00-09:00"\n', "'monday' is no day"),
        ('[opening_hours.phone]\nmon = "8-18"\n', "no time of day"),
        ("[staffing]\nhourly_cost = -1\n", "hourly_cost is -1.0, but must not be negative"),
        ("[outreach]\ncontact_cost = -0.5\n", "contact_cost is -0.5, but must not be negative"),
        ("[outreach]\nholdout_share = 1.0\n", "holdout_share is 1.0"),
        ("[outreach]\napi_key = 'abc'\n", "line 2: outreach.api_key looks like a secret"),
        ("[secrets]\nx = 1\n", "looks like a secret"),
        ('[store]\nurl = "postgresql://me:pw@db/x"\n', "PRESAGE_STORE_URL"),
        ('[store]\nurl = "postgresql://me:p/w@db/x"\n', "PRESAGE_STORE_URL"),
        ('[store]\nurl = "postgresql://db/x?user=me&password=pw"\n', "PRESAGE_STORE_URL"),
        ("[engine]\nthreads = 1000000\n", "threads is 1000000, but may be 1024 at most"),
        ("[delivery]\nat_once = 1000000\n", "at_once is 1000000, but may be 1024 at most"),
        ('[engine]\nkind = "dukdb"\n', 'Did you mean "duckdb"?'),
        ("company = 5\n", "[company] is a section, not a value"),
        ("[company\n", "presage.toml: "),
        ("[outreach]\ncontact_cost = nan\n", "contact_cost"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name_and_line(
    tmp_path: Path, text: str, told: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        settings_of(tmp_path, text)
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("PRESAGE_COMPANY_TIMEZONE", "UTC", 'Did you mean "PRESAGE_COMPANY_TIME_ZONE"?'),
        ("PRESAGE_SERVICE_LEVELS_EMAIL", "1", "names no setting"),
        ("PRESAGE_RISK_SEED", "x", "environment PRESAGE_RISK_SEED: [risk] seed is 'x'"),
        ("PRESAGE_COMPANY_TIME_ZONE", "Mars", "environment PRESAGE_COMPANY_TIME_ZONE"),
    ],
)
def test_the_environment_is_judged_like_the_file(
    tmp_path: Path, variable: str, value: str, told: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        settings_of(tmp_path, "", **{variable: value})
    assert told in str(refused.value)


def test_a_password_in_the_environment_is_used_and_not_shown(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, "", PRESAGE_STORE_URL="postgresql://me:pw@db/x")
    assert settings.store.url == "postgresql://me:pw@db/x"
    shown = {row.name: row.value for row in explain(settings)}
    assert shown["store.url"] == "postgresql://me:***@db/x"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:hun/ter@localhost:1/x",
        "postgresql://me:hun@ter@localhost:1/x",
        "postgresql://localhost:1/x?user=me&password=hunter",
        "postgresql://localhost:1/x?sslpassword=hunter&user=me",
        "postgres//me:hunter@localhost",
    ],
)
def test_no_password_of_the_store_is_shown(tmp_path: Path, url: str) -> None:
    settings = settings_of(tmp_path, "", PRESAGE_STORE_URL=url)
    assert not any("ter" in str(row.value) for row in explain(settings) if row.name == "store.url")
    with pytest.raises(PresageError) as refused:
        open_url(url)
    assert "ter@" not in str(refused.value) and "hun" not in str(refused.value)


def test_a_byte_order_mark_of_an_editor_is_no_setting(tmp_path: Path) -> None:
    path = tmp_path / "presage.toml"
    path.write_text('[company]\ncountry = "NO"\n', "utf-8-sig")
    assert load_settings(path, {}).company.country == ("NO",)
    set_setting(tmp_path, "company.currency", "NOK")
    assert load_settings(path, {}).company.currency == "NOK"


def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "presage.toml").write_bytes("[company]\n# Ålesund\n".encode("latin-1"))
    with pytest.raises(SettingsError, match="is not UTF-8"):
        load_settings(tmp_path / "presage.toml", {})


def test_opening_hours_in_order_and_apart() -> None:
    assert opening_intervals("") == opening_intervals("closed") == ()
    assert opening_intervals("00:00-24:00") == ((0, 1440),)
    with pytest.raises(SettingsError, match="overlap"):
        opening_intervals("08:00-12:00, 11:00-13:00")
    with pytest.raises(SettingsError, match="no time of day"):
        opening_intervals("08:00-24:01")


def test_the_defaults_cannot_be_changed_by_accident() -> None:
    with pytest.raises(TypeError):
        DEFAULT_SERVICE_LEVELS["email"] = None  # type: ignore[index]
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().risk.seed = 3  # type: ignore[misc]
