import { FAINT, FAINT_DARK } from "./colours.js";
import { Raster } from "./raster.js";

const VERTEX = `
attribute vec2 place; attribute vec3 colour; attribute float shown;
uniform vec2 middle; uniform vec2 scale; uniform float size; uniform float faint;
varying vec4 paint;
void main() {
  gl_Position = vec4((place - middle) * scale, 0.0, 1.0);
  gl_PointSize = shown > 1.5 ? 1.6 * size + 2.0 : size;
  paint = vec4(colour, shown > 1.5 ? 0.95 : shown > 0.5 ? 0.8 : faint);
}`;
const FRAGMENT = `
precision mediump float; varying vec4 paint;
void main() {
  float away = length(gl_PointCoord - 0.5);
  float alpha = paint.a * (1.0 - smoothstep(0.4, 0.5, away));
  gl_FragColor = vec4(paint.rgb * alpha, alpha);
}`;

function shader(gl, kind, source) {
  const made = gl.createShader(kind);
  gl.shaderSource(made, source);
  gl.compileShader(made);
  return made;
}

/** Draws points on the graphics card. */
class Card {
  constructor(canvas, gl, xy) {
    this.canvas = canvas;
    this.gl = gl;
    this.xy = xy;
    this.count = xy.length / 2;
    this.bytes = { colour: new Uint8Array(this.count * 3), shown: new Uint8Array(this.count).fill(1) };
    this.ground = [1, 1, 1];
    this.prepare();
  }

  prepare() {
    const gl = this.gl;
    const program = gl.createProgram();
    gl.attachShader(program, shader(gl, gl.VERTEX_SHADER, VERTEX));
    gl.attachShader(program, shader(gl, gl.FRAGMENT_SHADER, FRAGMENT));
    gl.linkProgram(program);
    gl.useProgram(program);
    this.at = {};
    for (const name of ["middle", "scale", "size", "faint"]) this.at[name] = gl.getUniformLocation(program, name);
    this.buffers = {};
    for (const [name, width, kind, whole] of [["place", 2, gl.FLOAT, false], ["colour", 3, gl.UNSIGNED_BYTE, true], ["shown", 1, gl.UNSIGNED_BYTE, false]]) {
      const place = gl.getAttribLocation(program, name);
      this.buffers[name] = gl.createBuffer();
      gl.bindBuffer(gl.ARRAY_BUFFER, this.buffers[name]);
      gl.enableVertexAttribArray(place);
      gl.vertexAttribPointer(place, width, kind, whole, 0, 0);
    }
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    this.fill("place", this.xy);
    for (const name of ["colour", "shown"]) this.fill(name, this.bytes[name]);
  }

  fill(name, values) {
    this.gl.bindBuffer(this.gl.ARRAY_BUFFER, this.buffers[name]);
    this.gl.bufferData(this.gl.ARRAY_BUFFER, values, this.gl.DYNAMIC_DRAW);
  }

  setColours(bytes) {
    this.fill("colour", (this.bytes.colour = bytes));
  }

  setShown(shown) {
    this.fill("shown", (this.bytes.shown = shown));
  }

  setGround(colour, dark) {
    this.ground = colour.map((one) => one / 255);
    this.faint = dark ? FAINT_DARK : FAINT;
  }

  moved() {
    this.fill("place", this.xy);
  }

  draw(view, size) {
    const { width, height } = this.canvas;
    const gl = this.gl;
    gl.viewport(0, 0, width, height);
    gl.clearColor(...this.ground, 1);
    gl.clear(gl.COLOR_BUFFER_BIT);
    gl.uniform2f(this.at.middle, view.x, view.y);
    gl.uniform2f(this.at.scale, (2 * view.unit) / width, (2 * view.unit) / height);
    gl.uniform1f(this.at.size, size);
    gl.uniform1f(this.at.faint, this.faint ?? FAINT);
    gl.drawArrays(gl.POINTS, 0, this.count);
  }
}

/** Whether the browser has a graphics card to draw with, and not a program that acts as one. */
function hasCard() {
  const probe = document.createElement("canvas").getContext("webgl", { failIfMajorPerformanceCaveat: true });
  if (!probe) return false;
  const named = probe.getExtension("WEBGL_debug_renderer_info");
  const name = String(probe.getParameter(named ? named.UNMASKED_RENDERER_WEBGL : probe.RENDERER));
  probe.getExtension("WEBGL_lose_context")?.loseContext();
  return !/swiftshader|llvmpipe|softpipe|software|basic render/i.test(name);
}

/** What draws points on a canvas: the graphics card, or, where there is none, the processor itself. */
export function pointsOn(canvas, xy, redraw) {
  const gl = hasCard() && canvas.getContext("webgl", { alpha: false, antialias: false });
  if (!gl) return new Raster(canvas, xy);
  const card = new Card(canvas, gl, xy);
  canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
  canvas.addEventListener("webglcontextrestored", () => {
    card.prepare();
    redraw();
  });
  return card;
}
