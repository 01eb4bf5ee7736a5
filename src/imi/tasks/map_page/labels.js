const PICTURE = 46; // pixels of a side
const MOST_PICTURES = 150;
const MOST_TEXTS = 14;
const DEEP = 9; // times the first view, from which single points say what they are
const LETTERS = 26;

/** Names of regions, beginnings of texts, and pictures, laid over the map where they fit. */
export class Labels {
  constructor(layer, moving, xy, { texts, pictures }) {
    Object.assign(this, { layer, moving, xy, texts, pictures });
    this.regions = [];
    this.single = [];
    this.images = new Map();
    this.marked = null;
    this.waiting = 0;
  }

  /** Takes the regions of a layout: [x, y, name, size, level]. */
  take(named) {
    for (const { element } of this.regions) element.remove();
    this.regions = (named || []).map(([x, y, name, size, level]) => {
      const element = document.createElement("span");
      element.className = `imi-region level${level}`;
      element.textContent = name;
      element.dir = "auto";
      this.layer.append(element);
      return { x, y, size, level, element, width: element.offsetWidth, height: element.offsetHeight };
    });
    this.place();
  }

  /** Lays all out for what is seen now. */
  place() {
    const { clientWidth: width, clientHeight: height } = this.layer;
    if (!width) return;
    const zoom = this.moving.view.unit / this.moving.home;
    const taken = [];
    if (this.pictures) this.placePictures();
    // The finest names whose number still leaves room; where a part has none of these, coarser ones stand.
    const level = zoom < 1.7 ? 0 : zoom < 4.5 ? 1 : 2;
    const order = [...this.regions].sort((a, b) => Math.abs(a.level - level) - Math.abs(b.level - level) || b.level - a.level || b.size - a.size);
    for (const one of order) {
      const [x, y] = this.moving.seen(one.x, one.y);
      const free = one.level <= level && this.free(taken, x, y, one.width, one.height, width, height);
      one.element.hidden = !free;
      if (free) one.element.style.transform = `translate(${Math.round(x - one.width / 2)}px, ${Math.round(y - one.height / 2)}px)`;
    }
    const few = taken.length < 2 || zoom > DEEP;
    this.placeTexts(few && zoom > 2.5 && !this.pictures ? MOST_TEXTS : 0, taken, width, height);
  }

  /** Whether a box around a place is seen and touches none that is taken; it is taken then. */
  free(taken, x, y, wide, tall, width, height) {
    const [left, bottom] = [this.moving.beside || 0, height - (this.moving.below || 0)];
    if (x - wide / 2 < left || x + wide / 2 > width || y - tall / 2 < 0 || y + tall / 2 > bottom) return false;
    const touches = (other) => Math.abs(other.x - x) < (other.wide + wide) / 2 + 6 && Math.abs(other.y - y) < (other.tall + tall) / 2 + 3;
    if (taken.some(touches)) return false;
    taken.push({ x, y, wide, tall });
    return true;
  }

  placeTexts(most, taken, width, height) {
    let used = 0;
    for (let row = 0; row < this.xy.length / 2 && used < most; row++) {
      const [x, y] = this.moving.seen(this.xy[2 * row], this.xy[2 * row + 1]);
      if (x < 0 || y < 0 || x > width || y > height) continue;
      const said = this.texts[row].split("\n")[0].slice(0, LETTERS);
      if (!said || !this.free(taken, x, y + 16, 7 + 8 * said.length, 18, width, height)) continue;
      const element = (this.single[used] ||= this.layer.appendChild(Object.assign(document.createElement("span"), { className: "imi-region single", dir: "auto" })));
      element.textContent = said.length < this.texts[row].split("\n")[0].length ? `${said}…` : said;
      element.hidden = false;
      element.style.transform = `translate(${Math.round(x)}px, ${Math.round(y + 8)}px) translateX(-50%)`;
      used += 1;
    }
    for (const element of this.single.slice(used)) element.hidden = true;
  }

  /** Moves the pictures that are there at once, and chooses which are there once the map stands still. */
  placePictures() {
    for (const [row, image] of this.images) this.put(row, image);
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.choosePictures(), 120);
  }

  put(row, image) {
    const [x, y] = this.moving.seen(this.xy[2 * row], this.xy[2 * row + 1]);
    image.style.transform = `translate(${Math.round(x - PICTURE / 2)}px, ${Math.round(y - PICTURE / 2)}px)`;
    image.classList.toggle("faint", Boolean(this.marked) && !this.marked.has(row));
    image.classList.toggle("strong", Boolean(this.marked?.has(row)));
  }

  choosePictures() {
    const { clientWidth: width, clientHeight: height } = this.layer;
    const placed = [];
    const wanted = new Set();
    const rows = [...(this.marked || []), ...this.images.keys(), ...Array(this.xy.length / 2).keys()];
    for (const row of rows) {
      if (wanted.size >= MOST_PICTURES) break;
      const [x, y] = this.moving.seen(this.xy[2 * row], this.xy[2 * row + 1]);
      if (x < 0 || y < 0 || x > width || y > height || wanted.has(row)) continue;
      if (placed.some((one) => Math.max(Math.abs(one[0] - x), Math.abs(one[1] - y)) < PICTURE - 2)) continue;
      placed.push([x, y]);
      wanted.add(row);
    }
    for (const [row, image] of this.images) {
      if (wanted.has(row)) continue;
      image.remove();
      this.images.delete(row);
    }
    for (const row of wanted) {
      if (this.images.has(row)) continue;
      const image = document.createElement("img");
      image.className = "imi-picture";
      image.alt = "";
      this.images.set(row, image);
      this.layer.append(image);
      this.put(row, image);
      this.pictures(row).then((address) => address && image.setAttribute("src", address), () => {});
      image.addEventListener("load", () => URL.revokeObjectURL(image.src));
    }
  }

  /** Rows that stand out; null for all alike. */
  mark(rows) {
    this.marked = rows ? new Set(rows) : null;
    if (this.pictures) this.placePictures();
  }
}
