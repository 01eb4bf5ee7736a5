const CLICK = 5; // pixels that a finger may slip and still mean a tap
const REACH = 11;

/** How a map is moved: drag, wheel, two fingers, keys. `told` is called as hover(row, x, y), choose(row) and changed(). */
export class Moving {
  constructor(canvas, cells, told) {
    this.canvas = canvas;
    this.cells = cells;
    this.told = told;
    this.view = { x: 0, y: 0, unit: 1 };
    this.home = 1;
    this.ratio = 1;
    this.beside = 0;
    this.fingers = new Map();
    this.slipped = 0;
    this.listen();
  }

  /** Fits the canvas to its place; `beside` pixels at the left, or `below` at the bottom, are covered by the panel. */
  resize(beside, below) {
    this.ratio = Math.min(devicePixelRatio || 1, 2);
    this.beside = beside;
    this.below = below;
    const { clientWidth, clientHeight } = this.canvas;
    this.canvas.width = Math.max(1, Math.round(clientWidth * this.ratio));
    this.canvas.height = Math.max(1, Math.round(clientHeight * this.ratio));
  }

  showAll() {
    const { low, high } = this.cells;
    const [left, bottom] = [this.beside * this.ratio, this.below * this.ratio];
    const [wide, tall] = [high[0] - low[0] || 1, high[1] - low[1] || 1];
    this.home = 0.9 * Math.min((this.canvas.width - left) / wide, (this.canvas.height - bottom) / tall);
    Object.assign(this.view, this.centred((low[0] + high[0]) / 2, (low[1] + high[1]) / 2, this.home));
    this.told.changed();
  }

  /** The view that shows a place in the middle of what the panel leaves free. */
  centred(x, y, unit) {
    return { x: x - (this.beside * this.ratio) / 2 / unit, y: y - (this.below * this.ratio) / 2 / unit, unit };
  }

  /** Goes to a place, at once where people asked for less motion. */
  flyTo(x, y) {
    const start = { ...this.view };
    const end = this.centred(x, y, Math.max(start.unit, this.home * 3));
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const began = performance.now();
    const step = (now) => {
      const share = still ? 1 : Math.min(Math.max((now - began) / 320, 0), 1);
      const eased = 1 - (1 - share) ** 3;
      for (const name of ["x", "y", "unit"]) this.view[name] = start[name] + (end[name] - start[name]) * eased;
      this.told.changed();
      if (share < 1 && !this.fingers.size) requestAnimationFrame(step);
    };
    step(began);
  }

  zoom(by, x, y) {
    const at = x === undefined ? this.place(this.canvas.clientWidth / 2 + this.beside / 2, (this.canvas.clientHeight - this.below) / 2) : [x, y];
    const unit = Math.min(Math.max(this.view.unit * by, this.home / 4), this.home * 4000);
    const share = this.view.unit / unit;
    this.view.x = at[0] + (this.view.x - at[0]) * share;
    this.view.y = at[1] + (this.view.y - at[1]) * share;
    this.view.unit = unit;
    this.told.changed();
  }

  /** From a place on the canvas, in CSS pixels, to one of the data. */
  place(left, top) {
    const { width, height } = this.canvas;
    return [(left * this.ratio - width / 2) / this.view.unit + this.view.x, (height / 2 - top * this.ratio) / this.view.unit + this.view.y];
  }

  /** From a place of the data to one on the canvas, in CSS pixels. */
  seen(x, y) {
    const { width, height } = this.canvas;
    return [(width / 2 + (x - this.view.x) * this.view.unit) / this.ratio, (height / 2 - (y - this.view.y) * this.view.unit) / this.ratio];
  }

  there(event) {
    const box = this.canvas.getBoundingClientRect();
    return this.place(event.clientX - box.left, event.clientY - box.top);
  }

  near(event) {
    return this.cells.nearest(...this.there(event), (REACH * this.ratio) / this.view.unit);
  }

  listen() {
    const { canvas, fingers } = this;
    canvas.addEventListener("pointerdown", (event) => {
      if (!fingers.size) this.slipped = 0;
      fingers.set(event.pointerId, event);
      if (event.isTrusted) canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => (fingers.has(event.pointerId) ? this.drag(event) : this.hover(event)));
    canvas.addEventListener("pointerup", (event) => {
      const alone = fingers.size === 1;
      this.release(event);
      if (alone && this.slipped < CLICK) this.told.choose(this.near(event));
    });
    canvas.addEventListener("pointercancel", (event) => this.release(event));
    canvas.addEventListener("pointerleave", () => this.told.hover(-1));
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)), ...this.there(event));
    }, { passive: false });
    canvas.addEventListener("keydown", (event) => {
      if (!event.ctrlKey && !event.metaKey && !event.altKey && this.key(event.key)) event.preventDefault();
    });
  }

  release(event) {
    this.fingers.delete(event.pointerId);
    this.canvas.classList.toggle("dragging", this.fingers.size > 0 && this.slipped >= CLICK);
  }

  hover(event) {
    const row = this.near(event);
    this.canvas.classList.toggle("over", row >= 0);
    const box = this.canvas.getBoundingClientRect();
    this.told.hover(row, event.clientX - box.left, event.clientY - box.top);
  }

  drag(event) {
    const before = this.fingers.get(event.pointerId);
    const [dx, dy] = [event.clientX - before.clientX, event.clientY - before.clientY];
    this.slipped += Math.abs(dx) + Math.abs(dy);
    const others = [...this.fingers.values()].filter((one) => one.pointerId !== event.pointerId);
    this.fingers.set(event.pointerId, event);
    this.view.x -= (dx * this.ratio) / this.view.unit / (others.length + 1);
    this.view.y += (dy * this.ratio) / this.view.unit / (others.length + 1);
    if (others.length) {
      const apart = (one) => Math.hypot(one.clientX - others[0].clientX, one.clientY - others[0].clientY) || 1;
      this.zoom(apart(event) / apart(before), ...this.there({ clientX: (event.clientX + others[0].clientX) / 2, clientY: (event.clientY + others[0].clientY) / 2 }));
    }
    this.canvas.classList.toggle("dragging", this.slipped >= CLICK);
    this.told.hover(-1);
    this.told.changed();
  }

  key(key) {
    const step = (60 * this.ratio) / this.view.unit;
    const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
    if (moves[key]) {
      this.view.x += moves[key][0];
      this.view.y += moves[key][1];
      this.told.changed();
    } else if (key === "+" || key === "=") this.zoom(1.4);
    else if (key === "-") this.zoom(1 / 1.4);
    else if (key === "0") this.showAll();
    else if (key === "Escape") this.told.choose(-1);
    else if (key === "Enter") {
      const middle = this.place((this.canvas.clientWidth + this.beside) / 2, (this.canvas.clientHeight - this.below) / 2);
      this.told.choose(this.cells.nearest(...middle, (this.canvas.width + this.canvas.height) / this.view.unit));
    } else return false;
    return true;
  }
}
