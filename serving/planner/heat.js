// The week as a grid: one tab stop, arrow keys inside, focus stays where it was.
import { $, el } from "./dom.js";
import { state, sum, target, view, weekOf, weekRows } from "./state.js";
import { dayName, slotOrder } from "./time.js";
import { n, number, percent, t, whole } from "./words.js";

let cells = [];  // rows of cells as drawn
export const marks = { sure: "", "at risk": "!", "out of reach": "!!" };
const styles = { sure: "sure", "at risk": "risk", "out of reach": "bad" };
const WORST = ["out of reach", "at risk", "sure"];

export const worst = (rows) => WORST.find((one) => rows.some((row) => row.state === one)) || "sure";
export const tag = (name) => el("span", { class: `tag ${styles[name]}` }, t(name));

export async function drawHeat(choose, changeWeek) {
  const rows = await weekRows(), days = weekOf(view.day);
  const byCell = new Map();
  for (const row of rows) {
    const name = `${row.day} ${row.slot}`;
    byCell.set(name, [...(byCell.get(name) || []), row]);
  }
  const busy = rows.filter((row) => row.agents_gross > 0).map((row) => row.slot);
  const slots = [...new Set(busy)].sort(slotOrder);
  const most = Math.max(1, ...[...byCell.values()].map((one) => sum(one, "agents_gross")));
  const upright = innerWidth < 700;
  const [outer, inner] = upright ? [slots, days] : [days, slots];
  const place = (a, b) => (upright ? [b, a] : [a, b]);
  const offsets = new Map(rows.map((row) => [row.slot, row.offset]));
  const slotText = (slot) => upright || slot.endsWith("00") || slot.endsWith("²") || slots.length < 16
    ? slot.replace(":00", upright ? ":00" : "") : "";
  const head = el("tr", {}, el("td", { class: "corner none" }),
    inner.map((one) => el("th", { scope: "col", title: offsets.get(one) || "" },
      upright ? dayName(one, { weekday: "short" }) + " " + one.slice(8) : slotText(one))));
  cells = outer.map((a) => inner.map((b) => {
    const [day, slot] = place(a, b);
    return cell(day, slot, byCell.get(`${day} ${slot}`), most, choose);
  }));
  const body = outer.map((a, i) => el("tr", { role: "row" },
    el("th", { scope: "row" }, upright ? a : dayName(a)), cells[i]));
  const grid = el("table", { role: "grid", "aria-labelledby": "heat-title" },
    el("thead", {}, head), el("tbody", {}, body));
  grid.onkeydown = (event) => walk(event, changeWeek);
  const had = $("heat").contains(document.activeElement);
  $("heat").replaceChildren(grid);
  select();
  if (had) current()?.focus();
  $("heat-note").textContent = view.show === "people"
    ? t("Paid people, breaks and leave included. Times are those of {zone}.", { zone: state.planning.time_zone })
    : t("Share of scenarios in which the day's promise is kept. ! at risk, !! no staffing of these hours keeps it.");
}

function cell(day, slot, rows, most, choose) {
  if (!rows) return el("td", { class: "none", role: "gridcell" });
  const people = whole(sum(rows, "agents_gross"));
  const days = state.days.filter((row) => row.day === day && rows.some((one) => one.channel === row.channel));
  const known = days.filter((row) => row.confidence !== null);
  const sure = known.length ? Math.min(...known.map((row) => row.confidence)) : null;
  const risk = worst(days);
  const offset = rows[0].offset ? ` (${rows[0].offset})` : "";
  const label = `${dayName(day)} ${rows[0].time}${offset}: ${n(people, "{n} person", "{n} people")}, ` +
    t("confidence {share}, {state}", { share: percent(sure), state: t(risk) });
  const confidence = view.show === "confidence";
  const td = el("td", { role: "gridcell", tabindex: -1, "data-day": day, "data-slot": slot,
    title: label, "aria-label": label, class: confidence ? styles[risk] : "" },
  confidence ? (people ? `${number(100 * sure)}${marks[risk]}` : "") : people ? number(people) : "");
  if (!confidence && people) td.style.background =
    `color-mix(in srgb, var(--blue) ${Math.round(8 + 34 * people / most)}%, var(--card))`;
  td.onclick = () => { choose(day, slot); td.focus(); };
  return td;
}

export function select() {
  let found = null;
  for (const one of cells.flat()) {
    const here = one.dataset.day === view.day && one.dataset.slot === view.slot;
    one.setAttribute("aria-selected", String(here));
    one.tabIndex = -1;
    if (here) found = one;
  }
  const entry = found || cells.flat().find((one) => one.dataset.day === view.day)
    || cells.flat().find((one) => one.dataset.day);
  if (entry) entry.tabIndex = 0;
}
const current = () => cells.flat().find((one) => one.tabIndex === 0);

function walk(event, changeWeek) {
  const row = cells.findIndex((one) => one.includes(event.target));
  if (row < 0) return;
  const column = cells[row].indexOf(event.target);
  const [down, right] = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1],
    Home: [0, -column], End: [0, cells[row].length - 1 - column] }[event.key] || [0, 0];
  if (event.key === "Enter" || event.key === " ") event.target.click();
  else if (event.key === "PageUp") changeWeek(-1);
  else if (event.key === "PageDown") changeWeek(1);
  else if (down || right) {
    let next = [row + down, column + right];
    while (cells[next[0]]?.[next[1]]?.classList.contains("none")) next = [next[0] + Math.sign(down), next[1] + Math.sign(right)];
    const to = cells[next[0]]?.[next[1]];
    if (to) { event.target.tabIndex = -1; to.tabIndex = 0; to.focus(); }
  } else return;
  event.preventDefault();
}

export const promised = (channel) => target(channel).share;
