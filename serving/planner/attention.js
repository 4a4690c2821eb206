// What a planner should look at first: days at risk, promises out of reach, age, overrides, locks.
import { $, el } from "./dom.js";
import { state, view } from "./state.js";
import { dayName, local, moment } from "./time.js";
import { n, percent, t } from "./words.js";

export function drawAttention(overrides, go) {
  const today = local(state.planning.now).day, told = [];
  const say = (text, action = null) => told.push(el("li", {},
    action ? el("button", { type: "button", onclick: action }, text) : text));
  if (state.planning.stale)
    say(t("The plan knows nothing after {time}. Run presage forecast and presage staff.",
      { time: moment(state.planning.as_of) }));
  if (state.planning.last <= state.planning.now) say(t("The plan has ended; nothing is planned from now on."));
  const rows = state.days.filter((row) => row.day >= today && (!view.channel || row.channel === view.channel));
  const out = rows.filter((row) => row.state === "out of reach");
  const byChannel = new Map();
  for (const row of out) byChannel.set(row.channel, [...(byChannel.get(row.channel) || []), row]);
  for (const [channel, days] of byChannel) {
    const lowest = days.reduce((a, b) => (a.reachable < b.reachable ? a : b));
    say(t("{channel}: {share} promised, {reachable} reachable on {day}, and on {count} days in all. Only other opening hours help.",
      { channel, share: percent(lowest.share), reachable: percent(lowest.reachable), day: dayName(lowest.day), count: days.length }),
    () => go(lowest.day, channel));
  }
  const risk = rows.filter((row) => row.state === "at risk").sort((a, b) => a.confidence - b.confidence);
  for (const row of risk.slice(0, 6))
    say(t("{day}, {channel}: kept with confidence {confidence}, {promised} promised.", { day: dayName(row.day),
      channel: row.channel, confidence: percent(row.confidence), promised: percent(row.confidence_promised) }),
    () => go(row.day, row.channel));
  if (risk.length > 6) say(n(risk.length - 6, "{n} more day at risk", "{n} more days at risk"));
  if (state.planning.lock) say(t("Version {version} is locked by {author}: {reason}. Overrides do not move it.", state.planning.lock));
  if (state.planning.scenario) say(t("The scenario {name} is in force until the next night's plan.", { name: state.planning.scenario }));
  const now = Date.parse(state.planning.now);
  for (const one of overrides) {
    if (one.state !== "in force") continue;
    if (one.overlaps.length) say(t("Override {id} changes the same contacts as {others}.",
      { id: one.override_id, others: one.overlaps.join(", ") }), () => $("overrides").scrollIntoView());
    const ends = one.expires_at && Date.parse(one.expires_at);
    if (ends && ends - now < 864e5) say(t("Override {id} by {author} ends {time}.",
      { id: one.override_id, author: one.author, time: moment(one.expires_at) }));
  }
  if (!told.length) told.push(el("li", {}, t("Nothing: every promise is kept as surely as wanted.")));
  $("attention-list").replaceChildren(...told);
}
