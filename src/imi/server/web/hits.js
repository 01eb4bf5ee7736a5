import { facts } from "./columns.js";
import { button, make, marked } from "./dom.js";
import { t } from "./words.js";

export const MODES = ["text", "meaning", "hybrid"];

/** How a document is called where it has no title: by its file, or by its id. */
export function nameOf({ title, id, place }) {
  return title || (place && /[\\/]/.test(id) ? place : id);
}

/** One hit as a card: its title and text with what was found marked, facts, and a way to read it and see why. */
export function hitItem(hit, { open, why, rank, note, picture, far }) {
  const words = hit.characters ? marked(hit.parts) : hit.picture || hit.title ? [] : [make("em", {}, t("noText"))];
  const text = make("p", { class: "hit-text", dir: "auto" }, ...words);
  if (hit.start > 0) text.prepend("…");
  if (hit.characters && hit.start + hit.parts.reduce((sum, [part]) => sum + [...part].length, 0) < hit.characters) text.append("…");
  const line = facts(hit.metadata, hit.place);
  if (hit.characters > 2000) line.push(make("span", { class: "fact" }, t("characters", hit.characters)));
  const label = why ? t("whyOf", nameOf(hit)) : t("readOf", nameOf(hit));
  const image = hit.picture && picture ? shown(picture(hit.id), hit) : null;
  const bare = image && !hit.characters && !hit.title;
  return make(
    "li",
    { class: `hit${image ? " pictured" : ""}${far ? " far" : ""}`, "data-id": hit.id },
    rank === undefined ? null : make("span", { class: "rank", "aria-hidden": "true" }, String(rank)),
    make(
      "div",
      { class: "hit-body" },
      image && make("span", { class: "frame", onclick: () => open(hit.id) }, image),
      hit.title ? make("h3", { class: "hit-title", dir: "auto" }, ...marked(hit.named)) : null,
      bare ? null : text,
      line.length ? make("p", { class: "hit-facts", dir: "auto" }, ...line) : null,
      make(
        "p",
        { class: "hit-more" },
        button(why ? t("why") : t("read"), () => open(hit.id), { class: "link", "aria-label": label }),
        nearBar(hit),
        hit.copies?.length ? make("span", { class: "copies" }, t("copies", hit.copies.length + 1)) : null,
        note || null,
        make("span", { class: "also" }),
      ),
    ),
  );
}

/** A bar for how near a hit comes, on one scale for all ways of searching. */
function nearBar(hit) {
  if (hit.near === null || hit.near === undefined) return null;
  const share = Math.round(100 * hit.near);
  const score = hit.score === null ? "" : ` · ${t("score")} ${hit.score.toFixed(hit.score < 10 ? 3 : 1)}`;
  const bar = make("span", { class: "nearness", role: "img", "aria-label": t("nearness", share), title: t("nearness", share) + score }, make("i"));
  bar.firstChild.style.width = `${Math.max(3, share)}%`;
  return bar;
}

/** A picture whose address is on its way; what it shows is said by the text beside it, or by its name. */
export function shown(address, hit) {
  const image = make("img", { class: "picture", alt: hit.characters ? "" : nameOf(hit) });
  address.then((found) => found && image.setAttribute("src", found), () => {});
  image.addEventListener("load", () => URL.revokeObjectURL(image.src));
  return image;
}

/** The three lists side by side; on a narrow window one at a time, chosen by tabs. */
export class Modes {
  constructor(root, tabs, { open, picture, more, chose }) {
    Object.assign(this, { root, tabs, open, picture, more, chose });
    this.lists = {};
    this.ids = {};
    this.chosen = "meaning";
    this.build();
  }

  build() {
    this.root.replaceChildren(...MODES.map((mode) => this.column(mode)));
    this.tabs.replaceChildren(...MODES.map((mode) => button(t(mode), () => {
      this.choose(mode);
      this.chose();
    }, { "data-mode": mode, "aria-pressed": "false", class: "tab" })));
    this.choose(this.chosen);
  }

