import { shownValue } from "./columns.js";
import { button, make, marked } from "./dom.js";
import { hitItem, nameOf, shown } from "./hits.js";
import { t } from "./words.js";

const PAGE = 20000;
const FOLDED = 1400; // characters from which a text is shown in part at first

/** The dialog that shows one document: its text, why it was found, its columns and what is nearest to it. */
export class Reading {
  constructor(dialog, { ask, picture, trouble }) {
    this.dialog = dialog;
    this.ask = ask;
    this.picture = picture;
    this.trouble = trouble;
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  }

  async open(name, id, query, start = 0) {
    this.turn = (this.turn || 0) + 1;
    const turn = this.turn;
    try {
      const told = await this.ask(name, "why", { id, query: query || null, start });
      if (turn !== this.turn) return;
      this.show(name, query, told);
      if (!this.dialog.open) this.dialog.showModal();
      this.dialog.scrollTop = 0;
      const near = await this.ask(name, "look", { like: id, k: 5 });
      if (turn === this.turn) this.near.replaceChildren(...near.hits.map((hit) => hitItem(hit, { open: (other) => this.open(name, other, query), picture: (other) => this.picture(name, other) })));
    } catch (broken) {
      // A document without a vector has no neighbours, and that is no trouble once its text is there.
      if (turn === this.turn && !(this.dialog.open && broken.status === 400)) this.trouble(broken);
    }
  }

  show(name, query, told) {
    this.near = make("ol", { class: "hits near" });
    const entries = Object.entries(told.metadata).filter(([, value]) => value !== null);
    const text = told.characters ? marked(told.parts) : told.picture ? [] : [make("em", {}, t("noText"))];
    if (told.picture) text.unshift(shown(this.picture(name, told.id), told));
    const parts = [
      make("header", { class: "reading-top" }, make("h2", { id: "reading-title", dir: "auto" }, nameOf(told)), button("×", () => this.dialog.close(), { class: "plain icon", "aria-label": t("close") })),
      told.title || told.place ? make("p", { class: "quiet" }, [told.id !== nameOf(told) && !/[\\/]/.test(told.id) ? told.id : "", told.place !== nameOf(told) ? told.place : ""].filter(Boolean).join(" · ")) : null,
      this.text(told, text),
      told.characters > PAGE ? this.pages(name, query, told) : null,
      query && told.characters ? this.words(told) : null,
      query ? this.meaning(told) : null,
      entries.length ? make("section", {}, make("h3", {}, t("facts")), make("dl", { class: "facts" }, ...entries.flatMap(([key, value]) => [make("dt", {}, key), make("dd", { dir: "auto" }, shownValue(key, value))]))) : null,
      make("section", {}, make("h3", {}, t("nearest")), this.near),
    ];
    this.dialog.replaceChildren(...parts.filter(Boolean));
  }

  /** The text; a long one is folded until one asks for all of it. */
  text(told, parts) {
    const shown = make("div", { class: "reading-text", dir: "auto" }, ...parts);
    if (told.characters < FOLDED) return shown;
    shown.classList.add("folded");
    const all = button(t("showAll"), () => {
      shown.classList.remove("folded");
      all.remove();
    }, { class: "link" });
    return make("div", {}, shown, all);
  }

  pages(name, query, told) {
    const end = Math.min(told.start + PAGE, told.characters);
    const go = (start) => this.open(name, told.id, query, start);
    return make(
      "p",
      { class: "pages" },
      t("shownPart", told.start + 1, end, told.characters),
      told.start > 0 ? button(t("earlier"), () => go(Math.max(0, told.start - PAGE)), { class: "plain" }) : null,
      end < told.characters ? button(t("further"), () => go(end), { class: "plain" }) : null,
    );
  }

  words(told) {
    const chips = told.words.map((word) => make("li", { class: "word" }, word));
    return make("section", {}, make("h3", {}, make("span", { class: "dots text", "aria-hidden": "true" }), t("words")), chips.length ? make("ul", { class: "chips" }, ...chips) : make("p", { class: "quiet" }, t("noWords")));
  }

  meaning(told) {
    const said = told.meaning;
    const parts = [make("h3", {}, make("span", { class: "dots meaning", "aria-hidden": "true" }), t("carried"))];
    if (!said) return make("section", {}, ...parts, make("p", { class: "quiet" }, t(told.characters ? "own" : "noVectorOfWords")));
    parts.push(make("p", { class: "cosine" }, `${t("cosine")} `, make("strong", {}, said.cosine.toFixed(3))));
    if (!said.pairs.length) return make("section", {}, ...parts, make("p", { class: "quiet" }, t(told.characters ? "noTokens" : "asAWhole")));
    const most = said.pairs[0].share || 1;
    parts.push(make("ul", { class: "pairs" }, ...said.pairs.map((pair) => {
      const bar = make("span", { class: "bar", "aria-hidden": "true" }, make("i"));
      bar.firstChild.style.width = `${(100 * pair.share) / most}%`;
      return make("li", {}, make("span", { class: "pair" }, make("b", {}, plain(pair.query)), " ↔ ", make("b", {}, plain(pair.document))), bar, make("span", { class: "score" }, `+${pair.share.toFixed(3)}`));
    })));
    parts.push(make("p", { class: "quiet" }, t("carriedSays", said.sum.toFixed(3), said.cosine.toFixed(3))));
    parts.push(make("p", { class: "quiet tokens-name" }, t("asRead")), tokens(said.tokens));
    if (said.read < told.characters) parts.push(make("p", { class: "quiet" }, t("readPart", said.read, told.characters)));
    return make("section", {}, ...parts);
  }
}

/** A token as people write it: the model's sign for a space before it is left out. */
function plain(token) {
  return token.replace(/^▁/, "") || "␣";
}

function tokens(pairs) {
  const most = Math.max(...pairs.map(([, share]) => share), 1e-9);
  const heat = ([token, share]) => make("span", { class: `heat h${Math.max(0, Math.min(5, Math.round((5 * share) / most)))}`, title: share.toFixed(3) }, token.replaceAll("▁", ""));
  return make("p", { class: "tokens", dir: "auto" }, ...pairs.flatMap((pair) => [pair[0].startsWith("▁") ? " " : "", heat(pair)]));
}

