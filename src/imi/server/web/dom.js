/** The element with an id. */
export const at = (id) => document.getElementById(id);

/**
 * Makes an element. Attributes beginning with "on" are listeners; children are elements or texts. Texts become text
 * nodes, so that nothing in a document is ever read as HTML.
 */
export function make(kind, attributes = {}, ...children) {
  const made = document.createElement(kind);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

/** A button that does something. */
export function button(text, act, attributes = {}) {
  return make("button", { type: "button", onclick: act, ...attributes }, text);
}

const MARKS = [null, "word-mark", "meant"];

/** Parts of a text, those marked inside <mark>: as words that were asked for, or as what means it. */
export function marked(parts) {
  return parts.map(([text, mark]) => (mark ? make("mark", { class: MARKS[Number(mark)] }, text) : text));
}

/** Calls `act` once things have been quiet for some milliseconds. */
export function quietly(act, milliseconds) {
  let timer = 0;
  return (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => act(...given), milliseconds);
  };
}
