// What if: sliders and numbers, the plan at once; drafts, compared and published.
import { get, post } from "./api.js";
import { chart } from "./chart.js";
import { $, el, guarded, svg, table } from "./dom.js";
import { marks } from "./heat.js";
import { channels, query, state, sum, target, view, weekOf } from "./state.js";
import { dayName, local } from "./time.js";
import { contacts, n, number, percent, signed, t, whole } from "./words.js";

const FIELDS = () => [
  ["volume", t("Contacts, %"), -50, 100, 1, 0],
  ["handle_time", t("Handling time, %"), -50, 100, 1, 0],
  ["prevented", t("Prevented by outreach, %"), 0, 50, 1, 0],
  ["shrinkage", t("Shrinkage, % of paid time"), 0, 60, 1, Math.round(100 * state.planning.shrinkage)],
  ["share", t("Service level, %"), 50, 99, 1, null],
  ["target", t("Answered within, minutes"), 0.1, 2880, 0.1, null],
  ["patience", t("Patience, seconds"), 10, 1800, 10, null],
  ["concurrency", t("Contacts at a time"), 1, 6, 0.5, null],
  ["outreach", t("Outreach, agent hours a day"), 0, 40, 1, 0],
  ["campaign", t("Campaign on this day, contacts more"), 0, 500, 5, 0],
];
let timer = null, asked = 0, changed = () => {};

function promiseOf() {
  const goal = target(view.channel || state.planning.channels[0]);
  return { share: Math.round(100 * goal.share), target: goal.target_seconds / 60,
    patience: goal.patience_seconds ?? 120, concurrency: goal.concurrency };
}

export function drawWhatIf(again) {
  changed = again;
  const promise = promiseOf();
  const inputs = FIELDS().map(([name, text, low, high, step, start]) => {
    const value = start ?? promise[name];
    const range = el("input", { type: "range", min: low, max: Math.max(high, value), step, value,
      "aria-label": text, id: `if-${name}-slider` });
    const box = el("input", { type: "number", min: low, step: "any", value, id: `if-${name}`, "aria-label": text });
    range.oninput = () => { box.value = range.value; later(); };
    box.oninput = () => { range.value = box.value; later(); };
    box.dataset.start = value;
    return el("label", {}, el("span", {}, text), el("span", { class: "pair" }, range, box));
  });
  const closed = el("select", { id: "if-closed" }, new Option("–", ""),
    weekOf(view.day).map((day) => new Option(dayName(day), day)));
  closed.onchange = later;
  const reset = el("button", { type: "button", id: "if-reset", onclick: () => drawWhatIf(again) }, t("As it is"));
  $("what-if").replaceChildren(...inputs, el("label", {}, el("span", {}, t("Closed all day")), closed), reset);
  $("what-if").onsubmit = (event) => event.preventDefault();
  for (const id of ["what-if-result", "what-if-chart", "tornado"]) $(id).replaceChildren();
  $("what-if-time").textContent = view.channel ? t("For {channel}; other channels stand.", { channel: view.channel })
    : t("For all channels.");
}

const moved = (name) => {
  const box = $(`if-${name}`);
  return box.value !== "" && Number(box.value) !== Number(box.dataset.start) ? Number(box.value) : null;
};

function assumed() {
  const each = (value) => (view.channel ? { [view.channel]: value } : value);
  const told = {};
  for (const name of ["volume", "handle_time"])
    if (moved(name) !== null) told[name] = each(1 + moved(name) / 100);
  if (moved("prevented") !== null) told.prevented = each(moved("prevented") / 100);
  if (moved("shrinkage") !== null) told.shrinkage = moved("shrinkage") / 100;
  if (moved("outreach") !== null) told.outreach_hours = moved("outreach");
  const promise = {};
  if (moved("share") !== null) promise.share = moved("share") / 100;
  if (moved("target") !== null) promise.target_seconds = moved("target") * 60;
  if (moved("patience") !== null) promise.patience_seconds = moved("patience");
  if (moved("concurrency") !== null) promise.concurrency = moved("concurrency");
  if (Object.keys(promise).length) told.service_levels = Object.fromEntries(channels().map((one) => [one, promise]));
  const span = (day) => {
    const rows = state.days.filter((row) => row.day === day);
    return { starts_at: rows[0].starts_at, ends_at: rows[0].ends_at };
  };
  const channel = view.channel || state.planning.channels[0];
  if (moved("campaign")) told.campaigns = [{ ...span(view.day), channel, contacts: moved("campaign") }];
  if ($("if-closed").value) told.closed = [{ ...span($("if-closed").value), channel: view.channel || null }];
  return told;
}

function later() {
  clearTimeout(timer);
  timer = setTimeout(guarded(ask), 200);
}

function body() {
  const span = new URLSearchParams(query(weekOf(view.day)));
  return { assumed: assumed(), starts_at: span.get("from"), ends_at: span.get("to") };
}

