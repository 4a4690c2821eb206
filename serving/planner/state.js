// What the page shows: rows by week as the service told them, and the filters, which live in the URL.
import { all, get, seriesOf } from "./api.js";
import { addDays, local, monday, setZone } from "./time.js";

export const state = { planning: null, news: null, days: [], rows: new Map(), range: new Map(),
  forecasts: new Map(), actuals: new Map(), gaps: new Map() };
export const view = { channel: "", day: "", slot: "", show: "people", span: "day", agent: "",
  lang: "" };

export function readUrl() {
  const asked = new URLSearchParams(location.search);
  for (const name of Object.keys(view)) view[name] = asked.get(name) ?? view[name];
}
export function writeUrl() {
  const told = new URLSearchParams();
  for (const [name, value] of Object.entries(view)) if (value) told.set(name, value);
  history.replaceState(null, "", `?${told}`);
}

export async function load() {
  state.planning = await get("/v1/planning");
  state.news = null;
  setZone(state.planning.time_zone);
  state.days = await all("/v1/staffing/days");
  for (const kept of [state.rows, state.range, state.forecasts, state.actuals, state.gaps]) kept.clear();
  const known = dayNames();
  const today = local(state.planning.now).day;
  if (!known.includes(view.day)) view.day = known.find((day) => day >= today) || known[0] || "";
  if (view.channel && !state.planning.channels.includes(view.channel)) view.channel = "";
  if (!["people", "confidence", ...(state.planning.roster ? ["gap"] : [])].includes(view.show)) view.show = "people";
}

export const dayNames = () => [...new Set(state.days.map((row) => row.day))].sort();
export const channels = () => view.channel ? [view.channel] : state.planning.channels;
export const target = (channel) =>
  state.planning.targets.find((one) => one.channel === channel) || {};
export const weekOf = (day) => Array.from({ length: 7 }, (_, i) => addDays(monday(day), i))
  .filter((one) => dayNames().includes(one));
export const dayRows = (day) =>
  state.days.filter((row) => row.day === day && (!view.channel || row.channel === view.channel));

// The UTC span of the days shown: [first start, last end).
function spanOf(days) {
  const rows = state.days.filter((row) => days.includes(row.day));
  const starts = rows.map((row) => row.starts_at).sort();
  const ends = rows.map((row) => row.ends_at).sort();
  return [starts[0], ends[ends.length - 1]];
}
export const query = (days) => {
  const [from, to] = spanOf(days);
  return `from=${encodeURIComponent(from)}&to=${encodeURIComponent(to)}`;
};

async function kept(memory, name, path, time) {
  if (!memory.has(name)) {
    const rows = await all(path);
    memory.set(name, rows.map((row) => ({ ...row, ...local(row[time]) })));
  }
  return memory.get(name);
}

export const weekRows = async (day = view.day) => {
  const rows = await kept(state.rows, monday(day), `/v1/staffing?${query(weekOf(day))}`, "starts_at");
  return view.channel ? rows.filter((row) => row.channel === view.channel) : rows;
};
// The roster's people beside those that the plan of now needs: of a week, or of all days (null).
export async function gapRows(day = view.day) {
  if (!state.planning.roster) return [];
  const span = day === null ? "" : `?${query(weekOf(day))}`;
  const rows = await kept(state.gaps, day && monday(day), `/v1/staffing/gap${span}`, "starts_at");
  return view.channel ? rows.filter((row) => row.channel === view.channel) : rows;
}
export const shownDays = () => (view.span === "week" ? weekOf(view.day) : [view.day]);

// People at 50, 80 and 90 % of scenarios over the days shown.
export async function rangeRows() {
  const name = shownDays().join();
  const rows = await kept(state.range, name, `/v1/staffing/range?${query(shownDays())}`, "starts_at");
  return rows.filter((row) => !view.channel || row.channel === view.channel);
}

// A series of the forecast over the week, or the channels' sum where there is no total.
// day null: all that there is.
async function added(memory, table, day) {
  const ids = view.channel ? [seriesOf(view.channel)]
    : state.planning.series.includes("total") ? ["total"] : state.planning.channels.map(seriesOf);
  const name = `${table} ${day && monday(day)} ${ids.join()}`;
  if (memory.has(name)) return memory.get(name);
  const span = day ? `&${query(weekOf(day))}` : "";
  const parts = await Promise.all(ids.map((id) =>
    all(`/v1/${table}?unique_id=${encodeURIComponent(id)}${span}`).catch((error) => {
      if (error.status === 404) return [];
      throw error;
    })));
  const by = new Map();
  for (const row of parts.flat()) {
    const sum = by.get(row.ds);
    if (!sum) { by.set(row.ds, { ...row, ...local(row.ds) }); continue; }
    for (const [column, value] of Object.entries(row))
      if (typeof value === "number") sum[column] = (sum[column] ?? 0) + value;
  }
  const rows = [...by.values()].sort((a, b) => a.at - b.at)
    .map((row) => ({ ...row, unique_id: ids.length === 1 ? ids[0] : "", summed: ids.length > 1 }));
  memory.set(name, rows);
  return rows;
}
export const forecastRows = (day = view.day) => added(state.forecasts, "forecasts", day);
// The counts of the last four weeks.
export const actualRows = () => added(state.actuals, "actuals", null);

// People at one time over the channels shown: the figure that every part of the page tells.
export const sum = (rows, name) => rows.reduce((total, row) => total + (row[name] || 0), 0);
