import { make } from "./dom.js";
import { t } from "./words.js";

const LEAST = 32;
const TOP = 10;

/** The sizes to choose from: doubling from 32 on, and the whole vector. */
export function stopsOf(width) {
  const stops = [];
  for (let stop = LEAST; stop < width; stop *= 2) stops.push(stop);
  return [...stops, width];
}

/** The slider over the dimensions of a vector, whose stops are equally far apart, and ten squares that show how much of the answer stays. */
export class Size {
  constructor(root, changed) {
    this.root = root;
    this.changed = changed;
    this.width = null;
    this.chosen = null;
  }

  /** Takes the width of a collection's vectors; too few numbers, or none, and there is nothing to choose. */
  take(width) {
    this.width = width;
    this.chosen = width;
    this.build();
  }

  /** Chooses a stop from outside, such as an address; null for all dimensions. */
  choose(dims) {
    if (this.root.hidden) return;
    this.chosen = this.stops.includes(dims) ? dims : this.width;
    this.slider.value = this.stops.indexOf(this.chosen);
    this.show();
  }

  /** Moves the slider to a stop, as a hand would. */
  pick(dims) {
    const at = this.stops?.indexOf(dims) ?? -1;
    this.slider.value = at < 0 ? 0 : at;
    this.slider.dispatchEvent(new Event("input"));
  }

  build() {
    this.root.hidden = !this.width || this.width <= LEAST;
    if (this.root.hidden) return;
    this.stops = stopsOf(this.width);
    this.slider = make("input", { type: "range", id: "dims", min: 0, max: this.stops.length - 1, step: 1, "aria-label": t("sizeLabel") });
    this.slider.value = this.stops.indexOf(this.chosen);
    this.slider.addEventListener("input", () => {
      const chosen = this.stops[Number(this.slider.value)];
      if (chosen === this.chosen) return;
      this.chosen = chosen;
      this.show();
      this.changed();
    });
    // The names of the stops, each below where the thumb stands on it: a click chooses it, too.
    this.names = this.stops.map((stop, at) => make("span", { class: "stop", "aria-hidden": "true" }, String(stop)));
    this.names.forEach((name, at) => name.addEventListener("click", () => {
      this.slider.value = at;
      this.slider.dispatchEvent(new Event("input"));
    }));
    this.read = make("output", { for: "dims", class: "size-read" });
    this.kept = make("span", { class: "kept", role: "img" });
    this.told = make("span", { class: "kept-told", role: "status" });
    this.root.replaceChildren(
      make("label", { for: "dims", class: "size-name" }, t("size")),
      make("div", { class: "size-track" }, this.slider, make("div", { class: "stops" }, ...this.names)),
      make("div", { class: "size-says" }, this.read, this.kept, this.told),
    );
    this.root.title = t("sameHint");
    this.show();
  }

  /** The numbers to read, null for all. */
  get dims() {
    return this.chosen === this.width ? null : this.chosen;
  }

  show() {
    const smaller = this.width / this.chosen;
    this.read.textContent = this.dims === null ? t("sizeAll", this.width) : `${t("sizeSome", this.chosen, this.width)} · ${t("sizeSays", +smaller.toFixed(1))}`;
    this.slider.setAttribute("aria-valuetext", this.read.textContent);
    this.stops.forEach((stop, at) => this.names[at].classList.toggle("chosen", stop === this.chosen));
    if (this.dims === null) this.forget();
  }

  forget() {
    if (this.root.hidden) return;
    this.kept.replaceChildren();
    this.kept.hidden = true;
    this.told.textContent = "";
  }

  /** Shows how many of the best hits of the whole vector are still there. */
  compare(short, full) {
    if (this.root.hidden || this.dims === null) return;
    const best = full.slice(0, TOP);
    const held = new Set(short.slice(0, TOP));
    const stays = best.map((id) => held.has(id));
    const count = stays.filter(Boolean).length;
    this.kept.hidden = !best.length;
    this.kept.replaceChildren(...stays.map((one) => make("i", { class: one ? "stays" : "gone" })));
    this.told.textContent = best.length ? t("same", count, best.length) : "";
    this.kept.setAttribute("aria-label", this.told.textContent || t("size"));
  }
}

/** What to say of a hit's rank beside the one it has when all dimensions are read. */
export function moved(full) {
  return (id, place) => {
    const was = full.indexOf(id);
    if (was === place) return null;
    if (was < 0) return make("span", { class: "moved new" }, t("isNew"));
    const by = Math.abs(was - place);
    return make("span", { class: "moved", role: "img", "aria-label": was > place ? t("ranks").up(by) : t("ranks").down(by) }, `${was > place ? "↑" : "↓"}${by}`);
  };
}
