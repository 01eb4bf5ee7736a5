import { button, make } from "./dom.js";
import { hitItem, nameOf } from "./hits.js";
import { spoken, t } from "./words.js";

const GROUPS = 8;
const EACH = 3;
const SHOWN = 12;

/** What can be asked of a whole collection, each a small card: groups, outliers, duplicates, and the map. */
export class Tasking {
  constructor(root, { api, open, picture, trouble, map }) {
    Object.assign(this, { root, api, open, picture, trouble, map });
    this.key = null;
  }

  show(name, version) {
    const key = JSON.stringify([name, version]);
    if (key === this.key) return;
    this.key = key;
    this.name = name;
    const card = (kind, run) => {
      const result = make("div", { class: "task-result", role: "status" });
      const start = button(t("taskRun")[kind], () => this.run(start, result, run, key), { class: "main" });
      return make("section", { class: "task", "data-task": kind }, make("h2", {}, t("taskName")[kind]), make("p", { class: "quiet" }, t("taskSays")[kind]), start, result);
    };
    this.root.replaceChildren(
      card("cluster", () => this.clusters()),
      card("anomalies", () => this.anomalies()),
      card("dedupe", () => this.duplicates()),
      make("section", { class: "task", "data-task": "map" }, make("h2", {}, t("taskName").map), make("p", { class: "quiet" }, t("taskSays").map), button(t("taskRun").map, this.map, { class: "main" })),
    );
  }

  async run(start, result, run, key) {
    start.disabled = true;
    result.replaceChildren(make("p", { class: "quiet" }, t("taskWorking")));
    try {
      const found = await run();
      if (key !== this.key) return;
      result.replaceChildren(...found);
      start.hidden = true;
    } catch (broken) {
      result.replaceChildren(broken.status === 400 || broken.status === 422 ? make("p", {}, broken.message) : "");
      if (!result.textContent) this.trouble(broken);
    } finally {
      start.disabled = false;
    }
  }

  /** The documents of some ids as cards, by id. */
  async texts(ids) {
    const wanted = [...new Set(ids)].slice(0, 200);
    if (!wanted.length) return new Map();
    const { hits } = await this.api.ask(this.name, "look", { ids: wanted });
    return new Map(hits.map((hit) => [hit.id, hit]));
  }

  /** A document in a line that opens it, or, of a picture, the picture. */
  line(hit, note) {
    if (!hit) return null;
    if (hit.picture) return hitItem(hit, { open: this.open, picture: this.picture });
    const said = hit.parts.map(([text]) => text).join("");
    const text = hit.title ? make("span", {}, make("b", {}, hit.title), said ? ` ${said}` : "") : said || nameOf(hit);
    return make("li", {}, button(text, () => this.open(hit.id), { class: "row", dir: "auto" }), note ? make("small", {}, note) : null);
  }

  /** Documents as lines, those that say the same once. */
  lines(ids, texts) {
    const seen = new Set();
    const different = ids.map((id) => texts.get(id)).filter((hit) => {
      if (!hit) return false;
      const said = hit.picture ? hit.id : `${hit.title} ${hit.parts.map(([text]) => text).join("")}`;
      return !seen.has(said) && seen.add(said);
    });
    return make("ul", { class: "rows" }, ...different.slice(0, EACH).map((hit) => this.line(hit)));
  }

  async clusters() {
    const { clusters, silhouette, stability } = await this.api.task(this.name, "cluster", { language: spoken() });
    const some = clusters.slice(0, GROUPS);
    const texts = await this.texts(some.flatMap((one) => one.representatives));
    const most = Math.max(...some.map((one) => one.size), 1);
    return [
      make("ol", { class: "groups" }, ...some.map((one, at) => {
        const bar = make("span", { class: "bar", "aria-hidden": "true" }, make("i"));
        bar.firstChild.style.width = `${(100 * one.size) / most}%`;
        const name = /^cluster \d+$/.test(one.name) ? `${t("group")} ${at + 1}` : one.name;
        return make("li", {}, make("h3", {}, name, make("small", {}, t("count", one.size))), bar, this.lines(one.representatives, texts));
      })),
      make("p", { class: "quiet" }, t("clustersSay", clusters.length, silhouette, stability)),
    ];
  }

  async anomalies() {
    const { anomalies, count } = await this.api.task(this.name, "anomalies", { language: spoken() });
    const texts = await this.texts(anomalies.slice(0, SHOWN).map((one) => one.id));
    const rows = anomalies.slice(0, SHOWN).map((one) => this.line(texts.get(one.id), one.reason)).filter(Boolean);
    return [make("p", { class: "quiet" }, anomalies.length ? t("anomaliesSay", anomalies.length, count) : t("anomaliesNone")), make("ul", { class: "rows" }, ...rows)];
  }

  async duplicates() {
    const { groups } = await this.api.task(this.name, "dedupe");
    const some = groups.slice(0, SHOWN);
    const texts = await this.texts(some.flatMap((one) => [one.keep, ...one.drop].slice(0, EACH)));
    const extra = groups.reduce((sum, one) => sum + one.drop.length, 0);
    return [
      make("p", { class: "quiet" }, groups.length ? t("dedupeSay", groups.length, extra) : t("dedupeNone")),
      make("ol", { class: "groups" }, ...some.map((one) => make("li", {}, make("h3", {}, t("copies", one.drop.length + 1)), this.lines([one.keep, ...one.drop].slice(0, EACH), texts)))),
    ];
  }
}
