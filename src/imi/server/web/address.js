export const VIEWS = ["search", "ask", "tasks", "map"];
const SETTLED = 1200; // milliseconds after which what is shown counts as a place that Back returns to

/** What an address asks for: #collection/view?q=…&mode=…&dims=…&where=…, each part left out where it says nothing. */
export function readAddress(hash) {
  const [place, ...rest] = hash.replace(/^#/, "").split("?");
  const [name = "", view = ""] = place.split("/");
  const given = new URLSearchParams(rest.join("?"));
  const dims = Number(given.get("dims"));
  return {
    name: decoded(name),
    view: VIEWS.includes(view) ? view : "search",
    query: given.get("q") || "",
    mode: given.get("mode") || null,
    dims: Number.isInteger(dims) && dims > 0 ? dims : null,
    where: parsed(given.get("where")),
  };
}

/** The address of what is shown. */
export function writtenAddress({ name, view, query, mode, dims, where }) {
  if (!name) return "";
  const said = new URLSearchParams();
  if (query) said.set("q", query);
  if (mode) said.set("mode", mode);
  if (dims) said.set("dims", dims);
  if (where) said.set("where", JSON.stringify(where));
  const tail = said.toString();
  return `#${encodeURIComponent(name)}${view === "search" ? "" : `/${view}`}${tail ? `?${tail}` : ""}`;
}

/** The address bar and the page: each follows the other. */
export class Address {
  constructor(follow) {
    this.shown = null;
    this.last = -Infinity;
    const changed = () => {
      if (location.hash === this.shown) return;
      this.shown = location.hash;
      this.last = -Infinity;
      follow(readAddress(location.hash));
    };
    addEventListener("hashchange", changed);
    addEventListener("popstate", changed);
  }

  /** Writes what is shown; while one types or drags, one entry of the history is written over and over. */
  write(state) {
    const address = writtenAddress(state);
    if (address === this.shown) return;
    const now = performance.now();
    const first = this.shown === null;
    const settled = !first && now - this.last > SETTLED;
    this.shown = address;
    if (!first) this.last = now;
    if (location.hash !== address) history[settled ? "pushState" : "replaceState"](null, "", address || location.pathname);
  }
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function parsed(text) {
  try {
    const value = JSON.parse(text || "null");
    return value && typeof value === "object" && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}
