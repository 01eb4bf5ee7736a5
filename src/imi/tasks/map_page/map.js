import { Cells } from "./cells.js";
import { colourBy } from "./colours.js";
import { Labels } from "./labels.js";
import { Moving } from "./moving.js";
import { element, Panel } from "./panel.js";
import { pointsOn } from "./points.js";
import { mapWords } from "./words.js";

const PANEL = 332; // pixels that the panel takes from the left of a wide window
const MANY = 40; // matches from which a point of ordinary size says enough
const SHIFT = 700; // milliseconds from one layout to another

/** Numbers out of base64. */
export function numbers(text, Kind) {
  const raw = atob(text);
  const bytes = new Uint8Array(raw.length);
  for (let at = 0; at < raw.length; at++) bytes[at] = raw.charCodeAt(at);
  return new Kind(bytes.buffer);
}

function toggleTheme() {
  const root = document.documentElement;
  const dark = root.dataset.theme === "dark" || (!root.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
  root.dataset.theme = dark ? "light" : "dark";
}

/** The names of the points' regions as a column to colour by; none where too few have a name. */
function topics(regions, words) {
  const names = (regions?.named || []).filter((one) => one[4] === 0).map((one) => one[2]);
  return names.length > 1 ? { [words.topics]: regions.of.map((at) => (at < 0 ? null : names[at])) } : {};
}

/**
 * Shows a map in `root`. `data` is what `page_data` of imi returns; texts are only ever set as text.
 *
 * options: `language`; `theme`, whether there is a button for dark and light; `nearest(row)`, a promise of pairs of row
 * and score, where the data has no neighbours of its own; `open(id)`, to read a whole document; `picture(row)`, a promise
 * of an address, where the points are pictures; `panel`, false for a map without one; and what is told to whoever shows
 * another map of the same rows: `searched(word, rows)`, `chosen(row)`, `coloured(column)`.
 */
export function mountMap(root, data, options = {}) {
  const words = mapWords(options.language);
  const xy = numbers(data.points, Float32Array);
  const near = data.neighbours ? numbers(data.neighbours, Int32Array) : null;
  const count = xy.length / 2;
  root.classList.add("imi-map");
  const canvas = element("canvas");
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-roledescription", words.role);
  canvas.setAttribute("aria-label", words.map(count));
  const card = element("div", "imi-card");
  card.hidden = true;
  const ring = element("div", "imi-ring");
  ring.hidden = true;

  let cells = new Cells(xy);
  let chosen = -1;
  let matches = null;
  let around = [];
  data.columns = { ...topics(data.regions, words), ...data.columns };
  let column = data.colour || Object.keys(data.columns)[0] || "";
  let waiting = 0;

  const redraw = () => {
    waiting ||= requestAnimationFrame(() => {
      waiting = 0;
      const size = Math.min(Math.max(700 / Math.sqrt(count), 2.1), 8) * Math.min(Math.sqrt(moving.view.unit / moving.home), 2);
      points.draw(moving.view, Math.max(size, 1.5) * moving.ratio);
      labels.place();
      if (chosen >= 0) {
        const [left, top] = moving.seen(xy[2 * chosen], xy[2 * chosen + 1]);
        ring.style.transform = `translate(${left}px, ${top}px)`;
      }
    });
  };
  const points = pointsOn(canvas, xy, redraw);

  function mark() {
    const shown = new Uint8Array(count).fill(matches ? 0 : 1);
    if (matches) for (const row of matches) shown[row] = matches.length > MANY ? 1 : 2;
    labels.mark(matches || (around.length ? [...around, chosen] : null));
    for (const row of around) shown[row] = 2;
    if (chosen >= 0) shown[chosen] = 2;
    points.setShown(shown);
    redraw();
  }

  function recolour() {
    const style = getComputedStyle(root).backgroundColor;
    const ground = (style.match(/[\d.]+/g) || [255, 255, 255]).slice(0, 3).map(Number);
    const dark = ground[0] + ground[1] + ground[2] < 384;
    const painted = colourBy(column ? data.columns[column] : null, count, dark, words.others);
    points.setGround(ground, dark);
    points.setColours(painted.bytes);
    panel.showLegend(painted.legend);
    redraw();
  }

  function nearest(row) {
    if (!near) return options.nearest(row);
    return Promise.resolve(Array.from({ length: data.near }, (_, at) => [near[row * data.near + at]]));
  }

  function choose(row, go = false, told = true) {
    chosen = row;
    if (told) options.chosen?.(row);
    around = [];
    ring.hidden = row < 0;
    mark();
    if (row < 0) return panel.show(-1);
    const asked = nearest(row);
    panel.show(row, asked);
    asked.then((pairs) => {
      if (chosen !== row) return;
      around = pairs.map(([other]) => other);
      mark();
    }, () => {});
    if (go) moving.flyTo(xy[2 * row], xy[2 * row + 1]);
  }

  function hover(row, left, top) {
    card.hidden = row < 0;
    if (row < 0) return;
    const text = element("p", "", data.texts[row]);
    text.dir = "auto";
    card.replaceChildren(text, element("small", "", column ? `${column}: ${data.columns[column][row] ?? "–"}` : data.ids[row]));
    const { clientWidth, clientHeight } = root;
    card.style.left = `${left + 14 + card.offsetWidth > clientWidth ? Math.max(0, left - 14 - card.offsetWidth) : left + 14}px`;
    card.style.top = `${Math.max(0, Math.min(top + 14, clientHeight - card.offsetHeight - 8))}px`;
  }

  const moving = new Moving(canvas, cells, { changed: redraw, hover, choose: (row) => choose(row) });
  const panel = new Panel(data, words, {
    choose: (row) => choose(row, row >= 0),
    colour: (name) => {
      column = name;
      recolour();
      options.coloured?.(name);
    },
    found: (rows, word) => {
      matches = rows;
      mark();
      options.searched?.(word, rows);
    },
    zoomIn: () => moving.zoom(1.5),
    zoomOut: () => moving.zoom(1 / 1.5),
    all: () => moving.showAll(),
    theme: options.theme ? toggleTheme : null,
    open: options.open,
  });
  const layer = element("div", "imi-labels");
  layer.setAttribute("aria-hidden", "true");
  panel.root.hidden = options.panel === false;
  root.replaceChildren(canvas, layer, ring, panel.root, card);
  const labels = new Labels(layer, moving, xy, { texts: data.texts, pictures: options.picture });
  panel.fill(column);

  /** Moves all points to another layout, so that eyes can follow; its names come when it is there. `keep`: not the colours. */
  function shift(target, regions, keep) {
    const start = xy.slice();
    const began = performance.now();
    const whole = moving.view.unit === moving.home;
    labels.take([]);
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    cells = moving.cells = new Cells(target);
    const step = (now) => {
      const share = still ? 1 : Math.min(Math.max((now - began) / SHIFT, 0), 1);
      const eased = share * share * (3 - 2 * share);
      for (let at = 0; at < xy.length; at++) xy[at] = start[at] + (target[at] - start[at]) * eased;
      points.moved();
      if (whole) moving.showAll();
      else redraw();
      if (share < 1) requestAnimationFrame(step);
      else name(regions, keep);
    };
    requestAnimationFrame(step);
  }

  /** Takes the names of the regions, which the points can be coloured by; `keep` keeps the colours they have. */
  function name(regions, keep) {
    const own = keep && words.topics in data.columns ? {} : topics(regions, words);
    const before = Object.keys(data.columns)[0];
    const first = !(words.topics in data.columns);
    if (Object.keys(own).length) {
      data.columns = { ...own, ...data.columns, ...own };
      if (first && column === (before || "")) column = words.topics;
      panel.fill(column);
      recolour();
    }
    labels.take(regions?.named);
  }

  const resized = new ResizeObserver(() => {
    if (!root.clientWidth) return;
    const wide = root.clientWidth > 720;
    const first = canvas.width <= 1 || moving.view.unit === moving.home;
    const panelled = panel.root.offsetWidth > 0;
    moving.resize(wide && panelled ? PANEL : 0, wide || !panelled ? 0 : root.clientHeight * 0.42);
    if (first) moving.showAll();
    redraw();
  });
  resized.observe(root);
  const dimmed = matchMedia("(prefers-color-scheme: dark)");
  dimmed.addEventListener("change", recolour);
  const themed = new MutationObserver(recolour);
  themed.observe(document.documentElement, { attributeFilter: ["data-theme"] });
  recolour();
  mark();
  name(data.regions);
  return {
    view: moving.view,
    choose,
    redraw,
    shift,
    /** Colours by a column of the data, "" by none. */
    colour: (name) => {
      if (name && !(name in data.columns)) return;
      column = name;
      panel.select.value = name;
      recolour();
    },
    /** Makes these rows stand out; null none. */
    find: (rows) => {
      matches = rows;
      mark();
    },
    destroy: () => {
      resized.disconnect();
      themed.disconnect();
      dimmed.removeEventListener("change", recolour);
      root.replaceChildren();
    },
  };
}
