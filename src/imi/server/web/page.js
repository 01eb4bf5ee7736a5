import { alive, Api, Refused, setKey, Silent } from "./api.js";
import { at, button, make, quietly } from "./dom.js";
import { Filters } from "./filters.js";
import { hitItem, Modes, MODES, takeColumns } from "./hits.js";
import { Mapping } from "./mapping.js";
import { Reading } from "./reading.js";
import { moved, Size } from "./size.js";
import { Upload } from "./upload.js";
import { speak, spoken, switchLanguage, t } from "./words.js";

const QUIET = 50; // milliseconds without a key before the server is asked
const K = 10;
const BACK = 1500;
const THEME = "imi.theme";
const SAMPLES = 6;
const OWN = "own vectors"; // what the server calls the model of a collection that brought its vectors

const state = { collections: [], creates: false, current: null, query: "", view: "search", turn: 0, full: null, failed: null };
const api = new Api((reached) => (reached ? null : lost()));
const reading = new Reading(at("reading"), { ask: (...given) => api.ask(...given), picture: (...given) => api.picture(...given), trouble });
const modes = new Modes(at("modes"), at("mode-tabs"), {
  open: (id) => reading.open(state.current.name, id, state.query),
  picture: (id) => api.picture(state.current.name, id),
});
const filters = new Filters({ opener: at("filter-button"), panel: at("filters"), chips: at("chips"), changed: () => ask() });
const size = new Size(at("size"), quietly(() => ask(["meaning", "hybrid"]), 30));
const mapping = new Mapping(at("map"), at("map-said"), { api, trouble, open: (id) => reading.open(state.current.name, id, state.query) });
const upload = new Upload({ api, say, trouble, ready: (name) => load(name) });

/** Says what goes wrong, in the words of the page; a missing key is asked for. */
function trouble(broken) {
  if (broken.name === "AbortError" || broken instanceof Silent) return;
  if (broken instanceof Refused && broken.status === 401) return askKey();
  const refused = broken instanceof Refused;
  const why = !refused ? broken.message : broken.status === 403 && broken.code === "insufficient_permissions" ? t("forbidden") : broken.status === 503 || broken.status === 429 ? t("later", broken.message) : t("refused", broken.message);
  warn(why, true);
}

function warn(text, closable) {
  const box = at("trouble");
  box.hidden = !text;
  box.replaceChildren(text, closable && text ? button("×", () => warn(""), { class: "plain icon", "aria-label": t("close") }) : "");
}

function say(text) {
  at("progress").textContent = text;
  at("progress").hidden = !text;
}

/** The server does not answer: says so, waits for it, and goes on. */
async function lost() {
  if (state.lost) return;
  state.lost = true;
  warn(`${t("silent")} ${t("silentHint")}`);
  while (!(await alive())) await new Promise((done) => setTimeout(done, BACK));
  state.lost = false;
  warn("");
  say(t("back"));
  setTimeout(() => at("progress").textContent === t("back") && say(""), 4000);
  await load(state.current?.name);
}

/** Reads the list of collections and shows one: the wanted, the one in the address, or the first. */
async function load(wanted) {
  try {
    const { collections, creates } = await api.collections();
    Object.assign(state, { collections, creates });
  } catch (broken) {
    return trouble(broken);
  }
  const named = wanted || decodeURIComponent(location.hash.slice(1).split("/")[0]);
  const found = state.collections.find((one) => one.name === named) || state.collections[0] || null;
  at("collection").replaceChildren(...state.collections.map((one) => new Option(`${one.name} (${one.count.toLocaleString()})`, one.name)));
  at("shelf").hidden = at("views").hidden = !found;
  at("drop-button").hidden = !state.creates;
  await choose(found);
}

async function choose(found) {
  const again = found && state.current && found.name === state.current.name && found.version === state.current.version;
  state.current = found;
  if (!found || !found.count) {
    filters.take([], 0);
    return show();
  }
  at("collection").value = found.name;
  if (!again) {
    size.take(found.model === OWN ? null : found.dims);
    filters.take([], found.count);
    mapping.drop();
    takeColumns([]);
    api.get(found.name, "columns").then(({ columns }) => {
      if (state.current !== found) return;
      takeColumns(columns);
      filters.take(columns, found.count);
      if (!state.query) ask();
    }, trouble);
  }
  show();
  ask();
}

