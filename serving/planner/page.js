"use strict";
// The planners' page: asks the API by the reader's key and draws what it answers.

const $ = (id) => document.getElementById(id);
const KEY = "presage-key";
let state = null;

async function ask(path, accept = "application/json") {
  const answer = await fetch(path, {
    headers: { Authorization: `Bearer ${sessionStorage.getItem(KEY)}`, Accept: accept },
    cache: "no-store",
  });
  if (accept === "text/csv" && answer.ok) return answer.blob();
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.detail || body.title || `HTTP ${answer.status}`);
  return body;
}

async function all(path) {
  const items = [];
  let page = await ask(path);
  items.push(...page.items);
  while (page.next) {
    page = await ask(`${path}&after=${encodeURIComponent(page.next)}`);
    items.push(...page.items);
  }
  return items;
}

// Times are UTC in the API and the company's own on the page.
function local(time) {
  const parts = {};
  for (const part of state.clock.formatToParts(new Date(time))) parts[part.type] = part.value;
  const hour = parts.hour === "24" ? "00" : parts.hour;
  return { day: `${parts.year}-${parts.month}-${parts.day}`, time: `${hour}:${parts.minute}` };
}
function dayName(day) {
  return new Date(`${day}T12:00:00Z`).toLocaleDateString("en-GB", {
    weekday: "short", day: "numeric", month: "short", timeZone: "UTC" });
}
const number = (value, digits = 0) =>
  value === null || value === undefined ? "–" : Number(value).toFixed(digits);
const percent = (value) =>
  value === null || value === undefined ? "–" : `${(100 * value).toFixed(0)} %`;

async function load() {
  const planning = await ask("/v1/planning");
  state = { planning, clock: new Intl.DateTimeFormat("en-GB", {
    timeZone: planning.time_zone, year: "numeric", month: "2-digit", day: "2-digit",
    hour: "2-digit", minute: "2-digit", hourCycle: "h23" }) };
  state.staffing = (await all("/v1/staffing?limit=5000")).map((row) => ({
    ...row, ...local(row.starts_at) }));
  const told = local(planning.as_of);
  $("freshness").textContent = `As of ${dayName(told.day)} ${told.time} ` +
    `(${planning.time_zone}), model ${planning.model_version || "–"}`;
  $("zone").textContent = `local time of ${planning.time_zone}`;
  const days = [...new Set(state.staffing.map((row) => row.day))].sort();
  fill($("day"), days.map((day) => [day, dayName(day)]));
  const times = [...new Set(state.staffing.map((row) => row.time))].sort();
  fill($("hour"), times.map((time) => [time, time]));
  fill($("channel"), [["", "all channels"], ...planning.channels.map((c) => [c, c])]);
  const monday = days.find((day) => new Date(`${day}T12:00:00Z`).getUTCDay() === 1);
  $("day").value = monday || days[0] || "";
  $("hour").value = times.includes("10:00") ? "10:00" : times[0] || "";
  $("key-form").hidden = true; $("plan").hidden = false; $("sign-out").hidden = false;
  await show();
  document.body.dataset.ready = "yes";
}

function fill(select, options) {
  select.replaceChildren(...options.map(([value, text]) => new Option(text, value)));
}

async function show() {
  drawAnswer(); drawHeat();
  await drawChart();
}

function chosen() {
  const channel = $("channel").value;
  return state.staffing.filter((row) => !channel || row.channel === channel);
}

function drawAnswer() {
  const day = $("day").value, time = $("hour").value;
  const rows = chosen().filter((row) => row.day === day && row.time === time);
  const sum = (name) => rows.reduce((total, row) => total + (row[name] || 0), 0);
  const answer = $("answer");
  if (!rows.length) {
    answer.textContent = `${dayName(day)} at ${time}: no interval of the plan begins then.`;
    $("answer-table").replaceChildren();
    return;
  }
  answer.replaceChildren(`${dayName(day)} at ${time}: `, bold(`${whole(sum("agents_gross"))} people`),
    ` on duty (${sum("agents_net")} of them answering at a time), for ${number(sum("volume"), sum("volume") < 10 ? 1 : 0)}` +
    " contacts expected.");
  const head = ["channel", "people, breaks included", "answering", "contacts", "80 % of outcomes",
    "service level", "occupancy"];
  const body = rows.map((row) => [row.channel, number(row.agents_gross, 1), row.agents_net,
    number(row.volume, 1),
    `${number(row.volume_lo_80, 1)} to ${number(row.volume_hi_80, 1)}`,
    percent(row.service_level), percent(row.occupancy)]);
  $("answer-table").replaceChildren(line("th", head), ...body.map((cells) => line("td", cells)));
}

