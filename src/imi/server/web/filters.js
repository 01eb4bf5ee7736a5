import { dateOf, filtering } from "./columns.js";
import { button, make, quietly } from "./dom.js";
import { t } from "./words.js";

const DAY = 86_400;

/** Filters over metadata: a field for each column, chips for what is set, and the `where` that the server takes. */
export class Filters {
  constructor({ opener, panel, chips, changed }) {
    Object.assign(this, { opener, panel, chips, changed });
    this.set = new Map();
    this.columns = [];
    opener.addEventListener("click", () => this.toggle(panel.hidden));
    panel.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      this.toggle(false);
      opener.focus();
    });
  }

  toggle(open) {
    this.panel.hidden = !open;
    this.opener.setAttribute("aria-expanded", String(open));
  }

  /** Takes the columns of a collection; what is set stays. */
  take(columns, count) {
    this.columns = filtering(columns, count);
    this.count = count;
    this.build();
  }

  build() {
    const fields = this.columns.map((column) => this.field(column));
    this.panel.replaceChildren(...(fields.length ? fields : [make("p", { class: "quiet" }, t("noColumns"))]));
    this.showChips();
  }

  /** What the server is asked for; null where nothing is set. */
  where() {
    const parts = [...this.set.entries()].map(([name, { test, list, raw }]) => {
      if (raw) return raw;
      if (!Array.isArray(test)) return { [name]: test };
      return list ? { or: test.map((value) => ({ [name]: { contains: value } })) } : { [name]: { in: test } };
    });
    return parts.length > 1 ? { and: parts } : parts[0] || null;
  }

  /** Sets what an address says, whoever wrote it; a part that no field here shows becomes a chip of its own. */
  restore(where) {
    this.set.clear();
    const parts = !where ? [] : Array.isArray(where.and) && Object.keys(where).length === 1 ? where.and : [where];
    parts.forEach((part, at) => {
      const names = part && typeof part === "object" ? Object.keys(part) : [];
      const [name, test] = [names[0], names.length === 1 ? part[names[0]] : null];
      if (name === "or" && Array.isArray(test) && test.length && test.every((one) => sameName(one, test[0]))) {
        const inside = Object.keys(test[0])[0];
        return this.set.set(inside, { test: test.map((one) => one[inside].contains), list: true });
      }
      if (names.length !== 1 || ["and", "or", "not"].includes(name)) return this.set.set(`(${at + 1})`, { raw: part });
      if (test && typeof test === "object" && Array.isArray(test.in)) return this.set.set(name, { test: test.in });
      this.set.set(name, { test: test && typeof test === "object" ? test : [test] });
    });
    this.build();
  }

  /** test: an object of operators, or the values of which one must be held; null lets go. */
  change(name, test, list = false) {
    if (test === null) this.set.delete(name);
    else this.set.set(name, { test, list });
    this.showChips();
    this.changed();
  }

  /** What is set for a column, in words. */
  said(name) {
    const { test, raw } = this.set.get(name);
    if (raw) return JSON.stringify(raw);
    if (Array.isArray(test)) return test.map((value) => (value === true ? t("yes") : value === false ? t("no") : String(value))).join(", ");
    const unit = this.columns.find((column) => column.name === name)?.unit;
    const signs = { ">=": "≥", "<=": "≤", contains: "∋" };
    return Object.entries(test).map(([sign, value]) => `${signs[sign] || sign} ${unit ? dateOf(value, unit) : value}`).join(", ");
  }

  showChips() {
    const chips = [...this.set.keys()].map((name) => {
      const text = `${name} ${this.said(name)}`;
      const remove = () => {
        this.set.delete(name);
        this.build();
        this.changed();
        this.opener.focus();
      };
      return make("li", {}, button(`${text} ×`, remove, { class: "chip", "aria-label": t("remove", text) }));
    });
    this.chips.replaceChildren(...chips);
    this.opener.classList.toggle("set", this.set.size > 0);
  }

  field(column) {
    const inner = column.role === "date" ? this.days(column) : column.values ? this.choices(column) : column.kind === "number" ? this.range(column) : this.contains(column);
    const rare = t("filled", column.filled, this.count);
    return make("fieldset", { class: "field" }, make("legend", {}, column.name), inner, rare ? make("p", { class: "quiet" }, rare) : null);
  }

  choices(column) {
    const test = this.set.get(column.name)?.test;
    const chosen = new Set(Array.isArray(test) ? test : []);
    const boxes = column.values.map(([value, count]) => {
      const said = value === true ? t("yes") : value === false ? t("no") : String(value);
      const box = make("input", { type: "checkbox", checked: chosen.has(value) });
      box.addEventListener("change", () => {
        if (box.checked) chosen.add(value);
        else chosen.delete(value);
        const picked = column.values.map(([one]) => one).filter((one) => chosen.has(one));
        this.change(column.name, picked.length ? picked : null, column.kind === "list");
      });
      return make("label", { class: "choice" }, box, make("span", { dir: "auto" }, said), make("small", {}, count.toLocaleString()));
    });
    return make("div", { class: "choices" }, ...boxes);
  }

  /** Two fields for the least and the most; `read` makes a value of what stands in one, null where it is none. */
  bounds(column, fields, read, shown) {
    const test = this.set.get(column.name)?.test;
    const held = { ">=": test?.[">="], "<=": test?.["<="] };
    const bound = (sign, label, attributes) => {
      const input = make("input", { ...attributes, "aria-label": `${column.name} ${label}` });
      if (held[sign] !== undefined) input.value = shown(held[sign]);
      input.addEventListener("input", quietly(() => {
        held[sign] = read(input.value, sign);
        const set = Object.fromEntries(Object.entries(held).filter(([, value]) => value !== undefined && value !== null));
        this.change(column.name, Object.keys(set).length ? set : null);
      }, 250));
      return make("label", { class: "bound" }, make("span", {}, label), input);
    };
    return make("div", { class: "bounds" }, bound(">=", t("from"), fields[0]), bound("<=", t("to"), fields[1]));
  }

  range(column) {
    const field = (edge) => ({ type: "number", step: "any", placeholder: String(edge) });
    const read = (text) => (text !== "" && Number.isFinite(Number(text)) ? Number(text) : null);
    return this.bounds(column, [field(column.low), field(column.high)], read, String);
  }

  /** From one day to another, whatever way the column writes its times. */
  days(column) {
    const { unit } = column;
    const by = unit === "ms" ? 1000 : 1;
    const day = (value) => (unit === "iso" ? String(value).slice(0, 10) : new Date(Number(value) * (1000 / by)).toISOString().slice(0, 10));
    const field = { type: "date", min: day(column.low), max: day(column.high) };
    const read = (text, sign) => {
      if (!text) return null;
      if (unit === "iso") return sign === "<=" ? `${text}T23:59:59` : text;
      const start = (Date.parse(text) / 1000) * by;
      return sign === "<=" ? start + DAY * by - 1 : start;
    };
    return this.bounds(column, [field, field], read, day);
  }

  contains(column) {
    const input = make("input", { type: "text", "aria-label": `${column.name} ${t("contains")}`, placeholder: t("contains"), dir: "auto" });
    input.value = this.set.get(column.name)?.test.contains ?? "";
    input.addEventListener("input", quietly(() => this.change(column.name, input.value ? { contains: input.value } : null), 250));
    return input;
  }
}

function sameName(one, first) {
  return Boolean(one) && Object.keys(one)[0] === Object.keys(first)[0] && one[Object.keys(one)[0]]?.contains !== undefined;
}
