import { mountMap, numbers } from "./map/map.js";
import { spoken, t } from "./words.js";

const WAIT = 700;

/** The map of a collection: asked for once, shown as a sketch at first, and moved into its finished layout. */
export class Mapping {
  constructor(root, said, { api, open, trouble }) {
    Object.assign(this, { root, said, api, open, trouble });
    this.turn = 0;
  }

  /** Shows the map of a collection; hits are ids that stand out on it. */
  async show(name, hits, query) {
    this.hits = hits;
    this.query = query;
    if (this.name === name && this.map && this.ready) return this.find();
    const turn = ++this.turn;
    this.drop();
    this.name = name;
    try {
      while (turn === this.turn) {
        const state = await this.api.get(name, "map");
        if (turn !== this.turn) return;
        if (state.state === "empty" || state.state === "failed") return this.say(state.state === "empty" ? t("mapEmpty") : t("mapFailed", state.message));
        if (state.state === "working") this.say(t("mapWorking", state.share));
        if (state.state === "sketch") this.say(t("mapSketch", state.share));
        if ((state.state === "sketch" && !this.map) || state.state === "ready") await this.take(name, state, turn);
        if (state.state === "ready") return;
        await new Promise((done) => setTimeout(done, WAIT));
      }
    } catch (broken) {
      if (turn === this.turn) this.trouble(broken);
    }
  }

  async take(name, state, turn) {
    const plane = await this.api.get(name, "map/plane");
    if (this.map) {
      this.map.shift(numbers(plane.points, Float32Array));
    } else {
      const rows = await this.api.get(name, "map/rows");
      if (turn !== this.turn) return;
      this.rows = new Map(rows.ids.map((id, row) => [id, row]));
      this.map = mountMap(this.root, { title: name, points: plane.points, colour: null, ...rows }, {
        language: spoken(),
        nearest: (row) => this.nearest(name, rows.ids[row]),
        open: this.open,
      });
    }
    this.ready = state.state === "ready";
    this.find();
  }

  async nearest(name, id) {
    const found = await this.api.ask(name, "look", { like: id, k: 8 });
    return found.hits.filter((hit) => this.rows.has(hit.id)).map((hit) => [this.rows.get(hit.id), hit.score]);
  }

  find() {
    const found = (this.hits || []).map((id) => this.rows.get(id)).filter((row) => row !== undefined);
    this.map.find(found.length ? found : null);
    if (this.ready) this.say(found.length ? t("hitsOnMap", this.query) : "");
  }

  say(text) {
    this.said.textContent = text;
  }

  /** Lets go of the map, so that the next one is drawn anew. */
  drop() {
    this.map?.destroy();
    this.map = null;
    this.ready = false;
    this.name = null;
    this.say("");
  }
}
