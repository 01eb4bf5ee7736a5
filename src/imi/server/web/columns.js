import { make } from "./dom.js";
import { spoken, t } from "./words.js";

const SHORT = 36;
const FACTS = 4;
let known = null;

/** Takes what the server says of a collection's columns; null until it is known. */
export function takeColumns(columns) {
  known = columns && new Map(columns.map((column) => [column.name, column]));
}

/** A date as a reader of this page writes it; the value as it is where it is none. */
export function dateOf(value, unit) {
  const at = unit === "iso" ? Date.parse(String(value).slice(0, 10)) : unit === "ms" ? Number(value) : Number(value) * 1000;
  return Number.isFinite(at) ? new Intl.DateTimeFormat(spoken(), { dateStyle: "medium", timeZone: "UTC" }).format(at) : String(value);
}

/** A value as it is read: dates as dates, marks as stars. */
export function shownValue(name, value) {
  const column = known?.get(name);
  if (column?.role === "date") return dateOf(value, column.unit);
  if (column?.role === "rating" && starred(column) && Number.isInteger(value)) return stars(value, name);
  if (typeof value === "boolean") return value ? t("yes") : t("no");
  return String(value);
}

function starred(column) {
  return column.high === 5 && column.low >= 0;
}

function stars(value, name) {
  return make("span", { class: "stars", role: "img", "aria-label": t("stars", name, value) }, "★".repeat(value) + "☆".repeat(5 - value));
}

/** What of a document's columns is worth a line on its card, as elements. */
export function facts(metadata, place) {
  if (!known) return [];
  const has = (name) => metadata[name] !== undefined && metadata[name] !== null && metadata[name] !== "" && String(metadata[name]).length <= SHORT;
  const of = (role) => [...known.values()].filter((column) => column.role === role && column.distinct > 1 && has(column.name));
  const groups = of("group").filter((column) => column.distinct < column.filled).sort((a, b) => !a.values - !b.values || a.distinct - b.distinct);
  const chosen = [...of("rating").slice(0, 1), ...of("date").slice(0, 1), ...groups.slice(0, 3)];
  if (chosen.length < 3) chosen.push(...of("number").slice(0, 1));
  const shown = chosen.slice(0, FACTS).map((column) => {
    const value = shownValue(column.name, metadata[column.name]);
    // A picture's folder reads like a tag; its name is imi's own word.
    const bare = column.role === "date" || column.name === "folder" || (column.role === "rating" && typeof value !== "string");
    return make("span", { class: "fact", title: column.name }, bare ? null : make("span", { class: "fact-name" }, `${column.name} `), value);
  });
  const files = known.get("source")?.distinct || 0;
  if (place && files > 1 && !known.has("width")) shown.push(make("span", { class: "fact" }, place));
  return shown;
}

/** The columns that are worth filtering by, the likeliest first. */
export function filtering(columns, count) {
  const order = ["rating", "group", "date", "number"];
  const source = (column) => column.name === "source" && column.values?.length > 1;
  const tells = (column) => column.distinct > 1 || column.filled < count;
  return columns
    .filter((column) => (order.includes(column.role) && tells(column)) || source(column))
    .sort((a, b) => place(order, a) - place(order, b) || !a.values - !b.values || a.name.localeCompare(b.name));
}

function place(order, column) {
  const at = order.indexOf(column.role);
  return at < 0 ? order.length : at;
}
