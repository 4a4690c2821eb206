// Asks the service by the reader's key, which stays in this tab.
const KEY = "presage-key";

export const key = {
  read: () => sessionStorage.getItem(KEY),
  keep: (text) => sessionStorage.setItem(KEY, text),
  forget: () => sessionStorage.removeItem(KEY),
};

async function request(path, options = {}, tries = 5) {
  const headers = { Authorization: `Bearer ${key.read()}`, Accept: "*/*", ...options.headers };
  const answer = await fetch(path, { ...options, headers, cache: "no-store" });
  if (answer.ok) return answer;
  const body = await answer.json().catch(() => ({}));
  if (body.type === "/problems/busy" && tries) {  // refused unread, so whatever it was: ask again
    const seconds = Number(answer.headers.get("Retry-After")) || 1;
    await new Promise((later) => setTimeout(later, 1000 * seconds));
    return request(path, options, tries - 1);
  }
  const error = new Error(body.detail || body.title || `HTTP ${answer.status}`);
  error.status = answer.status;
  throw error;
}

export const get = async (path) => (await request(path)).json();

export const post = async (path, body) => (await request(path, {
  method: "POST",
  headers: { "Content-Type": "application/json" },
  ...(body === undefined ? {} : { body: JSON.stringify(body) }),
})).json();

// All pages of a table; a newer result in between starts it again (409).
export async function all(path) {
  const items = [];
  const more = path.includes("?") ? "&" : "?";
  let page = await get(path);
  items.push(...page.items);
  while (page.next) {
    page = await get(`${path}${more}after=${encodeURIComponent(page.next)}`);
    items.push(...page.items);
  }
  return items;
}

export async function download(path, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await (await request(path)).blob());
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

// the contract escapes / = and % in values
export const encode = (text) =>
  text.replace(/[%/=]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
export const seriesOf = (channel) => `channel=${encode(channel)}`;
