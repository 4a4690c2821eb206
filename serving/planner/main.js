// The planners' page: asks the API by the reader's key and draws what it answers.
import { key } from "./api.js";
import { drawAttention } from "./attention.js";
import { drawAnswer, drawCharts, drawPromises, slotsOf } from "./day.js";
import { $, fill, guarded } from "./dom.js";
import { drawFigures } from "./figures.js";
import { drawHeat, select } from "./heat.js";
import { drawOverrides, fillForm, keep, preview, seeOverrides } from "./overrides.js";
import { drawPast } from "./past.js";
import { drawDownloads, drawVersions, fillAgents } from "./plans.js";
import { drawService, loadNews } from "./service.js";
import { dayNames, load, readUrl, state, view, writeUrl } from "./state.js";
import { addDays, dayName, moment } from "./time.js";
import { current, languages, speak, t } from "./words.js";
import { drawScenarios, drawTornado, drawWhatIf, keepScenario } from "./what_if.js";
import { drawWhy } from "./why.js";

let shown = { items: [], authors: [] };

async function open() {
  await load();
  $("key-form").hidden = true; $("plan").hidden = false; $("sign-out").hidden = false;
  $("freshness").textContent = t("As of {time} ({zone}), model {model}, version {version}", {
    time: moment(state.planning.as_of), zone: state.planning.time_zone,
    model: state.planning.model_version || "–", version: state.planning.version ?? "–" }) +
    (state.planning.replanned ? `, ${t("with overrides since")}` : "");
  fill($("channel"), [["", t("all channels")], ...state.planning.channels.map((one) => [one, one])]);
  fill($("day"), dayNames().map((day) => [day, dayName(day)]));
  fill($("show"), [["people", t("people")], ["confidence", t("confidence")],
    ...(state.planning.roster ? [["gap", t("gap to the roster")]] : [])]);
  fill($("span"), [["day", t("the day")], ["week", t("the week")]]);
  for (const name of ["channel", "show", "span"]) $(name).value = view[name];
  drawDownloads();
  const told = seeOverrides();
  await chooseDay();
  shown = await told;
  await drawAll();
  document.body.dataset.ready = "yes";
  await rest();
}

// The day's times; one in the middle of its work where none was chosen.
async function chooseDay() {
  const slots = await slotsOf(view.day);
  if (!slots.some(([slot]) => slot === view.slot))
    view.slot = (slots.find(([slot]) => slot === "10:00") || slots[Math.floor(slots.length / 2)] || [""])[0];
  fill($("slot"), slots);
  $("day").value = view.day; $("slot").value = view.slot;
  writeUrl();
}

const attend = () => drawAttention(shown.items, guarded((day, channel, show) => go(day, channel, show)));

async function drawAll() {
  if (state.news) drawService();
  drawPromises();
  drawFigures();
  await Promise.all([attend(), drawHeat(choose, changeWeek), drawAnswer()]);
}

async function rest() {
  drawOverrides(shown, refresh);
  fillForm();
  drawWhatIf(refresh);
  await Promise.all([drawCharts(pick), drawWhy(), drawPast(), drawVersions(refresh), fillAgents(),
    state.news ? null : drawNews()]);
  guarded(drawScenarios)();  // each is planned beside the plan in force; nobody waits for that
  document.body.dataset.complete = "yes";
}

async function drawNews() {
  await loadNews();
  drawService();
  await attend();
}

async function refresh() {
  const focus = document.activeElement?.id;
  await open();
  if (focus) $(focus)?.focus();
}

const pick = (point) => choose(point.day, point.slot);
const choose = guarded(async (day, slot) => {
  const same = day === view.day;
  view.day = day; view.slot = slot;
  select();
  if (!same) await chooseDay();
  $("slot").value = slot;
  writeUrl();
  await drawAnswer();
  if (!same) drawPromises();
  await Promise.all([drawCharts(pick), drawWhy()]);
});

async function go(day, channel, show = view.show) {
  view.day = day; view.show = show;
  if (channel !== undefined) view.channel = channel;
  $("channel").value = view.channel; $("show").value = show;
  await chooseDay();
  await drawAll();
  await rest();
}
const changeWeek = guarded((weeks) => {
  const days = dayNames(), wanted = addDays(view.day, 7 * weeks);
  const day = days.includes(wanted) ? wanted : weeks < 0 ? days[0] : days[days.length - 1];
  return go(day);
});

$("key-form").onsubmit = guarded(async () => {
  key.keep($("key").value.trim());
  try { await open(); } catch (error) { if ([401, 403].includes(error.status)) key.forget(); throw error; }
});
$("sign-out").onclick = () => { key.forget(); location.reload(); };
$("channel").onchange = guarded(() => go(view.day, $("channel").value));
$("day").onchange = guarded(() => go($("day").value));
$("slot").onchange = () => choose(view.day, $("slot").value);
$("show").onchange = guarded(async () => { view.show = $("show").value; writeUrl(); await drawHeat(choose, changeWeek); });
$("span").onchange = guarded(async () => { view.span = $("span").value; writeUrl(); await drawCharts(pick); });
$("week-before").onclick = () => changeWeek(-1);
$("week-after").onclick = () => changeWeek(1);
$("override-preview").onclick = guarded(preview);
$("override-form").onsubmit = guarded(async () => { await keep(); await refresh(); });
$("scenario-form").onsubmit = guarded(keepScenario);
$("sensitivity").onclick = guarded(drawTornado);
$("lang").onchange = guarded(async () => {
  view.lang = $("lang").value;
  await speak(view.lang);
  writeUrl();
  if (key.read()) await refresh();
});
let resized = null;
addEventListener("resize", () => {
  clearTimeout(resized);
  resized = setTimeout(guarded(async () => {
    if (state.planning) await drawHeat(choose, changeWeek);
  }), 200);
});

readUrl();
fill($("lang"), Object.entries(languages));
await speak(view.lang);
$("lang").value = current();
if (key.read()) guarded(open)();
