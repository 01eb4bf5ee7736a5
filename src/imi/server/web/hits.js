import { button, make, marked } from "./dom.js";
import { t } from "./words.js";

export const MODES = ["text", "meaning", "hybrid"];
const FACTS = 4;
const SHORT = 36;
const PLACES = ["source", "line", "paragraph"];
let telling = null;

/** Takes the columns of a collection: those that group documents are told of a hit, those that only number them are not. */
export function takeColumns(columns) {
  const grouping = columns.filter((column) => column.kind !== "other" && column.distinct > 1 && column.distinct < column.filled);
  telling = columns.length ? grouping.sort((a, b) => !a.values - !b.values || a.distinct - b.distinct).map((column) => column.name) : null;
}

/** Facts of a document in one line, such as "Score 5 · tag pets"; the whole of it is for the page of its own. */
function facts(metadata) {
  const names = (telling || Object.keys(metadata)).filter((name) => !PLACES.includes(name));
  const short = names.filter((name) => metadata[name] !== undefined && metadata[name] !== null && metadata[name] !== "" && String(metadata[name]).length <= SHORT);
  return short.slice(0, FACTS).map((name) => `${name} ${metadata[name]}`).join(" · ");
}

/** One hit: its text with marked words, what it is, and a way to read it and see why it was found. */
export function hitItem(hit, { open, why, rank, note, picture }) {
  const words = hit.characters ? marked(hit.parts) : hit.picture ? [] : [make("em", {}, t("noText"))];
  const text = make("p", { class: "hit-text", dir: "auto" }, ...words);
  if (hit.start > 0) text.prepend("…");
  if (hit.characters && hit.start + hit.parts.reduce((sum, [part]) => sum + [...part].length, 0) < hit.characters) text.append("…");
  const line = [facts(hit.metadata), hit.characters > 2000 ? t("characters", hit.characters) : ""].filter(Boolean).join(" · ");
  const label = why ? t("whyOf", hit.id) : t("readOf", hit.id);
  return make(
    "li",
    { class: "hit", "data-id": hit.id },
    rank === undefined ? null : make("span", { class: "rank", "aria-hidden": "true" }, String(rank)),
    make(
      "div",
      { class: "hit-body" },
      hit.picture && picture ? shown(picture(hit.id), hit) : null,
      text,
      line ? make("p", { class: "hit-facts", dir: "auto" }, line) : null,
      make(
        "p",
        { class: "hit-more" },
        button(why ? t("why") : t("read"), () => open(hit.id), { class: "link", "aria-label": label }),
        hit.score === null ? null : make("span", { class: "score", title: t("score") }, hit.score.toFixed(hit.score < 10 ? 3 : 1)),
        note || null,
        make("span", { class: "also" }),
      ),
    ),
  );
}

/** A picture whose address is on its way; what it shows is said by the text beside it, or by its id. */
export function shown(address, { id, characters }) {
  const image = make("img", { class: "picture", alt: characters ? "" : id });
  address.then((found) => found && image.setAttribute("src", found), () => {});
  image.addEventListener("load", () => URL.revokeObjectURL(image.src));
  return image;
}

/** The three lists side by side; on a narrow window one at a time, chosen by tabs. */
export class Modes {
  constructor(root, tabs, { open, picture }) {
    this.root = root;
    this.tabs = tabs;
    this.open = open;
    this.picture = picture;
    this.lists = {};
    this.ids = {};
    this.build();
  }

  build() {
    this.root.replaceChildren(...MODES.map((mode) => this.column(mode)));
    this.tabs.replaceChildren(...MODES.map((mode) => button(t(mode), () => this.choose(mode), { "data-mode": mode, "aria-pressed": "false", class: "tab" })));
    this.choose(this.chosen || "meaning");
  }

  column(mode) {
    const list = make("ol", { class: "hits" });
    const told = make("span", { class: "told" });
    const said = make("p", { class: "said", role: "status", hidden: true });
    this.lists[mode] = { list, told, said };
    return make(
      "section",
      { class: "mode", "data-mode": mode, "aria-labelledby": `mode-${mode}` },
      make("header", {}, make("h2", { id: `mode-${mode}` }, make("span", { class: `dots ${mode}`, "aria-hidden": "true" }), t(mode)), make("span", { class: "says" }, t(`${mode}Says`)), told),
      said,
      list,
    );
  }

  choose(mode) {
    this.chosen = mode;
    this.root.dataset.chosen = mode;
    for (const tab of this.tabs.children) tab.setAttribute("aria-pressed", String(tab.dataset.mode === mode));
  }

  /** Shows the hits of one mode; `moved` maps an id to what to say of its rank. */
  show(mode, reply, moved) {
    const { list, told, said } = this.lists[mode];
    this.ids[mode] = reply.hits.map((hit) => hit.id);
    list.replaceChildren(...reply.hits.map((hit, place) => hitItem(hit, { open: this.open, picture: this.picture, why: true, rank: place + 1, note: moved && moved(hit.id, place) })));
    told.textContent = t("took", reply.milliseconds);
    this.settle(mode);
    said.hidden = reply.hits.length > 0;
    this.compare();
  }

  say(mode, what) {
    const { list, told, said } = this.lists[mode];
    list.replaceChildren();
    told.textContent = "";
    said.textContent = what;
    said.hidden = !what;
    this.ids[mode] = [];
    this.settle(mode);
  }

  settle(mode) {
    this.root.querySelector(`[data-mode="${mode}"]`).classList.remove("waiting");
  }

  wait() {
    this.ids = {};
    for (const column of this.root.children) column.classList.add("waiting");
  }

  clear() {
    for (const mode of MODES) this.say(mode, "");
  }

  /** Marks the hits that other lists have, too. */
  compare() {
    for (const mode of MODES) {
      for (const item of this.lists[mode].list.children) {
        const others = MODES.filter((other) => other !== mode && other !== "hybrid" && this.ids[other]?.includes(item.dataset.id));
        item.querySelector(".also").replaceChildren(...others.map((other) => make("span", { class: `dots ${other}`, role: "img", "aria-label": t("also")[other], title: t("also")[other] })));
      }
    }
  }
}
