// Every call of /openapi.json with an example to run. Nothing is loaded from elsewhere.
"use strict";

function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function shellQuoted(text) {
  return "'" + text.replaceAll("'", "'\\''") + "'";
}

function curl(method, path, body, open) {
  const lines = [`curl -s -X ${method} ${shellQuoted(location.origin + path)}`];
  if (!open) lines.push('-H "Authorization: Bearer $KEY"');
  if (body) lines.push("-H 'Content-Type: application/json'", `-d ${shellQuoted(body)}`);
  return lines.join(" \\\n  ");
}

function addressOf(path, inputs) {
  const query = new URLSearchParams();
  for (const [parameter, input] of inputs) {
    if (parameter.in === "path") path = path.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
    else if (input.value) query.set(parameter.name, input.value);
  }
  return query.size ? `${path}?${query}` : path;
}

async function run(method, address, body, open, out) {
  const headers = open ? {} : { Authorization: `Bearer ${document.getElementById("key").value}` };
  if (body) headers["Content-Type"] = "application/json";
  out.textContent = "asking …";
  try {
    const answer = await fetch(address, { method, headers, body: body || undefined });
    const text = await answer.text();
    let shown = text;
    try { shown = JSON.stringify(JSON.parse(text), null, 1); } catch { /* CSV or plain text */ }
    out.textContent = `${answer.status}  X-Request-Id: ${answer.headers.get("x-request-id")}\n${shown.slice(0, 20000)}`;
    out.className = answer.ok ? "" : "wrong";
  } catch (error) {
    out.textContent = `no answer: ${error.message}`;
    out.className = "wrong";
  }
}

function section(path, method, call) {
  const open = call.security.length === 0;
  const inputs = call.parameters.filter((p) => p.in !== "header").map((parameter) => {
    const id = `${call.operationId}-${parameter.name}`;
    return [parameter, element("input", { id, value: parameter.example ?? "" })];
  });
  const json = call.requestBody?.content["application/json"];
  const body = json && element("textarea", {
    rows: 6, spellcheck: false, ariaLabel: "body",
    value: JSON.stringify(json.example ?? {}, null, 1),
  });
  const command = element("pre", {});
  const out = element("pre", { hidden: true });
  const refresh = () => {
    command.textContent = curl(method.toUpperCase(), addressOf(path, inputs), body?.value, open);
  };
  const button = element("button", { type: "button" }, "Run");
  button.addEventListener("click", () => {
    out.hidden = false;
    run(method.toUpperCase(), addressOf(path, inputs), body?.value, open, out);
  });
  const fields = inputs.flatMap(([parameter, input]) => [
    element("label", { htmlFor: input.id }, `${parameter.name}${parameter.required ? " (needed)" : ""}: ${parameter.description}`),
    input,
  ]);
  for (const field of [...inputs.map(([, input]) => input), ...(body ? [body] : [])]) field.addEventListener("input", refresh);
  refresh();
  return element("section", { id: call.operationId },
    element("h2", {}, element("span", { className: "method" }, method.toUpperCase()), " ", element("code", {}, path)),
    element("p", {}, `${call.summary}. ${call.description ?? "Open to all."}`),
    ...fields, ...(body ? [element("label", {}, "body"), body] : []),
    element("h3", {}, "As a command"), command, button, out);
}

async function show() {
  const told = await (await fetch("/openapi.json")).json();
  const calls = document.getElementById("calls");
  calls.replaceChildren();
  for (const [path, methods] of Object.entries(told.paths)) {
    for (const [method, call] of Object.entries(methods)) calls.append(section(path, method, call));
  }
}

show();