  column(mode) {
    const list = make("ol", { class: "hits" });
    const told = make("span", { class: "took" });
    const said = make("div", { class: "said", role: "status", hidden: true });
    const further = button(t("more"), () => this.further(mode), { class: "plain more", hidden: true, "aria-label": `${t("more")}: ${t(mode)}` });
    this.lists[mode] = { list, told, said, further };
    return make(
      "section",
      { class: "mode", "data-mode": mode, "aria-labelledby": `mode-${mode}` },
      make("header", {}, make("h2", { id: `mode-${mode}` }, make("span", { class: `dots ${mode}`, "aria-hidden": "true" }), t(mode)), make("span", { class: "says" }, t(`${mode}Says`)), told),
      said,
      list,
      further,
    );
  }

  /** Pictures without any text are found by meaning alone: one list, laid out as a gallery. */
  alone(gallery) {
    this.root.classList.toggle("alone", gallery);
    this.tabs.classList.toggle("alone", gallery);
    if (gallery) this.choose("meaning");
  }

  choose(mode) {
    this.chosen = MODES.includes(mode) ? mode : "meaning";
    this.root.dataset.chosen = this.chosen;
    for (const tab of this.tabs.children) tab.setAttribute("aria-pressed", String(tab.dataset.mode === this.chosen));
  }

  async further(mode) {
    const { further } = this.lists[mode];
    further.disabled = true;
    await this.more(mode, this.lists[mode].list.children.length);
    further.disabled = false;
  }

  /** Shows the hits of one mode; `moved` maps an id to what to say of its rank. */
  show(mode, reply, moved) {
    const { list, told, said } = this.lists[mode];
    list.replaceChildren();
    this.ids[mode] = [];
    said.hidden = reply.hits.length > 0;
    told.textContent = t("took", reply.milliseconds);
    list.hidden = false;
    this.append(mode, reply, moved);
    if (!reply.likely && mode !== "text" && reply.hits.length) this.nothing(mode);
    this.settle(mode);
  }

  /** Nothing that was found has to do with the question: that is said, and what is least far is kept behind a button. */
  nothing(mode) {
    const { list, said, further } = this.lists[mode];
    list.hidden = further.hidden = true;
    said.hidden = false;
    const all = button(t("leastFar"), () => {
      list.hidden = false;
      all.remove();
    }, { class: "link" });
    said.replaceChildren(make("strong", { class: "nothing" }, t("nothingNear")), all);
  }

  /** Adds the next hits of one mode. */
  append(mode, reply, moved) {
    const { list, further } = this.lists[mode];
    const before = list.children.length;
    const weak = mode === "meaning" && reply.weak !== null ? reply.weak : -1;
    const known = new Set(this.ids[mode]);
    const fresh = reply.hits.filter((hit) => !known.has(hit.id));
    const items = fresh.map((hit, at) => {
      const far = hit.near !== null && hit.near < weak && !hit.parts.some(([, mark]) => mark === 1);
      return hitItem(hit, { open: this.open, picture: this.picture, why: true, rank: before + at + 1, note: moved && moved(hit.id, before + at), far });
    });
    list.append(...items);
    const edge = [...list.children].findIndex((item) => item.classList.contains("far"));
    list.querySelector(".edge")?.classList.remove("edge");
    if (edge > 0) {
      list.children[edge].classList.add("edge");
      list.children[edge].dataset.edge = t("fartherOn");
    }
    this.ids[mode].push(...fresh.map((hit) => hit.id));
    further.hidden = !reply.more;
    this.compare();
  }

  say(mode, what) {
    const { list, told, said, further } = this.lists[mode];
    list.replaceChildren();
    told.textContent = "";
    said.textContent = what;
    said.hidden = !what;
    further.hidden = true;
    this.ids[mode] = [];
    this.settle(mode);
  }

  settle(mode) {
    this.root.querySelector(`[data-mode="${mode}"]`).classList.remove("waiting");
  }

  wait() {
    for (const column of this.root.children) column.classList.add("waiting");
  }

  clear() {
    for (const mode of MODES) this.say(mode, "");
  }

  /** Says of each hit which other lists have it, too. */
  compare() {
    for (const mode of MODES) {
      for (const item of this.lists[mode].list.children) {
        const others = MODES.filter((other) => other !== mode && other !== "hybrid" && this.ids[other]?.includes(item.dataset.id));
        item.querySelector(".also").replaceChildren(...others.map((other) => make("span", { class: "also-in" }, make("span", { class: `dots ${other}`, role: "img", "aria-label": t("also")[other] }), make("span", { "aria-hidden": "true" }, t("alsoShort")[other]))));
      }
    }
  }
}
