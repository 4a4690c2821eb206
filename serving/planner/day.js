// One day in detail: the answer for a time, promises, contacts, people, backlog.
import { chart } from "./chart.js";
import { $, el, guarded, table } from "./dom.js";
import { marks, tag } from "./heat.js";
import { actualRows, dayRows, forecastRows, rangeRows, shownDays, state, sum, view, weekRows } from "./state.js";
import { addDays, dayName, slotOrder } from "./time.js";
import { contacts, duration, n, number, percent, t, whole } from "./words.js";

const time = (row) => (row.offset ? `${row.time} (${row.offset})` : row.time);

export async function slotsOf(day) {
  const rows = (await weekRows(day)).filter((row) => row.day === day);
  return [...new Map(rows.map((row) => [row.slot, time(row)]))].sort((a, b) => slotOrder(a[0], b[0]));
}

// 80 % interval of the contacts of an interval: a channel's own; of all channels the total's.
function interval(rows, total) {
  if (rows.length === 1) return [rows[0].volume_lo_80, rows[0].volume_hi_80];
  const row = total.get(rows[0].at);
  const length = Date.parse(rows[0].ends_at) - rows[0].at;
  if (!row || row.summed || row.step !== length || !(row.presage > 0)) return [null, null];
  const factor = sum(rows, "volume") / row.presage;
  return [row["presage-lo-80"] * factor, row["presage-hi-80"] * factor];
}

// What would come without outreach: null where no effect of it is measured.
function withoutOutreach(rows, total) {
  const row = [...total.values()].filter((one) => one.at <= rows[0].at).pop();
  if (!row || row.outreach === undefined || row.outreach === null) return null;
  return sum(rows, "volume") * (row.presage > 0 ? 1 - row.outreach / row.presage : 1);
}

async function totals() {
  const rows = await forecastRows(), found = new Map();
  rows.forEach((row, i) => {
    const step = i + 1 < rows.length ? rows[i + 1].at - row.at : rows[i].at - (rows[i - 1]?.at ?? row.at);
    found.set(row.at, { ...row, step });
  });
  return found;
}

export async function drawAnswer() {
  const rows = (await weekRows()).filter((row) => row.day === view.day && row.slot === view.slot);
  const answer = $("answer"), total = await totals();
  if (!rows.length) {
    answer.textContent = t("{day}: no interval of the plan begins then.", { day: dayName(view.day) });
    $("answer-table").replaceChildren();
    return;
  }
  const [low, high] = interval(rows, total);
  const people = whole(sum(rows, "agents_gross"));
  const span = low === null ? "" : ` (80 %: ${contacts(low)}–${contacts(high)})`;
  answer.replaceChildren(`${dayName(view.day)}, ${time(rows[0])}: `,
    el("b", {}, n(people, "{n} person on duty", "{n} people on duty")), ", ",
    t("{answering} of them answering at a time, for {count} contacts expected", {
      answering: number(sum(rows, "agents_net")), count: contacts(sum(rows, "volume")) }), `${span}.`);
  const head = ["Channel", "People on duty", "Answering", "Contacts", "80 % of outcomes", "Within target",
    "Occupancy", "Waiting at the end"].map((word) => t(word));
  const paid = (gross) => `${number(whole(gross))} (${number(gross, 2)})`;
  const lines = rows.map((row) => [row.channel, paid(row.agents_gross), number(row.agents_net),
    contacts(row.volume), `${contacts(row.volume_lo_80)}–${contacts(row.volume_hi_80)}`,
    percent(row.service_level), percent(row.occupancy), row.kind === "backlog" ? contacts(row.backlog) : "–"]);
  if (rows.length > 1) lines.push([t("all channels"), paid(sum(rows, "agents_gross")), number(sum(rows, "agents_net")),
    contacts(sum(rows, "volume")), low === null ? "–" : `${contacts(low)}–${contacts(high)}`, "", "", ""]);
  $("answer-table").replaceChildren(table(t("Channels at this time"), head, lines));
}

export function drawPromises() {
  const head = ["Channel", "State", "Promised", "Expected", "Confidence", "Confidence promised", "Reachable",
    "Contacts", "Hours paid", "Waiting at the end"].map((word) => t(word));
  const rows = dayRows(view.day).map((row) => {
    const goal = state.planning.targets.find((one) => one.channel === row.channel);
    const promise = goal ? t("{share} in {time}", { share: percent(goal.share), time: duration(goal.target_seconds) }) : "–";
    return [row.channel, el("span", {}, tag(row.state), ` ${marks[row.state]}`), promise,
      percent(row.service_level), percent(row.confidence), percent(row.confidence_promised),
      percent(row.reachable), contacts(row.volume), number(row.hours_gross, 1),
      row.backlog === null ? "–" : contacts(row.backlog)];
  });
  $("promises").replaceChildren(table(t("Promises of {day}", { day: dayName(view.day) }), head, rows));
}

