"""``simulate``: run a company and write it down as a workspace, with the truth beside it.

Usage, the largest table, is written month by month while the company runs. The truth lies in
``truth/``, which Presage never reads:

- ``hazards.parquet``: customer_id, day (local date), as_of (its first moment, UTC), complaint and
  contact (that day's intensities; the chance is 1 - exp(-intensity)), every ``hazard_every`` days
- ``effects.parquet``: as of complete_to, the action that fits each customer, their chance of a
  complaint within 30 days without and with it, and the difference
- ``probabilities.parquet``: as of complete_to, P(complaint) and P(contact) in 7, 14, 30 days
- ``latents.parquet``: tendencies and habits of each customer
- ``contacts.parquet``: of every ticket of a person the cause, when it was answered or given up
- ``incidents.parquet``: strikes, slow carriers, broken releases, outages, defective lots
- ``expected_volume.parquet``: each day's expected tickets by channel × topic given its first moment
- ``hourly_shares.parquet``: how a channel's contacts of a day spread over its local hours
- ``staffing.parquet``: the agents whom the company's habit put in, by channel and local hour
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from data.contract import TABLES
from data.errors import UsageError
from data.simulate.columns import customers_of, times, words
from data.simulate.company import Company
from data.simulate.export import arrow_tables, usage
from data.simulate.rates import CARRIERS, CHANNELS, PLATFORMS, REGIONS, Rates
from data.simulate.timeline import COUNTRY, NEVER, OPENING_HOURS, TIME_ZONE
from data.simulate.truth import best_actions, true_effects, true_probabilities, volume_frame

if TYPE_CHECKING:
    from data.settings_tree import ServiceLevel

CHUNK_DAYS = 30


def simulate(
    path: Path | str,
    customers: int,
    days: int,
    seed: int,
    progress: Callable[[str], None] | None = None,
    *,
    make: int | None = None,
    rates: Rates | None = None,
    hazard_every: int = 7,
    truth_runs: int = 2,
) -> Company:
    """Write a workspace of a simulated company; the company as it stands after its last day.

    ``make``: the kind of company (``makes.py``), which is written to ``truth/make.json`` and into
    the README beside it; None: the usual one, or that of ``rates``. ``truth_runs``: runs of the
    world past the end for the effects and probabilities of ``truth/`` (0: neither file).
    UsageError if the folder already holds tables.
    """
    folder = Path(path)
    _refuse_occupied(folder)
    tell = progress or (lambda message: None)
    company = Company(customers, days, seed, make=make, rates=rates, hazard_every=hazard_every)
    from data.workspace import init

    init(folder)
    truth = folder / "truth"
    truth.mkdir(exist_ok=True)
    staged = folder / "tables" / ".staging-usage.parquet"
    end = int(company.world.timeline.midnight[days])
    writer: pq.ParquetWriter | None = None
    assert company.record is not None
    while company.day < days:
        company.step()
        if company.day % CHUNK_DAYS == 0 or company.day == days:
            rows = usage(company, company.record.usage.drain(), end)
            rows = company.recording.cut("usage", rows)
            if not company.recording.lacks("usage"):
                writer = writer or pq.ParquetWriter(staged, rows.schema, compression="zstd")
                writer.write_table(rows)
            tell(f"simulated {company.day} of {days} days")
    tell("writing tables")
    for name, frame in arrow_tables(company, skip=("usage",)).items():
        pq.write_table(frame, folder / "tables" / f"{name}.parquet", compression="zstd")
    if writer is not None:
        writer.close()
        staged.replace(folder / "tables" / "usage.parquet")
    tell("writing the truth")
    for name, frame in truth_tables(company, truth_runs).items():
        pq.write_table(frame, truth / f"{name}.parquet", compression="zstd")
    (truth / "README.md").write_text(_readme(company), "utf-8")
    if company.make is not None:
        drawn = json.dumps(company.make.as_dict(), indent=1, ensure_ascii=False)
        (truth / "make.json").write_text(drawn + "\n", "utf-8")
    write_settings(folder, company)
    return company


def _refuse_occupied(folder: Path) -> None:
    for name in TABLES:
        for place in (f"{name}.parquet", f"{name}.csv", name):
            if (folder / "tables" / place).exists():
                raise UsageError(
                    f"{folder}/tables/{place} exists already; a simulated company is not mixed "
                    "with other tables. Give another folder or remove tables/."
                )
    if (folder / "truth").exists():
        shutil.rmtree(folder / "truth")


def write_settings(folder: Path, company: Company) -> None:
    """Write presage.toml's company, data and opening hours."""
    from data.files import write_whole
    from data.settings import FILE
    from data.settings_tree import DEFAULT_SERVICE_LEVELS
    from data.workspace import set_setting

    set_setting(folder, "company.country", [COUNTRY])
    set_setting(folder, "company.time_zone", TIME_ZONE)
    set_setting(folder, "company.currency", "EUR")
    set_setting(folder, "data.complete_to", company.now)
    spoken = dict(zip(CHANNELS, company.world.words.channels, strict=True))
    for channel, hours in OPENING_HOURS.items():
        set_setting(folder, ("opening_hours", spoken[channel]), hours)
    for channel, level in DEFAULT_SERVICE_LEVELS.items():
        if spoken[channel] != channel:  # a channel by another name is promised the same
            set_setting(folder, ("service_levels", spoken[channel]), _stated(level))
    if company.make is not None:
        file = folder / FILE
        heading = f"# A simulated company of make {company.make.number}"
        comment = f"{heading}; truth/make.json says what was drawn for it.\n"
        write_whole(file, (comment + file.read_text("utf-8")).encode())