// People are whole: a share of a person more is a person more.
function whole(people) { return Math.ceil(people - 1e-9); }
function bold(text) { const b = document.createElement("b"); b.textContent = text; return b; }
function line(tag, cells) {
  const row = document.createElement("tr");
  for (const cell of cells) {
    const td = document.createElement(tag); td.textContent = cell; row.append(td);
  }
  return row;
}

function drawHeat() {
  const rows = chosen(), people = new Map();
  for (const row of rows) {
    const key = `${row.day} ${row.time}`;
    people.set(key, (people.get(key) || 0) + (row.agents_gross || 0));
  }
  const days = [...new Set(rows.map((row) => row.day))].sort();
  const busy = [...people].filter(([, count]) => count > 0).map(([key]) => key.slice(11));
  const times = [...new Set(busy)].sort();
  const most = Math.max(1, ...people.values());
  const head = document.createElement("tr");
  head.append(document.createElement("th"));
  for (const time of times) {
    const th = document.createElement("th");
    th.scope = "col"; th.textContent = time.endsWith(":00") ? time.slice(0, 2) : ""; head.append(th);
  }
  const body = days.map((day) => {
    const tr = document.createElement("tr"), th = document.createElement("th");
    th.scope = "row"; th.textContent = dayName(day); tr.append(th);
    for (const time of times) {
      const td = document.createElement("td"), exact = people.get(`${day} ${time}`),
        count = exact === undefined ? undefined : whole(exact);
      if (count !== undefined) {
        const button = document.createElement("button");
        button.type = "button"; button.textContent = count || "";
        button.title = `${dayName(day)} ${time}: ${count} people`;
        button.setAttribute("aria-label", button.title);
        button.style.background = `color-mix(in srgb, var(--blue) ${Math.round(
          70 * count / most)}%, transparent)`;
        button.setAttribute("aria-pressed", String(day === $("day").value && time === $("hour").value));
        button.onclick = () => { $("day").value = day; $("hour").value = time; drawAnswer(); drawHeat(); guarded(drawWhy)(); };
        td.append(button);
      }
      tr.append(td);
    }
    return tr;
  });
  $("heat").replaceChildren(head, ...body);
}

// What moves a number from one forecast to the next: the parts of `change`, in words.
const CAUSES = { model: "trained again", corrected: "counts corrected", calendar: "newly announced",
  new_counts: "counts since", drivers: "orders, errors, open tickets since",
  today: "what today brought so far", one_number: "the customers' expected tickets" };

async function drawWhy() {
  const day = $("day").value, time = $("hour").value, out = $("why");
  const at = (state.ahead || []).filter((row) => `${row.day} ${row.time}` <= `${day} ${time}`).pop();
  out.textContent = "";
  if (!at) return;
  const query = `unique_id=${encodeURIComponent(at.unique_id)}&ds=${encodeURIComponent(at.ds)}`;
  const told = await ask(`/v1/forecasts/explain?${query}`).catch(() => null);
  if (!told || $("day").value !== day || $("hour").value !== time) return;
  const small = (value) => number(value, Math.abs(value) < 10 ? 2 : 1);
  const factors = [["holidays", told.holiday_effect], ["events", told.event_effect],
    ["orders, errors and open tickets", told.load]].filter(([, by]) => Math.abs(by - 1) > 0.005);
  let text = ` contacts expected, by ${told.members.slice(0, 3).map((one) =>
    `${one.member.replaceAll("_", " ")} (${percent(one.weight)})`).join(", ")} and others`;
  if (factors.length) text += `, with ${factors.map(([name, by]) => `${name} × ${number(by, 2)}`).join(", ")}`;
  text += ". ";
  if (told.change) {
    const parts = Object.keys(CAUSES).filter((name) => Math.abs(told.change[name]) >= 0.005)
      .map((name) => `${CAUSES[name]} ${told.change[name] > 0 ? "+" : "−"}${small(Math.abs(told.change[name]))}`);
    const since = local(told.change.since);
    text += `As of ${dayName(since.day)} ${since.time} it was ${small(told.change.before)}: ` +
      `${parts.join(", ") || "nothing has moved it"}.`;
  }
  const of = at.unique_id === "total" ? "All channels" : at.unique_id.replace("channel=", "");
  out.replaceChildren(`${of}, ${dayName(at.day)} at ${at.time}: `, bold(small(told.presage)), text);
}