/** Shows the view that fits: a welcome where there is nothing to search, else the search or the map. */
function show() {
  const some = Boolean(state.current?.count);
  at("welcome").hidden = some;
  at("view-search").hidden = !some || state.view !== "search";
  at("view-map").hidden = !some || state.view !== "map";
  at("to-search").setAttribute("aria-pressed", String(state.view === "search"));
  at("to-map").setAttribute("aria-pressed", String(state.view === "map"));
  document.title = state.current ? `${state.current.name} · imi 意味` : "imi 意味";
  const hash = state.current ? `#${encodeURIComponent(state.current.name)}${state.view === "map" ? "/map" : ""}` : "";
  if (location.hash !== hash) history.replaceState(null, "", hash || location.pathname);
  if (!some) welcome();
  else if (state.view === "map") mapping.show(state.current.name, state.query ? modes.ids.meaning : [], state.query);
}

function welcome() {
  const { current, creates } = state;
  const name = current ? current.name : "notes";
  at("welcome").replaceChildren(
    make("h2", {}, current ? t("emptyCollection", current.name) : t("emptyServer")),
    make("p", {}, current ? t("emptyCollectionSays") : creates ? t("emptyServerSays") : t("emptyServerClosed")),
    make("pre", { tabindex: "0" }, `imi add ${name}.imi FILE …\nimi browse ${name}.imi`),
    creates ? make("div", { class: "drop" }, make("p", {}, t("drop")), button(t("choose"), () => at("file").click(), { class: "main" })) : null,
  );
}

/** Asks the server by all modes, or some; a newer question makes the answers to an older one worthless. */
async function ask(wanted = MODES) {
  const { current, query } = state;
  if (!current?.count) return;
  state.aborter?.abort();
  state.aborter = new AbortController();
  const { signal } = state.aborter;
  const turn = ++state.turn;
  const where = filters.where();
  const asked = Boolean(query);
  for (const id of ["modes", "mode-tabs"]) at(id).hidden = !asked;
  at("size").classList.toggle("idle", !asked);
  if (!asked) return sample(where, signal, turn);
  at("first").replaceChildren();
  const own = current.model === OWN;
  if (own) wanted = wanted.filter((mode) => mode !== "meaning");
  const dims = own ? null : size.dims;
  const look = (mode, numbers) => api.ask(current.name, "look", { query, k: K, mode, where, dims: mode === "text" ? null : numbers }, signal);
  // The answer of the whole vector is asked for once a question, whatever the slider does meanwhile.
  const key = JSON.stringify([current.name, current.version, query, where]);
  if (dims !== null && state.full?.key !== key) state.full = { key, reply: look("meaning", null) };
  const full = dims === null ? null : state.full.reply.then((reply) => reply.hits.map((hit) => hit.id), () => null);
  if (wanted.includes("text")) modes.wait();
  if (own) modes.say("meaning", t("ownMeaning"));
  at("modes").setAttribute("aria-busy", "true");
  await Promise.all(wanted.map((mode) => answer(mode, look(mode, dims), full, { turn, where, key, dims })));
  if (turn !== state.turn) return;
  at("modes").setAttribute("aria-busy", "false");
  at("modes").dataset.asked = query;
}

async function answer(mode, asked, full, { turn, where, key, dims }) {
  try {
    const reply = await asked;
    const best = mode === "meaning" ? await full : null;
    if (turn !== state.turn) return;
    if (mode === "meaning" && dims === null) state.full = { key, reply: Promise.resolve(reply) };
    modes.show(mode, reply, best && moved(best));
    if (!reply.hits.length) modes.say(mode, where ? t("noHitsFiltered") : t("noHits")[mode]);
    if (best) size.compare(modes.ids.meaning, best);
    else if (mode === "meaning") size.forget();
    if (mode === "meaning") at("summary").textContent = t("found", reply.hits.length);
  } catch (broken) {
    if (broken.name === "AbortError" || turn !== state.turn) return;
    modes.say(mode, broken instanceof Refused ? broken.message : "");
    if (!(broken instanceof Refused) || broken.status === 401 || broken.status >= 429) trouble(broken);
  }
}