def _stated(level: ServiceLevel) -> dict[str, Any]:
    """The fields of a service level that are not what a level has by default."""
    usual = type(level)()
    values = {each.name: getattr(level, each.name) for each in fields(level)}
    return {name: value for name, value in values.items() if value != getattr(usual, name)}


def truth_tables(company: Company, runs: int) -> dict[str, pa.Table]:
    """The tables of ``truth/``, by name."""
    record, line, people = company.record, company.world.timeline, company.world.people
    assert record is not None
    truths = {
        "hazards": _hazards(company),
        "latents": pa.table(
            {
                "customer_id": customers_of(np.arange(people.size)),
                "complaint_tendency": people.complaint_tendency,
                "inquiry_tendency": people.inquiry_tendency,
                "order_rate": people.order_rate,
                "active_rate": people.active_rate,
                "receptivity": people.receptivity,
            }
        ).slice(0, people.written),
        "contacts": pa.Table.from_pandas(company.service(), preserve_index=False),
        "incidents": _incidents(company),
        "expected_volume": pa.Table.from_pandas(
            volume_frame(
                _moments(line.midnight[: company.day]),
                np.array(record.expected),
                company.world.words,
            ),
            preserve_index=False,
        ),
        "hourly_shares": _by_hour(company, line.arrival_shares[: company.day], "share"),
        "staffing": _by_hour(company, np.array(record.staffed), "agents"),
    }
    if runs:
        effects = true_effects(company, best_actions(company), 30, runs)
        truths["effects"] = pa.Table.from_pandas(effects, preserve_index=False)
        chances = true_probabilities(company, (7, 14, 30), runs)
        truths["probabilities"] = pa.Table.from_pandas(chances, preserve_index=False)
    return truths


def _moments(values: Any) -> Any:
    import pandas as pd

    return pd.DatetimeIndex(np.asarray(values).astype("datetime64[us]"))


def _by_hour(company: Company, values: Any, name: str) -> pa.Table:
    days, channels, hours = values.shape
    day = np.repeat(np.arange(days), channels * hours)
    starts = np.concatenate(
        [np.tile(company.world.timeline.hour_edges(d)[:24], channels) for d in range(days)]
    )
    return pa.table(
        {
            "starts_at": times(starts, NEVER),
            "day": pa.array(np.array(company.world.timeline.dates, dtype="datetime64[D]")[day]),
            "channel": words(
                company.world.words.channels, np.tile(np.repeat(np.arange(channels), hours), days)
            ),
            "hour": np.tile(np.arange(hours), days * channels),
            name: values.reshape(-1),
        }
    )


def _hazards(company: Company) -> pa.Table:
    record, line = company.record, company.world.timeline
    assert record is not None
    parts = []
    for day, complaint, contact in record.hazards:
        here = np.flatnonzero(contact > 0)
        date = np.full(len(here), np.datetime64(line.dates[day], "D"))
        parts.append(
            pa.table(
                {
                    "customer_id": customers_of(here),
                    "day": pa.array(date),
                    "as_of": times(np.full(len(here), line.midnight[day]), NEVER),
                    "complaint": complaint[here],
                    "contact": contact[here],
                }
            )
        )
    return pa.concat_tables(parts) if parts else pa.table({"customer_id": pa.array([], "string")})


def _incidents(company: Company) -> pa.Table:
    line, spoken = company.world.timeline, company.world.words
    carriers = dict(zip(CARRIERS, spoken.carriers, strict=True))
    regions = dict(zip(REGIONS, spoken.regions, strict=True))
    platforms = dict(zip(PLATFORMS, spoken.platforms, strict=True))
    rows: list[tuple[Any, ...]] = []
    for each in company.state.incidents.history:
        last = company.day - 1 if each.last is None else each.last
        where = ",".join(regions[name] for name in each.regions.split(",") if name)
        carrier, platform = carriers.get(each.carrier), platforms.get(each.platform)
        rows.append((each.kind, each.first, last, carrier, where, platform, None))
    defective = company.state.incidents.defective
    periods = np.array([line.half_month(day) for day in range(company.day)])
    for product, lot in np.argwhere(defective[:, : periods.max() + 1]):
        inside = np.flatnonzero(periods == lot)
        rows.append(
            ("defective lot", int(inside[0]), int(inside[-1]), "", "", "", f"p{product:03d}")
        )
    rows.sort(key=lambda row: row[1])
    columns: list[Any] = list(zip(*rows, strict=True)) if rows else [()] * 7
    kind, first, last, carrier, regions, platform, product = columns
    return pa.table(
        {
            "kind": pa.array(kind, pa.string()),
            "starts_at": times(line.midnight[np.array(first, dtype=np.int64)], NEVER),
            "ends_at": times(line.midnight[np.array(last, dtype=np.int64) + 1], NEVER),
            "carrier": pa.array([c or None for c in carrier], pa.string()),
            "regions": pa.array([r or None for r in regions], pa.string()),
            "platform": pa.array([p or None for p in platform], pa.string()),
            "product_id": pa.array(product, pa.string()),
        }
    )


def _readme(company: Company) -> str:
    return (
        "# The truth\n\n"
        f"A simulated company: {company.customers} customers, {company.days} days from "
        f"{company.world.timeline.start}, seed {company.seed}, complete to {company.now} UTC.\n"
        "Presage never reads this folder; it is what forecasts are judged by.\n\n"
        + "\n".join((__doc__ or "").strip().splitlines()[5:])
        + "\n\nThe hazard itself is stated in data/simulate/hazard.py and docs/simulation.md.\n"
        + _of_make(company)
    )


def _of_make(company: Company) -> str:
    if company.make is None:
        return ""
    return "\n".join(("", f"## Make {company.make.number}", "", *company.make.lines(), ""))


__all__ = ["simulate", "truth_tables", "write_settings"]