async function drawChart() {
  const channel = $("channel").value;
  const id = channel ? `channel=${encode(channel)}` : "total";
  const query = `unique_id=${encodeURIComponent(id)}`;
  const [ahead, past] = await Promise.all([
    all(`/v1/forecasts?${query}`), all(`/v1/actuals?${query}`)]);
  state.ahead = ahead.map((row) => ({ ...row, ...local(row.ds) }));
  $("chart").replaceChildren(chart(past, ahead));
  await drawWhy();
  const [tested] = await all(`/v1/accuracy?${query}`).catch(() => []);
  $("accuracy").textContent = !tested || tested.presage === null ? "Not tested yet: too little history." :
    (tested.presage_days == null ? "" : `A day's contacts were off by ${percent(tested.presage_days)} ` +
      `in ${tested.trials} trials, 4 of 5 days by at most ${percent(tested.within_days)}; the season ` +
      `before by ${percent(tested.seasonal_naive_days)}. `) +
    `Interval by interval off by ${percent(tested.presage)} in ${tested.trials} trials (sum of ` +
    `errors over contacts); the season before by ${percent(tested.seasonal_naive)}, the mean of ` +
    `the last 8 same slots by ${percent(tested.mean_of_8)}.`;
}
// the contract escapes / = and % in values
const encode = (text) => text.replace(/[%/=]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

function chart(past, ahead) {
  const W = 1120, H = 300, left = 44, bottom = 24, top = 8;
  const at = (row) => Date.parse(row.ds);
  const times = [...past, ...ahead].map(at);
  const first = Math.min(...times), last = Math.max(...times);
  const peak = Math.max(1, ...past.map((r) => r.y || 0), ...ahead.map((r) => r["presage-hi-80"] || 0));
  const x = (t) => left + (W - left - 6) * (t - first) / Math.max(1, last - first);
  const y = (v) => H - bottom - (H - bottom - top) * Math.min(v, peak * 1.12) / (peak * 1.12);
  const svg = node("svg", { viewBox: `0 0 ${W} ${H}`, role: "img",
    "aria-label": "Contacts per interval: actual counts, then the forecast with its intervals" });
  for (let i = 0; i <= 4; i++) {
    const value = peak * i / 4;
    svg.append(node("line", { class: "grid", x1: left, x2: W, y1: y(value), y2: y(value) }),
      node("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" },
        number(value, peak < 8 ? 1 : 0)));
  }
  const days = [...new Set([...past, ...ahead].map((row) => local(row.ds).day))];
  const every = Math.ceil(days.length / 12);
  days.forEach((day, i) => {
    if (i % every) return;
    const row = [...past, ...ahead].find((r) => local(r.ds).day === day);
    if (x(at(row)) > W - 70) return;  // the name would leave the picture
    svg.append(node("text", { x: x(at(row)), y: H - 6 }, dayName(day)));
  });
  const band = (low, high, name) => {
    const up = ahead.map((r) => `${x(at(r))},${y(r[high])}`);
    const down = ahead.map((r) => `${x(at(r))},${y(r[low])}`).reverse();
    if (ahead.length) svg.append(node("polygon", { class: name, points: [...up, ...down].join(" ") }));
  };
  band("presage-lo-95", "presage-hi-95", "wide");
  band("presage-lo-80", "presage-hi-80", "band");
  const draw = (rows, value, name) => rows.length && svg.append(node("polyline", { class: name,
    points: rows.map((r) => `${x(at(r))},${y(r[value])}`).join(" ") }));
  draw(past, "y", "actual");
  draw(ahead, "presage", "median");
  if (ahead.some((r) => r.overridden !== null && r.overridden !== undefined))
    draw(ahead.map((r) => ({ ...r, now: r.overridden ?? r.presage })), "now", "changed");
  if (ahead.length) svg.append(node("line", { class: "now", x1: x(at(ahead[0])), x2: x(at(ahead[0])),
    y1: top, y2: H - bottom }));
  return svg;
}
function node(name, attributes, text) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

async function download(path, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await ask(path, "text/csv"));
  link.download = name; link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function guarded(work) {
  return async (event) => {
    if (event) event.preventDefault();
    $("error").hidden = true;
    try { await work(); } catch (error) {
      $("error").textContent = error.message; $("error").hidden = false;
    }
  };
}

$("key-form").onsubmit = guarded(async () => {
  sessionStorage.setItem(KEY, $("key").value.trim());
  try { await load(); } catch (error) { sessionStorage.removeItem(KEY); throw error; }
});
$("sign-out").onclick = () => { sessionStorage.removeItem(KEY); location.reload(); };
for (const id of ["day", "hour"]) $(id).onchange = guarded(async () => {
  drawAnswer(); drawHeat(); await drawWhy(); });
$("channel").onchange = guarded(show);
$("plan-csv").onclick = guarded(() => download("/v1/staffing", "staffing.csv"));
$("forecast-csv").onclick = guarded(() => download("/v1/forecasts", "forecast.csv"));
if (sessionStorage.getItem(KEY)) guarded(load)();
