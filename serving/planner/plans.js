// The plan as a file, as the filters stand; its versions, locked or rolled back to.
import { all, download, get, post } from "./api.js";
import { $, el, fill, guarded, table } from "./dom.js";
import { query, state, view, weekOf, writeUrl } from "./state.js";
import { moment } from "./time.js";
import { t } from "./words.js";

const LAYOUTS = { xlsx: "plan.xlsx", csv: "plan.csv", parquet: "plan.parquet", calabrio: "plan-calabrio.csv" };
const ROSTER = { ics: "roster.ics", csv: "roster.csv" };
const names = () => ({ xlsx: t("Workbook (XLSX)"), csv: "CSV", parquet: "Parquet", calabrio: "Calabrio" });

export function drawDownloads() {
  const week = el("input", { type: "checkbox", id: "file-week" });
  const file = (layout) => el("button", { type: "button", id: `file-${layout}`, onclick: guarded(() => {
    const channel = view.channel ? `&channel=${encodeURIComponent(view.channel)}` : "";
    const span = week.checked ? `&${query(weekOf(view.day))}` : "";
    return download(`/v1/staffing/file?layout=${layout}${channel}${span}`, LAYOUTS[layout]);
  }) }, names()[layout]);
  const shifts = (format) => el("button", { type: "button", id: `roster-${format}`, onclick: guarded(() => {
    const agent = view.agent ? `&agent_id=${encodeURIComponent(view.agent)}` : "";
    const span = week.checked ? `&${query(weekOf(view.day))}` : "";
    return download(`/v1/staffing/roster?format=${format}${agent}${span}`, ROSTER[format]);
  }) }, format === "ics" ? t("Roster as a calendar (ICS)") : t("Roster (CSV)"));
  const agent = el("select", { id: "agent", onchange: () => { view.agent = agent.value; writeUrl(); } });
  $("downloads").replaceChildren(...Object.keys(LAYOUTS).map(file),
    ...(state.planning.roster ? [...Object.keys(ROSTER).map(shifts),
      el("label", {}, `${t("Roster of")} `, agent)] : []),
    el("label", {}, week, ` ${t("this week only")}`),
    el("button", { type: "button", id: "print", onclick: () => print() }, t("Print")));
}

// Whose shifts the roster's files hold: one agent's, or all.
export async function fillAgents() {
  if (!state.planning.roster) return;
  const names = [...new Set((await all("/v1/staffing/roster")).map((row) => row.agent_id))].sort();
  if (!names.includes(view.agent)) view.agent = "";
  fill($("agent"), [["", t("all agents")], ...names.map((one) => [one, one])]);
  $("agent").value = view.agent;
}

export async function drawVersions(again) {
  const { items } = await get("/v1/plans"), lock = state.planning.lock;
  $("lock").textContent = lock ? t("Unlock the plan") : t("Lock the plan as it stands");
  $("lock-form").onsubmit = guarded(async () => {
    await post(`/v1/plans/${lock ? "unlock" : "lock"}`, { reason: $("lock-reason").value });
    $("lock-reason").value = "";
    await again();
  });
  const back = (version) => el("button", { type: "button", "aria-label": `${t("Roll back to it")} ${version}`, onclick: guarded(async () => {
    if (!$("lock-form").reportValidity()) return;
    await post(`/v1/plans/${version}/restore`, { reason: $("lock-reason").value });
    $("lock-reason").value = "";
    await again();
  }) }, t("Roll back to it"));
  const rows = items.map((one) => [String(one.version), one.locked ? t("locked") : one.in_force ? t("in force") : "",
    moment(one.published_at), one.author, one.reason, one.scenario ?? "–", one.in_force || one.locked || lock ? "" : back(one.version)]);
  $("versions").replaceChildren(items.length ? table(t("Versions, the newest first"),
    [t("Version"), t("State"), t("Published"), t("Author"), t("Reason"), t("Scenario"), ""], rows)
    : el("p", { class: "hint" }, t("No version is kept yet.")));
}