// Rows of the days shown by interval, over the channels shown.
async function points() {
  const days = shownDays(), by = new Map();
  for (const row of await weekRows()) {
    if (!days.includes(row.day)) continue;
    by.set(row.at, [...(by.get(row.at) || []), row]);
  }
  return [...by.values()].sort((a, b) => a[0].at - b[0].at).map((rows) => ({ rows, at: rows[0].at,
    until: Date.parse(rows[0].ends_at), label: `${dayName(rows[0].day)} ${time(rows[0])}`,
    tick: days.length > 1 ? `${dayName(rows[0].day, { weekday: "short" })} ${rows[0].time}` : rows[0].time,
    day: rows[0].day, slot: rows[0].slot }));
}

async function came(list) {
  const rows = await actualRows();
  const now = new Map(), before = new Map();
  rows.forEach((row, i) => {
    const step = (rows[i + 1]?.at ?? row.at + 3600e3) - row.at;
    for (let at = row.at; at < row.at + step; at += Math.max(9e5, list[0] ? list[0].until - list[0].at : 9e5)) {
      const share = list[0] ? Math.min(1, (list[0].until - list[0].at) / step) : 1;
      if (row.y !== null) now.set(at, row.y * share);
    }
    if (row.y !== null) before.set(`${addDays(row.day, 7)} ${row.slot}`, [row.y, step]);
  });
  return [list.map((point) => now.get(point.at) ?? null), list.map((point) => {
    const found = before.get(`${point.day} ${point.slot.slice(0, 2)}:00`) || before.get(`${point.day} ${point.slot}`);
    return found ? found[0] * Math.min(1, (point.until - point.at) / found[1]) : null;
  })];
}

export async function drawCharts(pick) {
  const list = await points(), total = await totals();
  const chosen = list.find((point) => point.day === view.day && point.slot === view.slot);
  const mark = chosen ? chosen.at : null;
  const bands = list.map((point) => interval(point.rows, total));
  const volume = list.map((point) => sum(point.rows, "volume"));
  const said = list.map((point) => sum(point.rows, "volume_forecast"));
  const moved = said.some((value, i) => Math.abs(value - volume[i]) > 0.005);
  const alone = list.map((point) => withoutOutreach(point.rows, total));
  const [now, weekBefore] = await came(list);
  chart($("contacts-chart"), { title: t("Contacts"), unit: t("contacts an interval"), points: list, digits: 1, mark,
    onPick: pick, series: [
      { name: t("80 % of outcomes"), kind: "band", style: "band", low: bands.map((b) => b[0]), high: bands.map((b) => b[1]) },
      { name: t("expected"), kind: "line", style: "expected", values: volume },
      ...(moved ? [{ name: t("without overrides"), kind: "line", style: "unchanged", values: said }] : []),
      ...(alone.some((y) => y !== null) ? [{ name: t("without outreach"), kind: "line", style: "untreated", values: alone }] : []),
      ...(now.some((y) => y !== null) ? [{ name: t("came"), kind: "line", style: "came", values: now }] : []),
      ...(weekBefore.some((y) => y !== null) ? [{ name: t("came a week before"), kind: "line", style: "before", values: weekBefore }] : []),
    ] });
  const waiting = list.map((point) => sum(point.rows.filter((row) => row.kind === "backlog"), "backlog"));
  const has = list.some((point) => point.rows.some((row) => row.kind === "backlog"));
  $("backlog-part").hidden = !has;
  if (has) chart($("backlog-chart"), { title: t("Contacts waiting"), unit: t("contacts at the end of an interval"), points: list,
    digits: 1, mark, onPick: pick, series: [{ name: t("waiting"), kind: "line", style: "expected", values: waiting }] });
  guarded(drawPeople)(list, mark, pick);  // its range is planned three times more
}

async function drawPeople(list, mark, pick) {
  const planned = list.map((point) => whole(sum(point.rows, "agents_gross")));
  const series = [{ name: t("as planned"), kind: "line", style: "expected", values: planned }];
  const draw = () => chart($("people-chart"), { title: t("People on duty"), unit: t("people, breaks included"),
    points: list, mark, onPick: pick, series });
  draw();
  const name = `${view.channel} ${shownDays().join()}`;
  $("people-chart").dataset.of = name;
  const by = new Map();
  for (const row of await rangeRows()) by.set(row.at, [...(by.get(row.at) || []), row]);
  if ($("people-chart").dataset.of !== name) return;
  const at = (share) => list.map((point) => {
    const rows = by.get(point.at);
    return rows ? whole(sum(rows, `agents_gross_${share}`)) : null;
  });
  const [half, most, all] = [at(50), at(80), at(90)];
  const above = (a, b) => a.map((value, i) => (value === null ? null : Math.max(value, b[i])));
  series.unshift(
    { name: t("for 50 to 90 % of scenarios"), kind: "band", style: "outer", low: half, high: above(half, all) },
    { name: t("for 50 to 80 %"), kind: "band", style: "band", low: half, high: above(half, most) });
  draw();
}
