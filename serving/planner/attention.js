// What a planner should look at first: age, promises out of reach, days at risk, whom the roster
// lacks, issues, alarms, locks, overrides.
import { $, el } from "./dom.js";
import { missing } from "./service.js";
import { state, view } from "./state.js";
import { dayName, local, moment } from "./time.js";
import { n, number, percent, t } from "./words.js";

const MOST = 6;

export async function drawAttention(overrides, go) {
  const today = local(state.planning.now).day, told = [];
  const say = (text, action = null, ...more) => told.push(el("li", {},
    action ? el("button", { type: "button", onclick: action }, text) : text, ...more));
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
  const failed = (row) => state.planning.failing.find((one) => one.channel === row.channel && one.day === row.day);
  const risk = rows.filter((row) => row.state === "at risk")
    .sort((a, b) => Boolean(failed(b)) - Boolean(failed(a)) || a.confidence - b.confidence);
  for (const row of risk.slice(0, MOST)) {
    const failing = failed(row);
    say(t("{day}, {channel}: kept with confidence {confidence}, {promised} promised.", { day: dayName(row.day),
      channel: row.channel, confidence: percent(row.confidence), promised: percent(row.confidence_promised) }),
    () => go(row.day, row.channel), failing ? ` ${t("When it was played contact by contact, most was lost from {time}.",
      { time: local(failing.worst_at).time })}` : "");
  }
  if (risk.length > MOST) say(n(risk.length - MOST, "{n} more day at risk", "{n} more days at risk"));
  if (state.news) await sayNews(say, go);
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
  if (!told.length && state.news) told.push(el("li", {}, t("Nothing: every promise is kept as surely as wanted.")));
  $("attention-list").replaceChildren(...told);
}

// English: what the monitor wrote.
const english = (text) => el("span", { lang: "en" }, text);
const areas = () => ({ sources: t("sources"), inputs: t("inputs"), predictions: t("predictions"),
  forecasts: t("forecasts"), service: t("service") });

async function sayNews(say, go) {
  const { issues, alarms, stale } = state.news, { hours, worst } = await missing();
  if (worst) say(t("The roster lacks {hours} hours of people from now on; most on {day} at {time}: {count} on {channel}.", {
    hours: number(hours), day: dayName(worst.day), time: worst.time, count: number(-worst.gap), channel: worst.channel }),
  () => go(worst.day, worst.channel, "gap"));
  if (stale) say(t("The plan has moved since the roster was made. Run presage staff --shifts."));
  for (const one of issues.slice(0, MOST)) {
    const driver = one.driver ? ` ${t("{share} of them have {driver} in common, usually {usual}.",
      { share: percent(one.driver_share), driver: one.driver, usual: percent(one.driver_usual) })}` : "";
    say(t("Many ask about {topic}: {count} contacts in {hours} hours, {expected} expected, since {time}.", {
      topic: one.topic || t("no topic"), count: number(one.contacts), hours: number(one.hours),
      expected: number(one.expected, 1), time: moment(one.since) }), null, `${driver} `, english(one.act));
  }
  for (const one of alarms.slice(0, MOST))
    say(`${t("Alarm")}, ${areas()[one.area] ?? one.area}: `, null, english(`${one.text}. ${one.act}`));
  const more = Math.max(0, issues.length - MOST) + Math.max(0, alarms.length - MOST);
  if (more) say(n(more, "{n} more alarm: presage monitor lists it", "{n} more alarms: presage monitor lists them"));
}
