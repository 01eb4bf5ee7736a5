import { mountMap, numbers } from "./map/map.js";
import { spoken, t } from "./words.js";

const WAIT = 500;

/** The map of a collection: a sketch at first, moved into its finished layout, and into that of fewer dimensions. */
export class Mapping {
  constructor(root, said, { api, open, trouble, picture }, both = {}, panel = true) {
    Object.assign(this, { root, said, api, open, trouble, picture, both, panel });
    this.turn = 0;
    this.drop();
  }

  /** Shows the map of a collection by some dimensions, null for all; hits are ids that stand out on it. */
  async show(name, { hits, query, dims, width, whole = false }) {
    Object.assign(this, { hits, query, width, whole });
    if (this.name === name && this.wanted === dims) return this.map && this.find();
    const turn = ++this.turn;
    if (this.name !== name) this.drop();
    Object.assign(this, { name, wanted: dims });
    try {
      // The rows, and the layout that others are turned after, are those of all dimensions.
      if (!this.map || dims === null) await this.follow(name, null, turn);
      if (dims !== null) await this.follow(name, dims, turn);
    } catch (broken) {
      if (turn === this.turn) this.trouble(broken);
    }
  }

  async follow(name, dims, turn) {
    const query = dims === null ? "" : `?dims=${dims}`;
    let sketched = false;
    while (turn === this.turn) {
      const state = await this.api.get(name, `map${query}`);
      if (turn !== this.turn) return;
      if (state.state === "empty" || state.state === "failed") return this.say(state.state === "empty" ? t("mapEmpty") : t("mapFailed", state.message));
      if (state.state === "working") this.say(t("mapWorking", state.share));
      if (state.state === "sketch") this.say(t("mapSketch", state.share));
      const ready = state.state === "ready";
      if (ready || (state.state === "sketch" && !sketched)) {
        sketched = true;
        await this.take(name, query, turn);
        if (turn !== this.turn) return;
        this.ready = ready;
        this.drawn = dims;
        this.find();
      }
      if (ready) return;
      await new Promise((done) => setTimeout(done, WAIT));
    }
  }

  async take(name, query, turn) {
    const plane = await this.api.get(name, `map/plane${query}`);
    if (turn !== this.turn) return;
    if (this.map) return this.map.shift(numbers(plane.points, Float32Array), plane.regions, Boolean(query));
    const rows = await this.api.get(name, "map/rows");
    if (turn !== this.turn) return;
    this.rows = new Map(rows.ids.map((id, row) => [id, row]));
    this.map = mountMap(this.root, { title: name, points: plane.points, regions: plane.regions, colour: null, ...rows }, {
      language: spoken(),
      panel: this.panel,
      chosen: this.both.chosen,
      coloured: this.both.coloured,
      nearest: (row) => this.nearest(name, rows.ids[row]),
      open: this.open,
      picture: rows.pictures ? (row) => this.picture(rows.ids[row]) : null,
      searched: (word, rows) => {
        this.searched = word ? [word, rows ? rows.length : 0] : null;
        this.both.looked?.(rows || (this.found.length ? this.found : null));
        this.caption();
      },
    });
  }

  async nearest(name, id) {
    const found = await this.api.ask(name, "look", { like: id, k: 8 });
    return found.hits.filter((hit) => this.rows.has(hit.id)).map((hit) => [this.rows.get(hit.id), hit.score]);
  }

  find() {
    this.found = (this.hits || []).map((id) => this.rows.get(id)).filter((row) => row !== undefined);
    if (!this.searched) this.map.find(this.found.length ? this.found : null);
    this.caption();
  }

  /** What the large points are, and what the map is drawn from: always what is so at this moment. */
  caption() {
    if (!this.map || !this.ready) return;
    const size = this.drawn !== null ? t("mapDims", this.drawn, this.width) : this.whole ? t("mapAll", this.width) : "";
    if (this.searched) this.say(`${t("wordOnMap", ...this.searched)} ${size}`);
    else this.say(`${this.found?.length ? t("hitsOnMap", this.query, this.found.length) : ""} ${size}`);
  }

  say(text) {
    this.said.textContent = text.trim();
  }

  /** Lets go of the map, so that the next one is drawn from the start. */
  drop() {
    this.map?.destroy();
    Object.assign(this, { map: null, ready: false, name: null, wanted: undefined, drawn: null, searched: null, found: [] });
    this.say("");
  }
}
