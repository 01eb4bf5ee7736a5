import { FAINT, FAINT_DARK } from "./colours.js";

const PAD = 64; // pixels around what is seen, so that a point at the edge needs no clipping

function packed(red, green, blue) {
  return (0xff000000 | (blue << 16) | (green << 8) | red) >>> 0;
}

/** A disc of `side` pixels as steps from its middle in a picture `across` wide, and how much each pixel covers, 0 to 256. */
function disc(side, across, alpha) {
  const steps = [];
  const covers = [];
  const reach = Math.ceil(side / 2);
  for (let y = -reach; y <= reach; y++) {
    for (let x = -reach; x <= reach; x++) {
      const cover = Math.min(Math.max(side / 2 + 0.5 - Math.hypot(x, y), 0), 1);
      if (cover < 0.06) continue;
      steps.push(y * across + x);
      covers.push(Math.round(256 * alpha * cover));
    }
  }
  return [Int32Array.from(steps), Int32Array.from(covers)];
}

/**
 * Draws points into an ordinary canvas, pixel by pixel. Where WebGL is emulated by the processor this is many times as
 * fast: a hundred thousand small points are a million pixels.
 */
export class Raster {
  constructor(canvas, xy) {
    this.canvas = canvas;
    this.flat = canvas.getContext("2d", { alpha: false, willReadFrequently: true });
    this.xy = xy;
    this.count = xy.length / 2;
    this.colours = new Uint32Array(this.count);
    this.order = Int32Array.from({ length: this.count }, (_, row) => row);
    this.starts = [0, 0, this.count, this.count];
    this.ground = packed(255, 255, 255);
    this.faint = FAINT;
  }

  setColours(bytes) {
    for (let row = 0; row < this.count; row++) this.colours[row] = packed(bytes[3 * row], bytes[3 * row + 1], bytes[3 * row + 2]);
  }

  /** shown: 0 a faint point, 1 a plain one, 2 a large one; the later are drawn over the earlier. */
  setShown(shown) {
    const starts = [0, 0, 0, 0];
    for (const kind of shown) starts[kind + 1]++;
    for (let kind = 1; kind < 4; kind++) starts[kind] += starts[kind - 1];
    const next = starts.slice();
    for (let row = 0; row < this.count; row++) this.order[next[shown[row]]++] = row;
    this.starts = starts;
  }

  setGround(colour, dark) {
    this.ground = packed(...colour);
    this.faint = dark ? FAINT_DARK : FAINT;
  }

  /** The coordinates were changed in place; they are read anew with every picture. */
  moved() {}

  draw(view, size) {
    const { width, height } = this.canvas;
    const across = width + 2 * PAD;
    if (!this.picture || this.picture.width !== across || this.picture.height !== height + 2 * PAD) {
      this.picture = new ImageData(across, height + 2 * PAD);
      this.pixels = new Uint32Array(this.picture.data.buffer);
    }
    this.pixels.fill(this.ground);
    const kinds = [[size, this.faint], [size, 0.8], [1.6 * size + 2, 0.95]];
    kinds.forEach(([side, alpha], kind) => this.stamp(view, kind, disc(Math.min(side, PAD - 4), across, alpha)));
    this.flat.putImageData(this.picture, -PAD, -PAD, PAD, PAD, width, height);
  }

  stamp(view, kind, [steps, covers]) {
    const { xy, pixels, colours, order } = this;
    const { width, height } = this.canvas;
    const across = width + 2 * PAD;
    const half = PAD >> 1;
    const middle = [width / 2 - view.x * view.unit, height / 2 + view.y * view.unit];
    const count = steps.length;
    for (let at = this.starts[kind]; at < this.starts[kind + 1]; at++) {
      const row = order[at];
      const x = (middle[0] + xy[2 * row] * view.unit) | 0;
      const y = (middle[1] - xy[2 * row + 1] * view.unit) | 0;
      if (x < -half || y < -half || x >= width + half || y >= height + half) continue;
      const place = (y + PAD) * across + x + PAD;
      const [first, second] = [colours[row] & 0xff00ff, colours[row] & 0xff00];
      for (let step = 0; step < count; step++) {
        const cover = covers[step];
        const under = pixels[place + steps[step]];
        // Two channels at once: each has eight bits to spare above it.
        const redBlue = ((Math.imul(under & 0xff00ff, 256 - cover) + Math.imul(first, cover)) >>> 8) & 0xff00ff;
        const green = ((Math.imul(under & 0xff00, 256 - cover) + Math.imul(second, cover)) >>> 8) & 0xff00;
        pixels[place + steps[step]] = 0xff000000 | redBlue | green;
      }
    }
  }
}
