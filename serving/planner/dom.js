// Elements, made and found. Text is always set as text.
export const $ = (id) => document.getElementById(id);

export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) element[name] = value;
    else if (name === "style") Object.assign(element.style, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children.flat());
  return element;
}

// A table with a caption for who cannot see what it is about; the first column heads its row.
export function table(caption, head, rows) {
  return el("table", {}, el("caption", {}, caption),
    el("thead", {}, el("tr", {}, head.map((text) => el("th", { scope: "col" }, text)))),
    el("tbody", {}, rows.map(([first, ...rest]) => el("tr", {},
      el("th", { scope: "row" }, first), rest.map((cell) => el("td", {}, cell))))));
}

export const fill = (select, options) => select.replaceChildren(
  ...options.map(([value, text]) => new Option(text, value)));

// What goes wrong is said in one place and read aloud; what was drawn stays.
export function guarded(work) {
  return async (...told) => {
    if (told[0]?.type === "submit") told[0].preventDefault();
    $("error").hidden = true;
    try {
      return await work(...told);
    } catch (error) {
      $("error").textContent = error.message;
      $("error").hidden = false;
      return undefined;
    }
  };
}
