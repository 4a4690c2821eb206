// How good the forecast was: in trials, and on the days that have passed, beside the naive.
import { all, get, seriesOf } from "./api.js";
import { $, el, table } from "./dom.js";
import { state, view } from "./state.js";
import { dayName, monday } from "./time.js";
import { contacts, percent, t } from "./words.js";

export async function drawPast() {
  const total = state.planning.series.includes("total");
  const id = view.channel ? seriesOf(view.channel) : total ? "total" : seriesOf(state.planning.channels[0]);
  const query = `unique_id=${encodeURIComponent(id)}`;
  const quiet = (error) => { if (![404, 503].includes(error.status)) throw error; return []; };
  const [tested] = await all(`/v1/accuracy?${query}`).catch(quiet);
  const name = id === "total" ? t("all channels") : view.channel || state.planning.channels[0];
  const of = { name, days: percent(tested?.presage_days), naive: percent(tested?.seasonal_naive_days),
    within: percent(tested?.within_days), trials: tested?.trials, step: percent(tested?.presage),
    naiveStep: percent(tested?.seasonal_naive) };
  $("accuracy").textContent = !tested || tested.presage === null ? t("Not tested yet: too little history.")
    : `${tested.presage_days == null ? "" : t("{name}: a day's contacts were off by {days} in {trials} trials, 4 of 5 days by at most {within}; the week before by {naive}.", of)} ${
      t("Interval by interval off by {step}; the week before by {naiveStep}.", of)}`;
  const days = (await get(`/v1/accuracy/days?${query}`).catch((error) => ({ items: quiet(error) }))).items;
  const line = (text, rows) => {
    const sum = (column, like) => {
      const known = rows.filter((row) => row[like] !== null);
      return known.length ? known.reduce((a, row) => a + row[column], 0) : null;
    };
    const share = (error, like) => {
      const y = sum("y", like);
      return y ? `${contacts(sum(error, like))} (${percent(sum(error, like) / y)})` : "–";
    };
    const told = sum("presage", "presage");
    return [text, contacts(sum("y", "y")), told === null ? "–" : contacts(told), share("error", "presage"), share("error_naive", "naive")];
  };
  const weeks = new Map();
  for (const row of days) weeks.set(monday(row.day), [...(weeks.get(monday(row.day)) || []), row]);
  const rows = [...weeks].flatMap(([week, own]) => [line(t("week of {day}", { day: dayName(week) }), own),
    ...own.map((row) => line(dayName(row.day), [row]))]);
  const note = days.length && days.every((row) => row.presage === null)
    ? el("p", { class: "hint" }, t("No forecast was issued before these days; from tonight on each day is compared.")) : "";
  $("past").replaceChildren(days.length ? table(t("Past days of {name}: contacts, and how far off", { name }),
    [t("Day"), t("Came"), t("Forecast"), t("Forecast off by"), t("Week before off by")], rows) : "", note);
}
