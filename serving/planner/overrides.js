// Overrides: what a planner knows better, with a reason; its effect before it is kept; withdrawal.
import { get, post, seriesOf } from "./api.js";
import { $, el, fill, guarded, table } from "./dom.js";
import { state, view } from "./state.js";
import { addDays, moment } from "./time.js";
import { contacts, n, number, signed, t } from "./words.js";

export const seeOverrides = () => get("/v1/overrides");
const nameOf = (id) => (id === "total" ? t("all channels") : decodeURIComponent(id.replace("channel=", "")));

export function fillForm() {
  const channels = state.planning.channels.map(seriesOf);
  const rest = state.planning.series.filter((id) => !channels.includes(id) && id !== "total");
  const total = state.planning.series.includes("total") ? ["total"] : [];
  fill($("override-series"), [...channels, ...total, ...rest].map((id) => [id, nameOf(id)]));
  if (view.channel) $("override-series").value = seriesOf(view.channel);
  fill($("override-kind"), [["factor", t("times a factor")], ["value", t("to contacts in all")]]);
  const day = view.day;
  $("override-from").value = `${day}T${view.slot ? view.slot.slice(0, 5) : "00:00"}`;
  $("override-to").value = `${addDays(day, 1)}T00:00`;
}

function body() {
  const told = { unique_id: $("override-series").value, reason: $("override-reason").value,
    starts_at: `${$("override-from").value}:00`, ends_at: `${$("override-to").value}:00`,
    [$("override-kind").value]: Number($("override-amount").value) };
  if ($("override-until").value) told.expires_at = `${$("override-until").value}:00`;
  return told;
}

export async function preview() {
  if (!$("override-form").reportValidity()) return;
  const told = await post("/v1/overrides/preview", body());
  const one = told.effect;
  $("override-effect").replaceChildren(el("p", {}, t("Contacts {before} to {after}; on these days {hours} paid hours ({change}), at most {people} people at a time.", {
    before: contacts(one.contacts_before), after: contacts(one.contacts_after), hours: number(one.hours_gross_after, 1),
    change: signed(one.hours_gross_after - one.hours_gross_before, 1), people: number(one.people_most_after) })),
  told.notes.length ? el("ul", {}, told.notes.map((note) => el("li", {}, note))) : "");
}

export async function keep() {
  const told = await post("/v1/overrides", body());
  $("override-amount").value = ""; $("override-reason").value = "";
  $("override-effect").replaceChildren(el("p", {}, t("Override {id} is in force; forecast and plan have moved.", { id: told.override_id })),
    told.notes.length ? el("ul", {}, told.notes.map((note) => el("li", {}, note))) : "");
}

export function drawOverrides({ items, authors }, again) {
  const head = [t("Number"), t("State"), t("Contacts of"), t("When"), t("Change"), t("Contacts without and with it"), t("Author"), t("Reason"), t("Came nearer by"), ""];
  const rows = [...items].reverse().map((one) => [one.override_id, t(one.state), nameOf(one.unique_id),
    `${moment(one.starts_at)} – ${moment(one.ends_at)}`,
    one.factor !== null ? `× ${number(one.factor, 2)}` : t("{count} in all", { count: contacts(one.value) }),
    one.effect ? `${contacts(one.effect.contacts_before)} → ${contacts(one.effect.contacts_after)}` : "–",
    one.withdrawn_by ? `${one.author} (${t("withdrawn by {name}", { name: one.withdrawn_by })})` : one.author, one.reason,
    one.result ? n(Math.round(one.result.value_added), "{n} contact", "{n} contacts") : "–",
    one.state === "in force" ? el("button", { type: "button", "aria-label": `${t("Withdraw")} ${one.override_id}`, onclick: guarded(async () => {
      await post(`/v1/overrides/${one.override_id}/withdraw`);
      await again();
    }) }, t("Withdraw")) : ""]);
  $("overrides").replaceChildren(items.length ? table(t("Overrides, the newest first"), head, rows)
    : el("p", { class: "hint" }, t("No override is kept yet.")));
  $("authors").replaceChildren(authors.length ? table(t("What overrides were worth, by author"),
    [t("Author"), t("Overrides"), t("Error without them"), t("Error with them"), t("Came nearer by")],
    authors.map((one) => [one.author, number(one.overrides), contacts(one.error), contacts(one.error_overridden), contacts(one.value_added)])) : "");
}
