import { Cells, Points } from "./points.js";
import { colourBy } from "./colours.js";

function numbers(text, Kind) {
  const raw = atob(text);
  const bytes = new Uint8Array(raw.length);
  for (let at = 0; at < raw.length; at++) bytes[at] = raw.charCodeAt(at);
  return new Kind(bytes.buffer);
}

function element(kind, classes, text) {
  const made = document.createElement(kind);
  if (classes) made.className = classes;
  if (text !== undefined) made.textContent = text;
  return made;
}

function labelled(text, control) {
  const label = element("label", "", text);
  label.append(control);
  return label;
}

/** Shows a map in `root`; `data` is what `page_data` of imi returns. Texts are only ever set as text. */
export function mountMap(root, data) {
  root.classList.add("imi-map");
  const xy = numbers(data.points, Float32Array);
  const near = numbers(data.neighbours, Int32Array);
  const count = xy.length / 2;
  const canvas = element("canvas");
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `A map of ${count} documents. Arrow keys move it, plus and minus zoom, 0 shows all of it.`);
  const panel = element("section", "imi-panel");
  const card = element("div", "imi-card");
  card.hidden = true;
  root.append(canvas, panel, card);

  const points = new Points(canvas, xy);
  const cells = new Cells(xy);
  const view = { x: 0, y: 0, unit: 1 };
  let home = 1;
  let chosen = -1;
  let matches = null;
  let waiting = false;

  function redraw() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      const dense = Math.min(Math.max(900 / Math.sqrt(count), 2.2), 9);
      points.draw(view, dense * Math.min(Math.sqrt(view.unit / home), 3) * devicePixelRatio);
    });
  }

  function showAll() {
    // The panel covers the left side of wide windows: the points go beside it.
    const beside = root.clientWidth > 900 ? 340 * devicePixelRatio : 0;
    const [width, height] = [cells.high[0] - cells.low[0] || 1, cells.high[1] - cells.low[1] || 1];
    view.unit = home = 0.92 * Math.min((canvas.width - beside) / width, canvas.height / height);
    view.x = (cells.low[0] + cells.high[0]) / 2 - beside / 2 / view.unit;
    view.y = (cells.low[1] + cells.high[1]) / 2;
    redraw();
  }

  function resize() {
    canvas.width = Math.max(1, Math.round(root.clientWidth * devicePixelRatio));
    canvas.height = Math.max(1, Math.round(root.clientHeight * devicePixelRatio));
    showAll();
  }

  function mark() {
    const shown = new Uint8Array(count).fill(matches ? 0 : 1);
    if (matches) for (const row of matches) shown[row] = 1;
    if (chosen >= 0) {
      for (let at = 0; at < data.near; at++) shown[near[chosen * data.near + at]] = Math.max(1, shown[near[chosen * data.near + at]]);
      shown[chosen] = 2;
    }
    points.set("shown", shown);
    redraw();
  }

  const heading = element("h1", "", data.title + " ");
  heading.append(element("span", "count", `${count.toLocaleString()} documents`));
  const search = element("input");
  search.type = "search";
  search.placeholder = "Search · 検索";
  search.setAttribute("aria-label", "Search the documents");
  const found = element("ul", "imi-found");
  found.setAttribute("aria-live", "polite");
  const legend = element("ul", "imi-legend");
  const detail = element("div", "imi-chosen");
  detail.hidden = true;
  panel.append(heading, search);

  const names = Object.keys(data.columns);
  function recolour(name) {
    const painted = colourBy(name ? data.columns[name] : null, count);
    points.set("colour", painted.bytes);
    legend.replaceChildren(...painted.legend.map(([colour, text]) => {
      const item = element("li");
      const dot = document.createElementNS("http://www.w3.org/2000/svg", "svg");
      dot.setAttribute("width", "10");
      dot.setAttribute("height", "10");
      const circle = document.createElementNS("http://www.w3.org/2000/svg", "circle");
      for (const [key, value] of [["cx", 5], ["cy", 5], ["r", 5], ["fill", colour]]) circle.setAttribute(key, value);
      dot.append(circle);
      item.append(dot, element("span", "", text));
      return item;
    }));
    redraw();
  }
  if (names.length) {
    const select = element("select");
    select.append(new Option("one colour", ""), ...names.map((name) => new Option(name, name)));
    select.value = data.colour || "";
    select.addEventListener("change", () => recolour(select.value));
    panel.append(labelled("Colour · 色", select), legend);
  }
  const buttons = element("div", "imi-buttons");
  for (const [text, label, act] of [
    ["+", "Zoom in", () => zoom(1.5)],
    ["−", "Zoom out", () => zoom(1 / 1.5)],
    ["⤢", "Show all", showAll],
    ["◐", "Dark or light", () => {
      const dark = document.documentElement.dataset.theme === "dark" || (!document.documentElement.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
      document.documentElement.dataset.theme = dark ? "light" : "dark";
    }],
  ]) {
    const button = element("button", "", text);
    button.type = "button";
    button.title = label;
    button.setAttribute("aria-label", label);
    button.addEventListener("click", act);
    buttons.append(button);
  }
  panel.append(buttons, found, detail);

  function choose(row, move) {
    chosen = row;
    detail.hidden = row < 0;
    if (row >= 0) {
      const list = element("ul", "imi-found");
      list.append(...Array.from({ length: data.near }, (_, at) => entry(near[row * data.near + at])));
      const facts = names.filter((name) => data.columns[name][row] !== null).slice(0, 6).map((name) => `${name}: ${data.columns[name][row]}`).join(" · ");
      detail.replaceChildren(element("h2", "", data.ids[row]), element("p", "", data.texts[row]), element("small", "", facts), element("h2", "", "Nearest · 近いもの"), list);
      if (move) {
        view.x = xy[2 * row] - (root.clientWidth > 900 ? (170 * devicePixelRatio) / view.unit : 0);
        view.y = xy[2 * row + 1];
      }
    }
    mark();
  }

  function entry(row) {
    const item = element("li");
    const button = element("button", "", data.texts[row] || data.ids[row]);
    button.type = "button";
    button.addEventListener("click", () => choose(row, true));
    item.append(button);
    return item;
  }

  const folded = data.texts.map((text) => text.normalize("NFKC").toLowerCase());
  search.addEventListener("input", () => {
    const wanted = search.value.normalize("NFKC").toLowerCase().trim();
    matches = wanted ? folded.flatMap((text, row) => (text.includes(wanted) ? [row] : [])) : null;
    found.replaceChildren(...(matches || []).slice(0, 30).map(entry));
    if (matches && !matches.length) found.append(element("li", "", "nothing contains this · 見つかりません"));
    mark();
  });

  function there(event) {
    const box = canvas.getBoundingClientRect();
    const x = ((event.clientX - box.left) * devicePixelRatio - canvas.width / 2) / view.unit + view.x;
    const y = (canvas.height / 2 - (event.clientY - box.top) * devicePixelRatio) / view.unit + view.y;
    return [x, y];
  }

  function zoom(by, x = view.x, y = view.y) {
    const unit = Math.min(Math.max(view.unit * by, home / 4), home * 4000);
    const share = view.unit / unit;
    view.x = x + (view.x - x) * share;
    view.y = y + (view.y - y) * share;
    view.unit = unit;
    redraw();
  }

  let held = null;
  canvas.addEventListener("pointerdown", (event) => {
    held = { x: event.clientX, y: event.clientY, moved: 0 };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (held) {
      const [dx, dy] = [event.clientX - held.x, event.clientY - held.y];
      held = { x: event.clientX, y: event.clientY, moved: held.moved + Math.abs(dx) + Math.abs(dy) };
      view.x -= (dx * devicePixelRatio) / view.unit;
      view.y += (dy * devicePixelRatio) / view.unit;
      canvas.classList.add("dragging");
      card.hidden = true;
      return redraw();
    }
    const row = cells.nearest(...there(event), (10 * devicePixelRatio) / view.unit);
    canvas.classList.toggle("over", row >= 0);
    card.hidden = row < 0;
    if (row < 0) return;
    card.replaceChildren(element("p", "", data.texts[row]), element("small", "", data.ids[row]));
    const box = root.getBoundingClientRect();
    const [left, top] = [event.clientX - box.left, event.clientY - box.top];
    card.style.left = `${left + 14 + card.offsetWidth > box.width ? Math.max(0, left - 14 - card.offsetWidth) : left + 14}px`;
    card.style.top = `${Math.max(0, Math.min(top + 14, box.height - card.offsetHeight - 8))}px`;
  });
  canvas.addEventListener("pointerup", (event) => {
    canvas.classList.remove("dragging");
    if (held && held.moved < 4) choose(cells.nearest(...there(event), (10 * devicePixelRatio) / view.unit), false);
    held = null;
  });
  canvas.addEventListener("pointercancel", () => { held = null; canvas.classList.remove("dragging"); });
  canvas.addEventListener("pointerleave", () => { card.hidden = true; });
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)), ...there(event));
  }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    const step = 60 / view.unit;
    const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
    if (moves[event.key]) {
      view.x += moves[event.key][0];
      view.y += moves[event.key][1];
      redraw();
    } else if (event.key === "+" || event.key === "=") zoom(1.4);
    else if (event.key === "-") zoom(1 / 1.4);
    else if (event.key === "0") showAll();
    else if (event.key === "Escape") choose(-1, false);
    else return;
    event.preventDefault();
  });
  new ResizeObserver(resize).observe(root);
  recolour(data.colour);
  mark();
  resize();
  return { view, redraw, choose };
}
