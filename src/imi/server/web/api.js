// A key is kept in memory, and in this tab's sessionStorage only where its owner asked for that: never beyond the tab. The one that
// `imi browse` puts into its address is taken out of it at once.
const HELD = "imi.key";
let key = sessionStorage.getItem(HELD) || "";

/** What the server refused, with its status and code. */
export class Refused extends Error {
  constructor(status, error) {
    super(error.message || `HTTP ${status}`);
    this.status = status;
    this.code = error.code;
    this.details = error.details || [];
  }
}

/** The server did not answer. */
export class Silent extends Error {}

export function setKey(secret, keep) {
  key = secret;
  if (keep) sessionStorage.setItem(HELD, secret);
  else sessionStorage.removeItem(HELD);
}

const given = new URLSearchParams(location.search).get("token");
if (given) {
  setKey(given, true);
  history.replaceState(null, "", location.pathname + location.hash);
}

/** Sends a request and returns the JSON value; `watch` is told of every failure to reach the server, and of the first success after. */
export class Api {
  constructor(watch) {
    this.watch = watch;
  }

  async send(method, path, body, { type = "application/json", signal } = {}) {
    const headers = {};
    if (key) headers.authorization = `Bearer ${key}`;
    if (body !== undefined) headers["content-type"] = type;
    const sent = body === undefined || typeof body === "string" ? body : JSON.stringify(body);
    let response;
    let text;
    try {
      response = await fetch(path, { method, headers, body: sent, signal, cache: "no-store", credentials: "omit", redirect: "error" });
      text = await response.text();
    } catch (broken) {
      if (broken.name === "AbortError") throw broken;
      this.watch(false);
      throw new Silent(broken.message);
    }
    this.watch(true);
    let value;
    try {
      value = JSON.parse(text);
    } catch {
      value = { error: { message: text.slice(0, 200) } };
    }
    if (!response.ok) throw new Refused(response.status, value.error || {});
    return value;
  }

  collections(signal) {
    return this.send("GET", "/api/v1/collections", undefined, { signal });
  }

  create(name) {
    return this.send("POST", "/api/v1/collections", { name, model: null });
  }

  ask(name, verb, body, signal) {
    return this.send("POST", `${place(name)}/${verb}`, body, { signal });
  }

  get(name, path) {
    return this.send("GET", `${place(name)}/${path}`);
  }

  task(name, kind, body = {}) {
    return this.send("POST", `${place(name)}/tasks/${kind}`, body);
  }

  /** The address of a document's picture inside this page; asked for with the key, which an image's own request would lack. */
  async picture(name, id) {
    const headers = key ? { authorization: `Bearer ${key}` } : {};
    const response = await fetch(`${place(name)}/thumbnails/${encodeURIComponent(id)}`, { headers, credentials: "omit" });
    return response.ok ? URL.createObjectURL(await response.blob()) : null;
  }

  /** Adds rows as JSON lines; what cannot be taken is listed in the reply. */
  ingest(name, rows) {
    const lines = rows.map((row) => JSON.stringify(row)).join("\n");
    return this.send("POST", `${place(name)}/documents/ingest?on_error=skip`, lines, { type: "application/x-ndjson" });
  }
}

/** Whether the server lives; asked without a key. */
export async function alive() {
  try {
    return (await fetch("/health", { cache: "no-store" })).ok;
  } catch {
    return false;
  }
}

function place(name) {
  return `/api/v1/collections/${encodeURIComponent(name)}`;
}
