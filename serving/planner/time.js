// Times are UTC in the API and the company's own on the page. Two hours of one name, on the night
// when the clock goes back, are told apart: the second carries its offset.
import { locale } from "./words.js";

let clock = null, offset = null, zone = "UTC";

export function setZone(name) {
  zone = name;
  clock = new Intl.DateTimeFormat("en-GB", { timeZone: zone, year: "numeric", month: "2-digit",
    day: "2-digit", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  offset = new Intl.DateTimeFormat("en-GB", { timeZone: zone, timeZoneName: "longOffset" });
}
export const zoneName = () => zone;

// {day, time, slot, offset, at}: slot names an interval of a day and sorts; it is unique in a day.
const memory = new Map();
export function local(text) {
  if (memory.has(text)) return memory.get(text);
  const at = new Date(text), parts = {};
  for (const part of clock.formatToParts(at)) parts[part.type] = part.value;
  const time = `${parts.hour}:${parts.minute}`;
  const day = `${parts.year}-${parts.month}-${parts.day}`;
  const told = { day, time, slot: time, at: at.getTime(), offset: "" };
  const hourBefore = wall(at.getTime() - 3600e3);
  if (hourBefore === `${day} ${time}`) {  // this wall time was an hour ago already
    told.slot = `${time}²`;
    told.offset = offset.formatToParts(at).find((part) => part.type === "timeZoneName").value;
  }
  memory.set(text, told);
  return told;
}
function wall(at) {
  const parts = {};
  for (const part of clock.formatToParts(new Date(at))) parts[part.type] = part.value;
  return `${parts.year}-${parts.month}-${parts.day} ${parts.hour}:${parts.minute}`;
}
export const slotOrder = (a, b) => a.slice(0, 2).localeCompare(b.slice(0, 2))
  || a.length - b.length || a.localeCompare(b);

const noon = (day) => new Date(`${day}T12:00:00Z`);
export const dayName = (day, options = { weekday: "short", day: "numeric", month: "short" }) =>
  noon(day).toLocaleDateString(locale(), { ...options, timeZone: "UTC" });
export const addDays = (day, count) =>
  new Date(noon(day).getTime() + count * 864e5).toISOString().slice(0, 10);
export const monday = (day) => addDays(day, -((noon(day).getUTCDay() + 6) % 7));
export const moment = (text) => {
  const told = local(text);
  return `${dayName(told.day)} ${told.time}`;
};
