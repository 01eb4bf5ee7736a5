import { button, make, quietly } from "./dom.js";
import { t } from "./words.js";

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

  /** Takes the columns of another collection; what was set is let go. */
  take(columns, count) {
    // What is the same in every document parts nothing.
    this.columns = columns.filter((column) => column.kind !== "other" && (column.distinct > 1 || column.filled < count));
    this.count = count;
    this.set.clear();
    this.build();
  }

  build() {
    const fields = this.columns.map((column) => this.field(column));
    this.panel.replaceChildren(...(fields.length ? fields : [make("p", { class: "quiet" }, t("noColumns"))]));
    this.showChips();
  }

  /** What the server is asked for; null where nothing is set. */
  where() {
    const parts = [...this.set.entries()].map(([name, { test, list }]) => {
      if (!Array.isArray(test)) return { [name]: test };
      return list ? { or: test.map((value) => ({ [name]: { contains: value } })) } : { [name]: { in: test } };
    });
    return parts.length > 1 ? { and: parts } : parts[0] || null;
  }

  /** test: an object of operators, or the values of which one must be held; null lets go. */
  change(name, test, said, list = false) {
    if (test === null) this.set.delete(name);
    else this.set.set(name, { test, said, list });
    this.showChips();
    this.changed();
  }

  showChips() {
    const chips = [...this.set.entries()].map(([name, { said }]) => {
      const text = `${name} ${said}`;
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
    const inner = column.values ? this.choices(column) : column.kind === "number" ? this.range(column) : this.contains(column);
    const rare = t("filled", column.filled, this.count);
    return make("fieldset", { class: "field" }, make("legend", {}, column.name), inner, rare ? make("p", { class: "quiet" }, rare) : null);
  }

  choices(column) {
    const held = this.set.get(column.name)?.chosen || new Set();
    const boxes = column.values.map(([value, count], at) => {
      const said = value === true ? t("yes") : value === false ? t("no") : String(value);
      const box = make("input", { type: "checkbox", checked: held.has(at) });
      box.addEventListener("change", () => {
        if (box.checked) held.add(at);
        else held.delete(at);
        const picked = [...held].sort((a, b) => a - b).map((place) => column.values[place][0]);
        this.change(column.name, picked.length ? picked : null, picked.map(String).join(", "), column.kind === "list");
        if (this.set.has(column.name)) this.set.get(column.name).chosen = held;
      });
      return make("label", { class: "choice" }, box, make("span", { dir: "auto" }, said), make("small", {}, count.toLocaleString()));
    });
    return make("div", { class: "choices" }, ...boxes);
  }

  range(column) {
    const bounds = { ">=": "", "<=": "" };
    const bound = (operator, label, edge) => {
      const input = make("input", { type: "number", placeholder: String(edge), step: "any", "aria-label": `${column.name} ${label}` });
      const told = this.set.get(column.name)?.test[operator];
      if (told !== undefined) input.value = bounds[operator] = String(told);
      input.addEventListener("input", quietly(() => {
        bounds[operator] = input.value;
        const test = Object.fromEntries(Object.entries(bounds).filter(([, value]) => value !== "" && Number.isFinite(Number(value))).map(([key, value]) => [key, Number(value)]));
        const said = Object.entries(test).map(([key, value]) => `${key === ">=" ? "≥" : "≤"} ${value}`).join(", ");
        this.change(column.name, said ? test : null, said);
      }, 250));
      return make("label", { class: "bound" }, make("span", {}, label), input);
    };
    return make("div", { class: "bounds" }, bound(">=", t("from"), column.low), bound("<=", t("to"), column.high));
  }

  contains(column) {
    const input = make("input", { type: "text", "aria-label": `${column.name} ${t("contains")}`, placeholder: t("contains"), dir: "auto" });
    input.value = this.set.get(column.name)?.test.contains ?? "";
    input.addEventListener("input", quietly(() => this.change(column.name, input.value ? { contains: input.value } : null, `∋ ${input.value}`), 250));
    return input;
  }
}
