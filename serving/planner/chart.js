// A chart of steps over time as SVG: bands, lines, a cursor that reads out, zoom, and the table behind.
import { el, svg, table } from "./dom.js";
import { number, t } from "./words.js";

const W = 1120, H = 260, LEFT = 52, BOTTOM = 28, TOP = 10, RIGHT = 8;

// points: [{at, until, label, tick}], ascending. series: [{name, values, kind: line|step|band, style,
// low, high}]; a band has low and high instead of values. unit: what the y axis counts.
export function chart(host, { title, unit, points, series, digits = 0, mark = null, onPick = null }) {
  let from = 0, to = points.length, cursor = null;
  const readout = el("p", { class: "hint readout", role: "status" });
  const holder = el("div");
  const zoomed = (first, last) => {
    if (last - first < 3) return;
    [from, to] = [Math.max(0, first), Math.min(points.length, last)];
    draw();
  };
  const zoom = (factor) => {
    const middle = cursor ?? Math.round((from + to) / 2);
    const half = Math.max(3, Math.round((to - from) * factor / 2));
    zoomed(Math.max(0, middle - half), Math.min(points.length, middle + half));
  };
  const buttons = el("span", { class: "buttons" },
    el("button", { type: "button", onclick: () => zoom(0.5) }, t("Zoom in")),
    el("button", { type: "button", onclick: () => zoom(2) }, t("Zoom out")));
  const legend = el("p", { class: "legend" }, series.map((one) => el("span", {},
    svg("svg", { viewBox: "0 0 26 10", "aria-hidden": "true" }, one.kind === "band"
      ? svg("polygon", { class: one.style, points: "0,0 26,0 26,10 0,10" })
      : svg("polyline", { class: one.style, points: "0,5 26,5" })), one.name)));

  const say = (place) => {
    const point = points[place];
    const told = series.map((one) => {
      if (one.kind === "band") {
        if (one.low[place] == null) return null;
        return `${one.name} ${number(one.low[place], digits)}–${number(one.high[place], digits)}`;
      }
      return one.values[place] == null ? null : `${one.name} ${number(one.values[place], digits)}`;
    }).filter(Boolean);
    readout.textContent = `${point.label}: ${told.join(", ")} (${unit})`;
  };

  function draw() {
    const shown = points.slice(from, to);
    const first = shown[0].at, last = shown[shown.length - 1].until;
    const peak = Math.max(1e-9, ...series.flatMap((one) =>
      (one.kind === "band" ? one.high : one.values).slice(from, to).map((value) => value ?? 0)));
    const top = nice(peak);
    const x = (at) => LEFT + (W - LEFT - RIGHT) * (at - first) / Math.max(1, last - first);
    const y = (value) => H - BOTTOM - (H - BOTTOM - TOP) * value / top;
    const picture = svg("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", tabindex: 0,
      "aria-label": `${title} (${unit}). ${t("Left and right arrows read it out; a table follows.")}` });
    for (let i = 0; i <= 4; i++) {
      const value = top * i / 4;
      picture.append(svg("line", { class: "grid-line", x1: LEFT, x2: W - RIGHT, y1: y(value), y2: y(value) }),
        svg("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, number(value, top < 4 ? 1 : 0)));
    }
    const every = Math.ceil(shown.length / (innerWidth < 700 ? 5 : 13));
    shown.forEach((point, i) => {
      if (i % every || x(point.at) > W - 60) return;
      picture.append(svg("text", { x: x(point.at), y: H - 8 }, point.tick));
    });
    for (const one of series) picture.append(...shape(one, from, to, points, x, y));
    if (mark !== null && mark >= first && mark < last) {
      const point = shown.find((one) => one.at <= mark && mark < one.until) || shown[0];
      picture.append(svg("rect", { class: "pick", x: x(point.at), y: TOP, height: H - BOTTOM - TOP,
        width: Math.max(2, x(point.until) - x(point.at)) }));
    }
    const line = svg("line", { class: "cursor", y1: TOP, y2: H - BOTTOM, x1: -9, x2: -9 });
    picture.append(line);
    const move = (place) => {
      cursor = Math.min(to - 1, Math.max(from, place));
      const at = x((points[cursor].at + points[cursor].until) / 2);
      line.setAttribute("x1", at); line.setAttribute("x2", at);
      say(cursor);
    };
    const placeOf = (event) => {
      const box = picture.getBoundingClientRect();
      const share = ((event.clientX - box.left) / box.width * W - LEFT) / (W - LEFT - RIGHT);
      return from + Math.floor(share * (to - from));
    };
    let pressed = null;
    picture.onpointermove = (event) => move(placeOf(event));
    picture.onpointerdown = (event) => { pressed = placeOf(event); };
    picture.onpointerup = (event) => {
      const here = placeOf(event), start = pressed;
      pressed = null;
      if (start !== null && Math.abs(here - start) > 2) zoomed(Math.min(here, start), Math.max(here, start) + 1);
      else if (onPick && points[here]) onPick(points[here]);
    };
    picture.onkeydown = (event) => {
      const steps = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (steps) { event.preventDefault(); move(cursor === null ? from : cursor + steps); }
      else if (event.key === "+") zoom(0.5);
      else if (event.key === "-") zoom(2);
      else if (event.key === "Enter" && onPick && cursor !== null) onPick(points[cursor]);
    };
    holder.replaceChildren(picture);
  }
  const behind = el("details", {}, el("summary", {}, t("Table of this chart")));
  behind.ontoggle = () => {
    if (!behind.open || behind.children.length > 1) return;
    behind.append(el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": title },
      table(`${title} (${unit})`, [t("Time"), ...series.map((one) => one.name)],
        points.map((point, place) => [point.label, ...series.map((one) => one.kind === "band"
          ? one.low[place] == null ? "–" : `${number(one.low[place], digits)}–${number(one.high[place], digits)}`
          : number(one.values[place], digits))]))));
  };
  if (!points.length) { host.replaceChildren(el("p", { class: "hint" }, t("Nothing to show."))); return; }
  draw();
  host.replaceChildren(el("div", { class: "chart" }, el("div", { class: "bar" }, legend, buttons), holder,
    readout, behind));
}

function nice(peak) {
  const scale = 10 ** Math.floor(Math.log10(peak));
  return [1, 2, 2.5, 4, 5, 8, 10].map((step) => step * scale).find((top) => top >= peak) ?? peak;
}

function shape(one, from, to, points, x, y) {
  const known = [];
  const values = one.kind === "band" ? one.high : one.values;
  let run = [];
  for (let place = from; place < to; place++) {
    if (values[place] == null) { if (run.length) known.push(run); run = []; } else run.push(place);
  }
  if (run.length) known.push(run);
  return known.map((places) => {
    const corners = (list) => places.flatMap((place) => [
      [x(points[place].at), y(list[place])], [x(points[place].until), y(list[place])]]);
    const text = (pairs) => pairs.map(([a, b]) => `${a.toFixed(1)},${b.toFixed(1)}`).join(" ");
    return one.kind === "band"
      ? svg("polygon", { class: one.style, points: text([...corners(one.high), ...corners(one.low).reverse()]) })
      : svg("polyline", { class: one.style, points: text(corners(values)) });
  });
}
