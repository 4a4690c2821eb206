// The week's figures against their targets: only what the plan computes.
import { $, table } from "./dom.js";
import { worst, tag } from "./heat.js";
import { channels, state, weekOf, view } from "./state.js";
import { contacts, duration, n, number, percent, t } from "./words.js";

export function drawFigures() {
  const days = weekOf(view.day);
  const cost = (value) => `${number(value)} ${state.planning.currency}`;
  const rows = channels().map((channel) => {
    const own = state.days.filter((row) => row.channel === channel && days.includes(row.day));
    const sum = (name) => own.reduce((total, row) => total + (row[name] || 0), 0);
    const goal = state.planning.targets.find((one) => one.channel === channel);
    const known = own.filter((row) => row.service_level !== null);
    const offered = known.reduce((total, row) => total + row.volume, 0);
    const level = offered ? known.reduce((total, row) => total + row.volume * row.service_level, 0) / offered : null;
    return { channel, own, goal, level, contacts: sum("volume"), hours: sum("hours_gross"), cost: sum("cost") };
  });
  const all = rows.reduce((total, row) => ({ contacts: total.contacts + row.contacts,
    hours: total.hours + row.hours, cost: total.cost + row.cost }), { contacts: 0, hours: 0, cost: 0 });
  const head = ["Channel", "Worst day", "Within target", "Promised", "Contacts", "Hours paid", "Cost"].map((word) => t(word));
  const told = rows.map((row) => [row.channel, tag(worst(row.own)), percent(row.level), row.goal
    ? t("{share} in {time}", { share: percent(row.goal.share), time: duration(row.goal.target_seconds) }) : "–",
  contacts(row.contacts), number(row.hours), cost(row.cost)]);
  if (rows.length > 1) told.push([t("all channels"), "", "", "", contacts(all.contacts), number(all.hours), cost(all.cost)]);
  $("figures").replaceChildren(table(n(days.length, "{n} day of this week", "{n} days of this week"), head, told));
}
