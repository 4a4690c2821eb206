// What is known of the service beside the plan: key figures against targets, issues, alarms, the
// roster. Nobody waits for it: the plan is drawn first.
import { get } from "./api.js";
import { $, el } from "./dom.js";
import { gapRows, state, view } from "./state.js";
import { dayName, moment } from "./time.js";
import { contacts, duration, n, number, percent, t } from "./words.js";

const DAYS = 15;  // the last whole week and the one before it
const styles = { missed: "bad", "within noise": "risk", kept: "sure" };

export async function loadNews() {
  const { planning } = state, watched = Boolean(planning.monitored);
  const since = new Date(Date.parse(planning.monitored || planning.as_of) - DAYS * 864e5).toISOString();
  const [figures, issues, found, roster] = await Promise.all([
    watched ? get(`/v1/kpis?from=${since}`) : null, watched ? get("/v1/issues") : null,
    watched ? get("/v1/monitor") : null, planning.roster ? get("/v1/staffing/roster?limit=1") : null]);
  if (roster) await gapRows(null);
  state.news = { figures, issues: issues?.items ?? [], stale: Boolean(roster?.stale),
    alarms: (found?.items ?? []).filter((one) => one.status === "alarm" && one.area !== "issues") };
}

// People missing in the roster from now on: agent hours, and the row that lacks most.
export async function missing() {
  const now = Date.parse(state.planning.now);
  const rows = (await gapRows(null)).filter((row) => row.gap < 0 && Date.parse(row.ends_at) > now);
  const hours = rows.reduce((sum, row) => sum - row.gap * (Date.parse(row.ends_at) - row.at) / 3600e3, 0);
  return { hours, worst: rows.reduce((a, b) => (a && a.gap <= b.gap ? a : b), null) };
}

const names = () => ({ answered_in_time: t("answered in time"), first_response_p50: t("median wait for an answer"),
  first_response_p90: t("wait for an answer, 9 in 10"), first_response_open_p50: t("median wait in opening hours"),
  resolved_in_time: t("solved in time"), resolution_p50: t("median time to a solution"),
  resolution_p90: t("time to a solution, 9 in 10"), first_contact_resolution: t("solved at the first contact"),
  reopened: t("reopened"), backlog: t("waiting at the week's end"), backlog_age_p50: t("median age of those waiting"),
  arrived_in_opening_hours: t("came in opening hours"), bot_contained: t("solved by the bot"),
  csat: t("satisfaction"), csat_good: t("satisfied"), csat_response_rate: t("answered the survey"),
  complaint_rate: t("complaints among contacts"), contacts: t("contacts") });
const blocks = () => [
  [t("Speed"), "speed", ["answered_in_time", "first_response_p50"]],
  [t("Resolution"), "resolution", ["first_contact_resolution", "resolved_in_time", "resolution_p50"]],
  [t("Access"), "access", ["backlog", "arrived_in_opening_hours", "contacts"]],
  [t("Satisfaction"), "satisfaction", ["csat", "csat_good", "complaint_rate"]]];

const units = { share: (value) => percent(value, value > 0 && value < 0.1 ? 1 : 0),
  seconds: (value) => duration(Math.round(value)), contacts: (value) => n(Math.round(value), "{n} contact", "{n} contacts"),
  "points of 5": (value) => t("{value} of 5", { value: number(value, 1) }) };
const said = (row, value = row.value) => (units[row.unit] || contacts)(value);
const within = (row) => (row.low === null || row.high === null || row.low === row.high ? ""
  : ` (${said(row, row.low)} – ${said(row, row.high)})`);

function tile([title, block, wanted], rows, before) {
  const own = rows.filter((row) => row.block === block);
  const main = wanted.map((kpi) => own.find((row) => row.channel === view.channel && row.kpi === kpi)).find(Boolean);
  const then = main && before.find((row) => row.channel === main.channel && row.kpi === main.kpi);
  const judged = own.filter((row) => row.verdict && (!view.channel || row.channel === view.channel))
    .sort((a, b) => Object.keys(styles).indexOf(a.verdict) - Object.keys(styles).indexOf(b.verdict));
  return el("div", { class: "tile" }, el("h3", {}, title),
    main ? el("p", {}, el("b", {}, said(main)), ` ${names()[main.kpi]}${within(main)}`,
      then ? `; ${t("the week before {value}", { value: said(then) })}` : "")
      : el("p", { class: "hint" }, t("No figure of this week.")),
    el("ul", {}, judged.map((row) => el("li", {}, el("span", { class: `tag ${styles[row.verdict]}` }, t(row.verdict)),
      ` ${row.channel || t("all channels")}, ${names()[row.kpi]}: ${said(row)}${within(row)}, `,
      t("target {value}", { value: said(row, row.target) })))),
    judged.length || !main ? null : el("p", { class: "hint" }, t("No target is set.")));
}

export function drawService() {
  const page = state.news.figures, rows = page?.items ?? [];
  const weeks = [...new Set(rows.map((row) => row.week))].sort();
  const of = (week) => rows.filter((row) => row.week === week);
  const last = of(weeks.at(-1));
  $("service-note").textContent = last.length
    ? t("The week from {day}, as of {time}; in brackets the 95 % interval.", { day: dayName(last[0].local_week), time: moment(page.as_of) })
    : t("No key figures of the last two weeks: run presage monitor.");
  $("service-tiles").replaceChildren(...(last.length ? blocks().map((one) => tile(one, last, of(weeks.at(-2)))) : []));
}
