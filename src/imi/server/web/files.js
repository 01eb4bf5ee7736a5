const LONGEST = 1500; // characters of a paragraph; a longer one is cut at a sentence, a space, or there
const TEXT_NAMES = ["text", "content", "body", "本文", "テキスト", "内容", "description", "summary", "title", "name"];

/** The rows of a dropped file: {id, text, metadata}. Throws a code: "kind", "notText" or "noRows". */
export async function rowsOf(file) {
  const suffix = (file.name.match(/\.[^.]+$/) || [""])[0].toLowerCase();
  const reader = READERS[suffix];
  if (!reader) throw new Unreadable("kinds", suffix || file.name);
  const rows = reader(decoded(await file.arrayBuffer()), file.name);
  if (!rows.length) throw new Unreadable("noRows");
  return rows;
}

export class Unreadable extends Error {
  constructor(code, ...values) {
    super(code);
    this.code = code;
    this.values = values;
  }
}

function decoded(bytes) {
  for (const encoding of ["utf-8", "shift_jis"]) {
    try {
      return new TextDecoder(encoding, { fatal: true }).decode(bytes);
    } catch {
      continue;
    }
  }
  throw new Unreadable("notText");
}

/** The cells of a table, quotes and line breaks in them included. */
export function cells(text, separator) {
  const rows = [];
  let row = [];
  let cell = "";
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const one = text[at];
    if (quoted) {
      if (one === '"' && text[at + 1] === '"') cell += text[++at];
      else if (one === '"') quoted = false;
      else cell += one;
    } else if (one === '"' && cell === "") quoted = true;
    else if (one === separator) {
      row.push(cell);
      cell = "";
    } else if (one === "\n" || one === "\r") {
      if (one === "\r" && text[at + 1] === "\n") at++;
      rows.push([...row, cell]);
      row = [];
      cell = "";
    } else cell += one;
  }
  if (cell !== "" || row.length) rows.push([...row, cell]);
  return rows.filter((one) => one.some((value) => value !== ""));
}

function table(separator) {
  return (text, source) => {
    const [names = [], ...rest] = cells(text, separator);
    return records(rest.map((row) => Object.fromEntries(names.map((name, at) => [name || `column ${at + 1}`, value(row[at] ?? "")]))), source);
  };
}

function value(text) {
  return /^-?(0|[1-9]\d{0,14})(\.\d{1,15})?$/.test(text) ? Number(text) : text;
}

/** Objects as rows: the text is the column that is called so, else the longest one; the id is a column that tells all rows apart. */
function records(objects, source) {
  const names = [...new Set(objects.slice(0, 1000).flatMap(Object.keys))];
  const length = (name) => objects.slice(0, 200).reduce((sum, one) => sum + (typeof one[name] === "string" ? one[name].length : 0), 0);
  const longest = names.reduce((best, name) => (length(name) > length(best) ? name : best), names[0]);
  const named = TEXT_NAMES.map((wanted) => names.find((name) => name.toLowerCase() === wanted)).find((name) => name && length(name) >= length(longest) / 4);
  const text = named || longest;
  const key = names.find((name) => /^(id|key|_id)$/i.test(name) && new Set(objects.map((one) => String(one[name] ?? ""))).size === objects.length);
  return objects.flatMap((one, at) => {
    const said = one[text] === undefined || one[text] === null ? "" : String(one[text]);
    if (!said.trim()) return [];
    const metadata = Object.fromEntries(names.filter((name) => name !== text && one[name] !== "" && one[name] !== undefined).map((name) => [name, one[name]]));
    return [{ id: key ? String(one[key]) : `${source}:${at + 1}`, text: said, metadata: { source, ...metadata } }];
  });
}

function json(text, source) {
  let whole;
  try {
    whole = JSON.parse(text);
  } catch {
    return jsonLines(text, source);
  }
  const list = Array.isArray(whole) ? whole : Object.values(whole).find(Array.isArray) || [whole];
  return records(list.map((one) => (one && typeof one === "object" && !Array.isArray(one) ? one : { text: String(one) })), source);
}

function jsonLines(text, source) {
  const found = text.split("\n").flatMap((line) => {
    try {
      const one = JSON.parse(line);
      return [one && typeof one === "object" && !Array.isArray(one) ? one : { text: String(one) }];
    } catch {
      return [];
    }
  });
  return records(found, source);
}

function prose(text, source) {
  let heading = null;
  const rows = [];
  for (const block of text.replaceAll("\r\n", "\n").split(/\n[ \t\u3000]*\n+/)) {
    const title = block.match(/^#{1,6}\s+(.+)/);
    if (title) heading = title[1].trim();
    for (const piece of pieces(block.trim())) rows.push({ id: `${source}:${rows.length + 1}`, text: piece, metadata: { source, paragraph: rows.length + 1, ...(heading ? { heading } : {}) } });
  }
  return rows;
}

function pieces(block) {
  const found = [];
  let rest = block;
  while (rest.length > LONGEST) {
    const head = rest.slice(0, LONGEST);
    const end = Math.max(head.lastIndexOf("。"), head.lastIndexOf(". "), head.lastIndexOf("\n"), head.lastIndexOf("！"), head.lastIndexOf("？"));
    let cut = end > LONGEST / 2 ? end + 1 : head.lastIndexOf(" ") > LONGEST / 2 ? head.lastIndexOf(" ") : LONGEST;
    if (/[\ud800-\udbff]/.test(rest[cut - 1])) cut -= 1;
    found.push(rest.slice(0, cut).trim());
    rest = rest.slice(cut);
  }
  if (rest.trim()) found.push(rest.trim());
  return found;
}

function html(text, source) {
  // A parsed document runs no script and loads nothing; only its texts are read.
  const parsed = new DOMParser().parseFromString(text, "text/html");
  for (const hidden of parsed.querySelectorAll("script, style, template, noscript, nav")) hidden.remove();
  for (const block of parsed.querySelectorAll("p, li, tr, h1, h2, h3, h4, h5, h6, div, br, section, article, pre, blockquote")) block.append("\n\n");
  return prose((parsed.body.textContent || "").replace(/[ \t]+/g, " "), source);
}

const READERS = {
  ".csv": table(","), ".tsv": table("\t"), ".tab": table("\t"),
  ".json": json, ".jsonl": jsonLines, ".ndjson": jsonLines,
  ".txt": prose, ".text": prose, ".md": prose, ".markdown": prose,
  ".html": html, ".htm": html,
};
