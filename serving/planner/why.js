// Why this number of people, and why the forecast is what it is and has moved.
import { get, seriesOf } from "./api.js";
import { $, el } from "./dom.js";
import { state, target, view, weekRows, forecastRows } from "./state.js";
import { dayName, moment } from "./time.js";
import { contacts, duration, number, percent, signed, t } from "./words.js";

export async function drawWhy() {
  const rows = (await weekRows()).filter((row) => row.day === view.day && row.slot === view.slot);
  $("why-people").replaceChildren(...rows.filter((row) => row.agents_net > 0).map((row) => el("li", {}, people(row))));
  if (!rows.length) { $("why").textContent = ""; return; }
  const at = (await forecastRows()).filter((row) => row.at <= rows[0].at).pop();
  if (!at || at.summed) {
    $("why").textContent = at ? t("Choose a channel to see where its forecast comes from.") : "";
    return;
  }
  const name = `${at.unique_id} ${at.ds}`;
  $("why").dataset.of = name;
  const query = `unique_id=${encodeURIComponent(at.unique_id)}&ds=${encodeURIComponent(at.ds)}`;
  const told = await get(`/v1/forecasts/explain?${query}`).catch(() => null);
  if ($("why").dataset.of !== name) return;
  $("why").replaceChildren(...(told ? reasons(at, told) : []));
}

function people(row) {
  const goal = target(row.channel), hours = row.volume * row.handle_seconds / 3600;
  return t("{channel}: {count} contacts of {time} are {work} hours of work. {net} answering are busy {busy} of their time and keep {share} in {target} with confidence {confidence}; with {shrinkage} of paid time for breaks, leave and training that is {gross} paid.", {
    channel: row.channel, count: contacts(row.volume), time: duration(Math.round(row.handle_seconds)), work: number(hours, 1),
    net: number(row.agents_net), busy: percent(row.occupancy), share: percent(goal.share), target: duration(goal.target_seconds ?? 0),
    confidence: percent(row.confidence), shrinkage: percent(state.planning.shrinkage), gross: number(row.agents_gross, 2) })
    + (row.gain_per_hour == null ? "" : ` ${t("One more hour here brings {gain} contacts more in time.", { gain: number(row.gain_per_hour, 1) })}`);
}

// What moves a number from one forecast to the next.
const causes = () => ({ model: t("trained again"), corrected: t("counts corrected"), calendar: t("newly announced"),
  new_counts: t("counts since"), drivers: t("orders, errors, open tickets since"), today: t("what today brought so far"),
  outreach: t("outreach"), one_number: t("the customers' expected tickets") });

function reasons(at, told) {
  const of = at.unique_id === "total" ? t("all channels") : view.channel;
  const members = told.members.slice(0, 3).map((one) => `${one.member.replaceAll("_", " ")} (${percent(one.weight)})`).join(", ");
  const factors = [[t("holidays"), told.holiday_effect], [t("events"), told.event_effect],
    [t("orders, errors and open tickets"), told.load]].filter(([, by]) => Math.abs(by - 1) > 0.005)
    .map(([name, by]) => `${name} × ${number(by, 2)}`).join(", ");
  const text = [t("expected, by {members} and others.", { members }), factors && `${factors}.`];
  if (told.change) {
    const parts = Object.entries(causes()).filter(([name]) => Math.abs(told.change[name]) >= 0.005)
      .map(([name, said]) => `${said} ${signed(told.change[name], 2)}`).join(", ");
    text.push(t("As of {time} it was {before}: {parts}.", { time: moment(told.change.since),
      before: number(told.change.before, 2), parts: parts || t("nothing has moved it") }));
  }
  if (at.outreach !== undefined && at.outreach !== null)
    text.push(t("Outreach is {line} of it (95 %: {low} to {high}; {averted} averted, {induced} induced).", {
      line: signed(at.outreach, 2), low: signed(at["outreach-lo-95"], 2), high: signed(at["outreach-hi-95"], 2),
      averted: signed(at["outreach-averted"], 2), induced: signed(at["outreach-induced"], 2) }));
  return [`${of}, ${dayName(at.day)} ${at.time}: `, el("b", {}, number(told.presage, 2)), ` ${text.filter(Boolean).join(" ")}`];
}
