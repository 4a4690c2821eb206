// The page's words in the reader's language: English is what the code says, a catalogue the rest.
let told = {};
let language = "en";

export const languages = { en: "English", es: "Español", no: "Norsk" };
export const locale = () => ({ en: "en-GB", es: "es-ES", no: "nb-NO" })[language];
export const current = () => language;

export async function speak(wanted) {
  const start = (wanted || navigator.language || "en").toLowerCase().split("-")[0];
  const known = { nb: "no", nn: "no" }[start] || start;
  language = known in languages ? known : "en";
  told = language === "en" ? {} : await (await fetch(`/planner/words/${language}.json`)).json();
  document.documentElement.lang = language;
  for (const node of document.querySelectorAll("[data-t]")) {
    node.dataset.t ||= node.textContent.trim();  // English, as the page came
    node.textContent = t(node.dataset.t);
  }
  for (const node of document.querySelectorAll("[data-label]"))
    node.setAttribute("aria-label", t(node.dataset.label));
}

const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");

export function t(text, values = {}) {
  const found = told[text];
  return fill(typeof found === "string" ? found : text, values);
}

// One of something or several: n(2, "{n} person", "{n} people").
export function n(count, one, many, values = {}) {
  const found = told[one];
  const text = Array.isArray(found) ? found[count === 1 ? 0 : 1] : count === 1 ? one : many;
  return fill(text, { n: number(count), ...values });
}

export const number = (value, digits = 0) => value === null || value === undefined
  || Number.isNaN(value) ? "–" : Number(value).toLocaleString(locale(),
    { minimumFractionDigits: digits, maximumFractionDigits: digits });
export const percent = (value, digits = 0) => value === null || value === undefined
  || Number.isNaN(value) ? "–" : `${number(100 * value, digits)}\u00a0%`;
// Contacts: whole from ten on, a decimal below.
export const contacts = (value) => number(value, Math.abs(value) < 10 ? 1 : 0);
export const signed = (value, digits = 0) => `${value > 0 ? "+" : value < 0 ? "−" : "±"}${
  number(Math.abs(value), digits)}`;
// People are whole: a share of a person more is a person more.
// nobody is 0, not -0
export const whole = (people) => Math.ceil(people - 1e-9) || 0;
export function duration(seconds) {
  if (seconds < 120) return n(seconds, "{n} second", "{n} seconds");
  if (seconds < 7200) return n(Math.round(seconds / 60), "{n} minute", "{n} minutes");
  return n(Math.round(seconds / 360) / 10, "{n} hour", "{n} hours");
}
