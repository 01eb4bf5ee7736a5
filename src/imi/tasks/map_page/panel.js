const SVG = "http://www.w3.org/2000/svg";
const LISTED = 30;
const FACTS = 6;

/** An element with classes and a text; texts of documents are only ever set as text. */
export function element(kind, classes, text) {
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

function dot(colour) {
  const drawn = document.createElementNS(SVG, "svg");
  const circle = document.createElementNS(SVG, "circle");
  for (const [key, value] of [["width", 10], ["height", 10], ["aria-hidden", "true"]]) drawn.setAttribute(key, value);
  for (const [key, value] of [["cx", 5], ["cy", 5], ["r", 5], ["fill", colour]]) circle.setAttribute(key, value);
  drawn.append(circle);
  return drawn;
}

/** The panel beside the map: search, colours, buttons, and the chosen document with what is nearest to it. */
export class Panel {
  constructor(data, words, told) {
    this.data = data;
    this.words = words;
    this.told = told;
    this.root = element("section", "imi-panel");
    this.root.setAttribute("aria-label", data.title);
    this.legend = element("ul", "imi-legend");
    this.found = element("ul", "imi-found");
    this.said = element("p", "imi-said");
    this.said.setAttribute("role", "status");
    this.detail = element("div", "imi-chosen");
    this.detail.hidden = true;
    const heading = element("h2", "imi-title", data.title);
    heading.append(" ", element("span", "count", words.count(data.ids.length, data.of || data.ids.length)));
    this.root.append(heading, this.searchField(), ...this.colourField(), this.buttons(), this.said, this.found, this.detail);
  }

  searchField() {
    this.search = element("input");
    this.search.type = "search";
    this.search.placeholder = this.words.search;
    this.search.setAttribute("aria-label", this.words.search);
    this.search.addEventListener("input", () => this.look());
    return this.search;
  }

  look() {
    const wanted = this.search.value.normalize("NFKC").toLowerCase().trim();
    this.folded ||= this.data.texts.map((text) => text.normalize("NFKC").toLowerCase());
    const rows = wanted ? this.folded.flatMap((text, row) => (text.includes(wanted) ? [row] : [])) : null;
    this.found.replaceChildren(...(rows || []).slice(0, LISTED).map((row) => this.entry(row)));
    this.said.textContent = !rows ? "" : rows.length ? this.words.found(rows.length) : this.words.none;
    this.told.found(rows, this.search.value.trim());
  }

  colourField() {
    this.select = element("select");
    this.select.addEventListener("change", () => this.told.colour(this.select.value));
    this.colours = labelled(this.words.colour, this.select);
    return [this.colours, this.legend];
  }

  /** Lists the columns to colour by, with one of them chosen. */
  fill(chosen) {
    const names = Object.keys(this.data.columns);
    this.colours.hidden = !names.length;
    this.select.replaceChildren(...names.map((name) => new Option(name, name)), new Option(this.words.oneColour, ""));
    this.select.value = chosen;
  }

  showLegend(pairs) {
    this.legend.replaceChildren(...pairs.map(([colour, text]) => {
      const item = element("li");
      const name = element("span", "", text);
      name.dir = "auto";
      name.title = text;
      item.append(dot(colour), name);
      return item;
    }));
  }

  buttons() {
    const row = element("div", "imi-buttons");
    for (const [text, label, act] of [
      ["+", this.words.zoomIn, this.told.zoomIn],
      ["−", this.words.zoomOut, this.told.zoomOut],
      ["⤢", this.words.all, this.told.all],
      ["◐", this.words.theme, this.told.theme],
    ]) {
      if (!act) continue;
      const button = this.button(text, act);
      button.title = label;
      button.setAttribute("aria-label", label);
      row.append(button);
    }
    return row;
  }

  button(text, act) {
    const button = element("button", "", text);
    button.type = "button";
    button.addEventListener("click", act);
    return button;
  }

  entry(row, score) {
    const item = element("li");
    const button = this.button("", () => this.told.choose(row));
    const text = element("span", "", this.data.texts[row] || this.data.ids[row]);
    text.dir = "auto";
    button.append(text);
    if (score !== undefined) button.append(element("small", "", score.toFixed(2)));
    item.append(button);
    return item;
  }

  /** Shows one document and, as soon as they are known, what is nearest to it; -1 shows none. */
  show(row, nearest) {
    this.shown = row;
    this.detail.hidden = row < 0;
    if (row < 0) return;
    const { data, words } = this;
    const columns = Object.keys(data.columns).filter((name) => data.columns[name][row] !== null);
    const text = element("p", "", data.texts[row]);
    text.dir = "auto";
    const actions = element("div", "imi-buttons");
    if (this.told.open) actions.append(this.button(words.open, () => this.told.open(data.ids[row])));
    actions.append(this.button(words.close, () => this.told.choose(-1)));
    const list = element("ul", "imi-found");
    this.detail.replaceChildren(
      element("h3", "", data.ids[row]),
      text,
      element("small", "", columns.slice(0, FACTS).map((name) => `${name}: ${data.columns[name][row]}`).join(" · ")),
      actions,
      element("h3", "", words.nearest),
      list,
    );
    this.detail.scrollTop = 0;
    nearest.then(
      (pairs) => this.shown === row && list.replaceChildren(...pairs.map(([near, score]) => this.entry(near, score))),
      () => this.shown === row && list.replaceChildren(element("li", "", words.failed)),
    );
  }
}
