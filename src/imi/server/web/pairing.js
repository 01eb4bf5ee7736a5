import { make } from "./dom.js";
import { Mapping } from "./mapping.js";
import { t } from "./words.js";

const FIRST = 64; // dimensions of the second map where the slider stands at all of them

/** One map, or two beside each other: by all dimensions, and by those of the slider, into which the second one moves. */
export class PairedMaps {
  constructor(root, size, told) {
    Object.assign(this, { root, size, paired: false });
    this.toggle = make("button", { type: "button", id: "map-pair", "aria-pressed": "false" });
    this.toggle.addEventListener("click", () => this.pair(!this.paired));
    const place = (id) => {
      const said = make("p", { id: `${id}-said`, class: "map-said", role: "status" });
      const map = make("div", { id });
      return { said, map, root: make("div", { class: "map-one" }, said, map) };
    };
    const [left, right] = [place("map"), place("map-beside")];
    this.second = right.root;
    this.second.hidden = true;
    this.maps = make("div", { class: "maps" }, left.root, right.root);
    root.replaceChildren(this.toggle, this.maps);
    // What is done on one map is shown on both: a document, a colour, a word.
    const both = (other) => ({
      chosen: (row) => this.paired && other().map?.choose(row, false, false),
      coloured: (name) => this.paired && other().map?.colour(name),
      looked: (rows) => this.paired && other().map?.find(rows),
    });
    this.left = new Mapping(left.map, left.said, told, both(() => this.right));
    this.right = new Mapping(right.map, right.said, told, both(() => this.left), false);
    this.name();
  }

  name() {
    this.toggle.textContent = t("pair");
    this.toggle.title = t("pairHint");
  }

  /** Shows one map or two. */
  pair(paired) {
    this.paired = paired;
    this.toggle.setAttribute("aria-pressed", String(paired));
    this.maps.classList.toggle("paired", paired);
    this.second.hidden = !paired;
    if (!paired) this.right.drop();
    if (paired && this.size.dims === null) this.size.pick(FIRST);
    if (this.shown) this.show(...this.shown);
  }

  show(name, how) {
    this.shown = [name, how];
    this.toggle.hidden = this.size.root.hidden;
    if (this.toggle.hidden && this.paired) return this.pair(false);
    this.left.show(name, this.paired ? { ...how, hits: how.best, dims: null, whole: true } : how);
    if (this.paired) this.right.show(name, how);
  }

  drop() {
    this.left.drop();
    this.right.drop();
    this.shown = null;
    this.name();
  }
}
