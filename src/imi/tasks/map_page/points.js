const VERTEX = `
attribute vec2 place; attribute vec3 colour; attribute float shown;
uniform vec2 middle; uniform vec2 scale; uniform float size;
varying vec4 paint;
void main() {
  gl_Position = vec4((place - middle) * scale, 0.0, 1.0);
  gl_PointSize = size * (shown > 1.5 ? 1.8 : 1.0);
  paint = vec4(colour, shown > 0.5 ? 0.85 : 0.12);
}`;
const FRAGMENT = `
precision mediump float; varying vec4 paint;
void main() {
  float away = length(gl_PointCoord - 0.5);
  if (away > 0.5) discard;
  float alpha = paint.a * (1.0 - smoothstep(0.36, 0.5, away));
  gl_FragColor = vec4(paint.rgb * alpha, alpha);
}`;

function shader(gl, kind, source) {
  const made = gl.createShader(kind);
  gl.shaderSource(made, source);
  gl.compileShader(made);
  return made;
}

/** Draws points with WebGL, or with a 2-D canvas where there is none. Coordinates are those of the data. */
export class Points {
  constructor(canvas, xy) {
    this.canvas = canvas;
    this.xy = xy;
    this.count = xy.length / 2;
    this.shown = new Uint8Array(this.count).fill(1);
    this.colours = new Uint8Array(this.count * 3);
    this.gl = canvas.getContext("webgl", { antialias: false, premultipliedAlpha: true, preserveDrawingBuffer: true });
    if (this.gl) this.prepare();
    else this.flat = canvas.getContext("2d");
  }

  prepare() {
    const gl = this.gl;
    const program = gl.createProgram();
    gl.attachShader(program, shader(gl, gl.VERTEX_SHADER, VERTEX));
    gl.attachShader(program, shader(gl, gl.FRAGMENT_SHADER, FRAGMENT));
    gl.linkProgram(program);
    gl.useProgram(program);
    this.at = {};
    for (const name of ["middle", "scale", "size"]) this.at[name] = gl.getUniformLocation(program, name);
    this.buffers = {};
    for (const [name, width, kind, whole] of [["place", 2, gl.FLOAT, false], ["colour", 3, gl.UNSIGNED_BYTE, true], ["shown", 1, gl.UNSIGNED_BYTE, false]]) {
      const place = gl.getAttribLocation(program, name);
      this.buffers[name] = gl.createBuffer();
      gl.bindBuffer(gl.ARRAY_BUFFER, this.buffers[name]);
      gl.enableVertexAttribArray(place);
      gl.vertexAttribPointer(place, width, kind, whole, 0, 0);
    }
    gl.bindBuffer(gl.ARRAY_BUFFER, this.buffers.place);
    gl.bufferData(gl.ARRAY_BUFFER, this.xy, gl.STATIC_DRAW);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
  }

  set(name, bytes) {
    if (name === "colour") this.colours = bytes;
    else this.shown = bytes;
    if (!this.gl) return;
    this.gl.bindBuffer(this.gl.ARRAY_BUFFER, this.buffers[name]);
    this.gl.bufferData(this.gl.ARRAY_BUFFER, bytes, this.gl.DYNAMIC_DRAW);
  }

  /** view: {x, y} in the middle, `unit` device pixels a unit of the data; size in device pixels. */
  draw(view, size) {
    const { width, height } = this.canvas;
    if (!this.gl) return this.drawFlat(view, size);
    const gl = this.gl;
    gl.viewport(0, 0, width, height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    gl.uniform2f(this.at.middle, view.x, view.y);
    gl.uniform2f(this.at.scale, (2 * view.unit) / width, (2 * view.unit) / height);
    gl.uniform1f(this.at.size, size);
    gl.drawArrays(gl.POINTS, 0, this.count);
  }

  drawFlat(view, size) {
    const { width, height } = this.canvas;
    const flat = this.flat;
    flat.clearRect(0, 0, width, height);
    for (let row = 0; row < this.count; row++) {
      const x = width / 2 + (this.xy[2 * row] - view.x) * view.unit;
      const y = height / 2 - (this.xy[2 * row + 1] - view.y) * view.unit;
      if (x < 0 || y < 0 || x > width || y > height) continue;
      const side = this.shown[row] === 2 ? 1.8 * size : size;
      flat.globalAlpha = this.shown[row] ? 0.85 : 0.12;
      flat.fillStyle = `rgb(${this.colours[3 * row]},${this.colours[3 * row + 1]},${this.colours[3 * row + 2]})`;
      flat.fillRect(x - side / 2, y - side / 2, side, side);
    }
  }
}

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
