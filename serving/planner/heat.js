// The week as a grid: one tab stop, arrow keys inside, focus stays where it was.
import { $, el } from "./dom.js";
import { gapRows, state, sum, view, weekOf, weekRows } from "./state.js";
import { dayName, slotOrder } from "./time.js";
import { n, number, percent, signed, t, whole } from "./words.js";

let cells = [];  // rows of cells as drawn
export const marks = { sure: "", "at risk": "!", "out of reach": "!!" };
const styles = { sure: "sure", "at risk": "risk", "out of reach": "bad" };
const WORST = ["out of reach", "at risk", "sure"];

export const worst = (rows) => WORST.find((one) => rows.some((row) => row.state === one)) || "sure";
export const tag = (name) => el("span", { class: `tag ${styles[name]}` }, t(name));

const byInterval = (rows) => Map.groupBy(rows, (row) => `${row.day} ${row.slot}`);

export async function drawHeat(choose, changeWeek) {
  const rows = await weekRows(), days = weekOf(view.day), byCell = byInterval(rows);
  const gaps = byInterval(view.show === "gap" ? await gapRows() : []);
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
    return cell(day, slot, byCell.get(`${day} ${slot}`), gaps.get(`${day} ${slot}`), most, choose);
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
  $("heat-note").textContent = {
    people: t("Paid people, breaks and leave included. Times are those of {zone}.", { zone: state.planning.time_zone }),
    confidence: t("Share of scenarios in which the day's promise is kept. ! at risk, !! no staffing of these hours keeps it."),
    gap: t("People rostered less those that the plan of now needs: below 0 missing, above 0 to spare, – not rostered."),
  }[view.show];
}

// What a cell says: its text, its colour, and the same in words.
function people(rows, gaps, most) {
  const count = whole(sum(rows, "agents_gross"));
  const days = daysOf(rows), sure = surest(days);
  return { text: count ? number(count) : "", label: `${n(count, "{n} person", "{n} people")}, ` +
    t("confidence {share}, {state}", { share: percent(sure), state: t(worst(days)) }),
  background: count && `color-mix(in srgb, var(--blue) ${Math.round(8 + 34 * count / most)}%, var(--card))` };
}

function confidence(rows, gaps, most) {
  const days = daysOf(rows), risk = worst(days);
  const busy = whole(sum(rows, "agents_gross")) > 0;
  return { ...people(rows, gaps, most), background: null, style: styles[risk],
    text: busy ? `${number(100 * surest(days))}${marks[risk]}` : "" };
}

// Who is to spare on one channel helps no other, or the roster would have put them there.
function gap(rows, gaps) {
  if (!gaps) return { text: whole(sum(rows, "agents_gross")) ? "–" : "", label: t("not rostered") };
  const known = gaps.filter((row) => row.needed || row.rostered);
  const missing = sum(known.filter((row) => row.gap < 0), "gap"), spare = sum(known, "gap");
  const label = known.map((row) => `${row.channel} ` + t("{needed} needed, {rostered} rostered, {missing} missing",
    { needed: number(row.needed), rostered: number(row.rostered), missing: number(Math.max(0, -row.gap)) })).join("; ");
  return { label: label || n(0, "{n} person", "{n} people"), text: known.length ? signed(missing || spare) : "",
    style: known.length ? (missing < 0 ? styles["out of reach"] : styles.sure) : "" };
}

const faces = { people, confidence, gap };
const daysOf = (rows) => state.days.filter((row) => row.day === rows[0].day
  && rows.some((one) => one.channel === row.channel));
function surest(days) {
  const known = days.filter((row) => row.confidence !== null);
  return known.length ? Math.min(...known.map((row) => row.confidence)) : null;
}

function cell(day, slot, rows, gaps, most, choose) {
  if (!rows) return el("td", { class: "none", role: "gridcell" });
  const { text, label, style, background } = faces[view.show](rows, gaps, most);
  const offset = rows[0].offset ? ` (${rows[0].offset})` : "";
  const told = `${dayName(day)} ${rows[0].time}${offset}: ${label}`;
  const td = el("td", { role: "gridcell", tabindex: -1, "data-day": day, "data-slot": slot,
    title: told, "aria-label": told, class: style || "" }, text);
  if (background) td.style.background = background;
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
