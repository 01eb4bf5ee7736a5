import { hitItem } from "./hits.js";
import { button, make } from "./dom.js";
import { spoken, t } from "./words.js";

const QUOTED = /^“(.*)”(?= \[\d+\]$)/;
const CITED = /\[(\d+(?:\s*,\s*\d+)*)\]/g;

/** The view that answers a question: sentences with numbers that open the passages they rest on. */
export class Asking {
  constructor(root, { api, open, picture, trouble }) {
    Object.assign(this, { root, api, open, picture, trouble });
    this.turn = 0;
    this.key = null;
  }

  /** Asks, where this was not asked already. */
  async ask({ name, version, query, where, examples }) {
    if (!query) {
      this.forget();
      return this.invite(examples);
    }
    const key = JSON.stringify([name, version, query, where]);
    if (key === this.key) return;
    this.key = key;
    const turn = ++this.turn;
    this.root.setAttribute("aria-busy", "true");
    try {
      const reply = await this.api.ask(name, "ask", { question: query, where });
      if (turn === this.turn) this.show(query, reply);
    } catch (broken) {
      if (turn !== this.turn) return;
      this.key = null;
      this.trouble(broken);
    } finally {
      if (turn === this.turn) this.root.setAttribute("aria-busy", "false");
    }
  }

  invite(examples) {
    this.root.replaceChildren(make("p", { class: "invite" }, t("askInvite")), examples);
  }

  show(query, reply) {
    const cited = new Map(reply.citations.map((one) => [one.n, one]));
    const quote = (line) => (reply.llm || spoken() !== "ja" ? line : line.replace(QUOTED, "「$1」"));
    const lines = (reply.answer || "").split("\n").filter(Boolean).map((line) => this.line(quote(line), reply, cited));
    const answer = reply.answer
      ? make("div", { class: "answer", dir: "auto" }, ...lines, make("p", { class: "quiet" }, reply.llm ? t("writtenBy", reply.llm.split("@")[0]) : t("quoted"), ` · ${t("took", reply.milliseconds)}`))
      : make("div", { class: "answer" }, make("p", { class: "nothing" }, t("noAnswer")), make("p", { class: "quiet" }, reply.passages.length ? t("noAnswerSays") : t("noPassage")));
    const passages = reply.passages.map((hit, at) => {
      const item = hitItem(hit, { open: this.open, picture: this.picture, rank: at + 1 });
      item.classList.toggle("cited", cited.has(at + 1));
      return item;
    });
    this.root.replaceChildren(
      make("div", { class: "answered" },
        make("section", { "aria-label": t("answer"), role: "status" }, answer),
        passages.length ? make("section", {}, make("h2", {}, t(reply.answer ? "passages" : "nearestPassages")), make("ol", { class: "hits" }, ...passages)) : ""),
    );
    this.root.dataset.asked = query;
  }

  /** A line of the answer; each [number] is a button that opens its passage. */
  line(line, reply, cited) {
    const parts = [];
    let from = 0;
    for (const found of line.matchAll(CITED)) {
      parts.push(line.slice(from, found.index).trimEnd());
      for (const n of found[1].split(",").map(Number)) {
        const passage = reply.passages[n - 1];
        const known = cited.get(n);
        parts.push(passage
          ? button(String(n), () => this.open(passage.id), { class: `cite${known && !known.supported ? " doubted" : ""}`, "aria-label": t("openPassage", n), title: known && !known.supported ? t("doubted") : t("openPassage", n) })
          : `[${n}]`);
      }
      from = found.index + found[0].length;
    }
    parts.push(line.slice(from));
    return make("p", {}, ...parts);
  }

  forget() {
    this.key = null;
    this.turn += 1;
  }
}
