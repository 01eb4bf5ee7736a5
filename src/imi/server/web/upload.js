import { rowsOf, Unreadable } from "./files.js";
import { t } from "./words.js";

const MEGABYTES = 200;
const ROWS = 500;
const BYTES = 900_000;

/** Makes a collection of a dropped file through the server's own API, and tells how far it is. */
export class Upload {
  constructor({ api, say, trouble, ready }) {
    Object.assign(this, { api, say, trouble, ready });
    this.busy = Promise.resolve();
  }

  /** Takes files one after the other. */
  take(files) {
    for (const file of files) this.busy = this.busy.then(() => this.one(file));
    return this.busy;
  }

  async one(file) {
    try {
      if (file.size > MEGABYTES * 1024 * 1024) throw new Unreadable("tooBig", MEGABYTES);
      this.say(t("reading", file.name));
      const rows = await rowsOf(file);
      const name = await this.create(nameOf(file.name));
      let done = 0;
      let failed = [];
      for (const batch of batches(rows)) {
        this.say(t("adding", name, done, rows.length));
        const reply = await this.api.ingest(name, batch);
        failed = [...failed, ...reply.failed];
        done += batch.length;
      }
      const first = failed[0];
      await this.ready(name);
      this.say(t("added", name, rows.length - failed.length) + (first ? t("failed", failed.length, first.line, first.reason) : ""));
    } catch (broken) {
      this.say("");
      if (broken instanceof Unreadable) this.trouble(new Error(`${file.name}: ${t(broken.code, ...broken.values)}`));
      else if (broken.code === "creation_not_allowed") this.trouble(new Error(t("closed")));
      else this.trouble(broken);
    }
  }

  /** Makes a collection; where the name is taken, with a number behind it. */
  async create(wanted) {
    for (let number = 1; ; number++) {
      const name = number === 1 ? wanted : `${wanted}-${number}`;
      try {
        return (await this.api.create(name)).name;
      } catch (broken) {
        if (broken.code !== "collection_exists" || number > 99) throw broken;
      }
    }
  }
}

function nameOf(file) {
  const plain = file.replace(/\.[^.]+$/, "").normalize("NFC").replace(/[^\p{L}\p{N}_.-]+/gu, "-").replace(/^[^\p{L}\p{N}_]+/u, "").slice(0, 80);
  return plain || "file";
}

function* batches(rows) {
  let batch = [];
  let size = 0;
  for (const row of rows) {
    batch.push(row);
    size += 3 * row.text.length + 200;
    if (batch.length < ROWS && size < BYTES) continue;
    yield batch;
    batch = [];
    size = 0;
  }
  if (batch.length) yield batch;
}
