import { make } from "./dom.js";
import { t } from "./words.js";

const STEP = 32;
const TOP = 10;

/** The slider over the numbers of a vector, and ten squares that show how much of the answer stays. */
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

  build() {
    this.root.hidden = !this.width || this.width <= STEP;
    if (this.root.hidden) return;
    this.slider = make("input", { type: "range", id: "dims", min: STEP, max: Math.ceil(this.width / STEP) * STEP, step: STEP, list: "dims-marks", "aria-label": t("sizeLabel") });
    this.slider.value = this.chosen;
    this.slider.addEventListener("input", () => {
      this.chosen = Math.min(Number(this.slider.value), this.width);
      this.show();
      this.changed();
    });
    const stops = [32, 64, 128, 256, 512, 1024].filter((stop) => stop <= this.width);
    this.read = make("output", { for: "dims", class: "size-read" });
    this.kept = make("span", { class: "kept", role: "img" });
    this.told = make("span", { class: "kept-told", role: "status" });
    this.root.replaceChildren(
      make("label", { for: "dims", class: "size-name" }, t("size")),
      this.slider,
      make("datalist", { id: "dims-marks" }, ...stops.map((stop) => make("option", { value: stop }))),
      this.read,
      this.kept,
      this.told,
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

/** What to say of a hit's rank beside the one it has when all numbers are read. */
export function moved(full) {
  return (id, place) => {
    const was = full.indexOf(id);
    if (was === place) return null;
    if (was < 0) return make("span", { class: "moved new" }, t("isNew"));
    const by = Math.abs(was - place);
    return make("span", { class: "moved", role: "img", "aria-label": was > place ? t("ranks").up(by) : t("ranks").down(by) }, `${was > place ? "↑" : "↓"}${by}`);
  };
}
