/** Finds the point nearest to a place: rows are sorted into square cells. */
export class Cells {
  constructor(xy) {
    this.xy = xy;
    const count = xy.length / 2;
    this.low = [Infinity, Infinity];
    this.high = [-Infinity, -Infinity];
    for (let at = 0; at < xy.length; at++) {
      this.low[at % 2] = Math.min(this.low[at % 2], xy[at]);
      this.high[at % 2] = Math.max(this.high[at % 2], xy[at]);
    }
    this.side = Math.max(1, Math.ceil(Math.sqrt(count / 4)));
    this.cell = Math.max(this.high[0] - this.low[0], this.high[1] - this.low[1], 1e-9) / this.side;
    this.start = new Int32Array((this.side + 1) * (this.side + 1) + 1);
    const places = new Int32Array(count);
    for (let row = 0; row < count; row++) {
      places[row] = this.place(xy[2 * row], xy[2 * row + 1]);
      this.start[places[row] + 1] += 1;
    }
    for (let at = 1; at < this.start.length; at++) this.start[at] += this.start[at - 1];
    const next = this.start.slice();
    this.rows = new Int32Array(count);
    for (let row = 0; row < count; row++) this.rows[next[places[row]]++] = row;
  }

  axis(value, at) {
    return Math.min(Math.max(Math.floor((value - this.low[at]) / this.cell), 0), this.side);
  }

  place(x, y) {
    return this.axis(y, 1) * (this.side + 1) + this.axis(x, 0);
  }

  /** The row nearest to (x, y) within `reach`, or -1. */
  nearest(x, y, reach) {
    let best = -1;
    let least = reach * reach;
    for (let line = this.axis(y - reach, 1); line <= this.axis(y + reach, 1); line++) {
      for (let column = this.axis(x - reach, 0); column <= this.axis(x + reach, 0); column++) {
        const cell = line * (this.side + 1) + column;
        for (let at = this.start[cell]; at < this.start[cell + 1]; at++) {
          const row = this.rows[at];
          const away = (this.xy[2 * row] - x) ** 2 + (this.xy[2 * row + 1] - y) ** 2;
          if (away < least) [least, best] = [away, row];
        }
      }
    }
    return best;
  }
}