async function ask() {
  const turn = ++asked;
  $("what-if-time").textContent = t("Planning …");
  const told = await post("/v1/what-if", body()).catch((error) => {
    $("what-if-time").textContent = "";
    throw error;
  });
  if (turn !== asked) return;
  $("what-if-time").textContent = t("Planned in {time} s.", { time: number(told.seconds, 2) });
  $("what-if-result").replaceChildren(compared(t("The week in force and as assumed"), told.before, told.after));
  const by = new Map();
  for (const row of told.items) {
    if (view.channel && row.channel !== view.channel) continue;
    by.set(row.starts_at, [...(by.get(row.starts_at) || []), row]);
  }
  const points = [...by].sort().map(([starts, rows]) => ({ ...local(starts), rows, until: Date.parse(rows[0].ends_at) }))
    .map((point) => ({ ...point, label: `${dayName(point.day)} ${point.time}`,
      tick: `${dayName(point.day, { weekday: "short" })} ${point.time}` }));
  chart($("what-if-chart"), { title: t("People on duty"), unit: t("people, breaks included"), points, series: [
    { name: t("in force"), kind: "line", style: "expected", values: points.map((one) => whole(sum(one.rows, "agents_gross_before"))) },
    { name: t("as assumed"), kind: "line", style: "if", values: points.map((one) => whole(sum(one.rows, "agents_gross"))) }] });
}

function compared(caption, before, after) {
  const line = (text, name, say, digits = 0) => [text, say(before[name]), say(after[name]),
    name === "service_level" ? `${signed(100 * (after[name] - before[name]), 1)} %` : signed(after[name] - before[name], digits)];
  const money = (value) => `${number(value)} ${state.planning.currency}`;
  return table(caption, [t("Figure"), t("in force"), t("as assumed"), t("change")], [
    line(t("Contacts"), "contacts", contacts), line(t("Hours paid"), "hours_gross", number),
    line(t("Most people at a time"), "people_most", number), line(t("Cost"), "cost", money),
    line(t("Within target"), "service_level", (value) => percent(value, 1)),
    line(t("Days at risk"), "days_at_risk", number), line(t("Days out of reach"), "days_out_of_reach", number)]);
}

export async function drawTornado() {
  const told = await post("/v1/what-if", { ...body(), assumed: {}, sensitivity: true });
  const names = { volume: t("Contacts ± 10 %"), handle: t("Handling time ± 10 %"),
    shrinkage: t("Shrinkage ± 5 points"), share: t("Service level ± 5 points") };
  const base = told.before.hours_gross;
  const widest = Math.max(1, ...told.sensitivity.flatMap((one) => [Math.abs(one.lower - base), Math.abs(one.higher - base)]));
  const at = (hours) => 620 + 300 * (hours - base) / widest;
  const rows = told.sensitivity.map((one, i) => [
    svg("text", { x: 0, y: 26 + 34 * i }, names[one.assumption]),
    ...["lower", "higher"].map((side) => svg("rect", { class: side, x: Math.min(at(one[side]), at(base)), y: 10 + 34 * i,
      width: Math.abs(at(one[side]) - at(base)), height: 24 }))]).flat();
  const point = told.sensitivity.find((one) => one.assumption === "share");
  $("tornado").replaceChildren(el("div", { class: "chart" }, svg("svg", { viewBox: `0 0 940 ${20 + 34 * told.sensitivity.length}`,
    role: "img", "aria-label": t("Hours paid in the week") }, rows)),
  el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": t("Hours paid in the week") },
    table(t("Hours paid in the week"), [t("Assumption"), t("lower"), t("in force"), t("higher")],
      told.sensitivity.map((one) => [names[one.assumption], number(one.lower), number(base), number(one.higher)]))),
  el("p", {}, t("One more point of service level costs about {hours} paid hours, {cost}.", {
    hours: number((point.higher - base) / 5, 1),
    cost: `${number((point.higher - base) / 5 * state.planning.hourly_cost)} ${state.planning.currency}` })));
}

export async function keepScenario() {
  await post("/v1/scenarios", { name: $("scenario-name").value, reason: $("scenario-reason").value, assumed: assumed() });
  $("scenario-form").reset();
  await drawScenarios();
}

export async function drawScenarios() {
  const { items } = await get("/v1/scenarios");
  const head = [t("Name"), t("State"), t("Author"), t("Reason"), t("Contacts"), t("Hours paid"), t("Cost"), t("Days at risk"), ""];
  const rows = items.map((one) => {
    const figure = (name) => (one.after ? `${number(one.after[name])} (${signed(one.after[name] - one.before[name])})` : "–");
    return [one.name, t(one.state), one.author, one.reason, figure("contacts"), figure("hours_gross"), figure("cost"),
      figure("days_at_risk"), el("button", { type: "button", "aria-label": `${t("Publish")} ${one.name}`, onclick: guarded(async () => {
        await post(`/v1/scenarios/${one.scenario_id}/publish`);
        await changed();
      }) }, t("Publish"))];
  });
  $("scenarios").replaceChildren(items.length ? table(t("Scenarios over the coming week, and what they change"), head, rows)
    : el("p", { class: "hint" }, t("No scenario is kept yet.")));
}