/** What is shown before anything was asked: what the collection holds, and some of its documents. */
async function sample(where, signal, turn) {
  modes.clear();
  at("summary").textContent = "";
  const { current } = state;
  try {
    const { hits } = await api.ask(current.name, "look", { query: null, k: SAMPLES, where }, signal);
    if (turn !== state.turn) return;
    at("first").replaceChildren(
      make("h2", {}, t("first")),
      make("p", { class: "quiet" }, t("holds", current.count, current.model, current.dims)),
      hits.length ? make("ol", { class: "hits samples" }, ...hits.map((hit) => hitItem(hit, { open: modes.open, picture: modes.picture }))) : make("p", {}, t("noHitsFiltered")),
    );
  } catch (broken) {
    trouble(broken);
  }
}

function askKey() {
  const dialog = at("key");
  if (dialog.open) return dialog.querySelector(".wrong").removeAttribute("hidden");
  const field = make("input", { type: "password", id: "secret", autocomplete: "off", required: true });
  const keep = make("input", { type: "checkbox" });
  const use = async (event) => {
    event.preventDefault();
    setKey(field.value.trim(), keep.checked);
    try {
      await api.collections();
    } catch (broken) {
      return trouble(broken);
    }
    dialog.close();
    warn("");
    load();
  };
  dialog.replaceChildren(
    make("form", { onsubmit: use },
      make("h2", { id: "key-title" }, t("keyTitle")),
      make("p", {}, t("keySays")),
      make("label", { for: "secret" }, t("keyField")), field,
      make("p", { class: "wrong", role: "alert", hidden: true }, t("wrongKey")),
      make("label", { class: "choice" }, keep, make("span", {}, t("keep"))),
      make("button", { type: "submit", class: "main" }, t("use"))),
  );
  dialog.showModal();
}

function words() {
  speak(spoken());
  at("ask").placeholder = t("askHint");
  at("language").textContent = t("other");
  at("language").lang = spoken() === "ja" ? "en" : "ja";
  at("language").setAttribute("aria-label", t("otherLabel"));
}

function listen() {
  const later = quietly(() => {
    state.query = at("ask").value.trim();
    ask();
  }, QUIET);
  // While a Japanese word is being converted, what stands there is not yet what is meant.
  at("ask").addEventListener("input", (event) => event.isComposing || later());
  at("ask").addEventListener("compositionend", later);
  at("form").addEventListener("submit", (event) => {
    event.preventDefault();
    state.query = at("ask").value.trim();
    ask();
  });
  at("collection").addEventListener("change", () => choose(state.collections.find((one) => one.name === at("collection").value)));
  for (const view of ["search", "map"]) {
    at(`to-${view}`).addEventListener("click", () => {
      state.view = view;
      show();
    });
  }
  at("language").addEventListener("click", () => {
    switchLanguage();
    words();
    modes.build();
    filters.build();
    size.build();
    mapping.drop();
    show();
    ask();
  });
  at("theme").addEventListener("click", () => {
    const dark = getComputedStyle(document.documentElement).colorScheme === "dark";
    document.documentElement.dataset.theme = dark ? "light" : "dark";
    localStorage.setItem(THEME, document.documentElement.dataset.theme);
  });
  addEventListener("keydown", (event) => {
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement?.tagName);
    if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    state.view = "search";
    show();
    at("ask").focus();
  });
  listenForFiles();
}

function listenForFiles() {
  at("drop-button").addEventListener("click", () => at("file").click());
  at("file").addEventListener("change", () => {
    upload.take([...at("file").files]);
    at("file").value = "";
  });
  let inside = 0;
  const carried = (event) => [...(event.dataTransfer?.types || [])].includes("Files");
  addEventListener("dragenter", (event) => carried(event) && (at("dropping").hidden = !++inside));
  addEventListener("dragleave", (event) => carried(event) && (at("dropping").hidden = !(inside = Math.max(0, inside - 1))));
  addEventListener("dragover", (event) => carried(event) && event.preventDefault());
  addEventListener("drop", (event) => {
    if (!carried(event)) return;
    event.preventDefault();
    inside = 0;
    at("dropping").hidden = true;
    upload.take([...event.dataTransfer.files]);
  });
}

const theme = localStorage.getItem(THEME);
if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
state.view = location.hash.endsWith("/map") ? "map" : "search";
words();
modes.build();
listen();
load();
