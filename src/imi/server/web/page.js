import { Address, readAddress, VIEWS } from "./address.js";
import { alive, Api, Refused, setKey, Silent } from "./api.js";
import { Asking } from "./asking.js";
import { takeColumns } from "./columns.js";
import { at, button, make, quietly } from "./dom.js";
import { Filters } from "./filters.js";
import { hitItem, Modes, MODES } from "./hits.js";
import { isPicture, PictureQuery } from "./pictures.js";
import { PairedMaps } from "./pairing.js";
import { Reading } from "./reading.js";
import { moved, Size } from "./size.js";
import { Tasking } from "./tasking.js";
import { Upload } from "./upload.js";
import { speak, spoken, switchLanguage, t } from "./words.js";

const QUIET = 50; // milliseconds without a key before the server is asked
const THINK = 250; // the same for an answer, which takes more work
const K = 10;
const BACK = 1500;
const THEME = "imi.theme";
const SAMPLES = 6;
const GALLERY = 24;
const OWN = "own vectors"; // what the server calls the model of a collection that brought its vectors

const state = { collections: [], creates: false, current: null, query: "", view: "search", turn: 0, full: null, examples: null };
const api = new Api((reached) => (reached ? null : lost()));
const picture = (id) => api.picture(state.current.name, id);
const open = (id) => reading.open(state.current.name, id, state.query);
const reading = new Reading(at("reading"), { ask: (...given) => api.ask(...given), picture: (...given) => api.picture(...given), trouble });
const modes = new Modes(at("modes"), at("mode-tabs"), { open, picture, more, chose: remember });
const filters = new Filters({ opener: at("filter-button"), panel: at("filters"), chips: at("chips"), changed: () => ask() });
const size = new Size(at("size"), quietly(() => ask(["meaning", "hybrid"]), 30));
const mapping = new PairedMaps(at("view-map"), size, { api, trouble, open, picture });
const asking = new Asking(at("view-ask"), { api, open, picture, trouble });
const tasking = new Tasking(at("view-tasks"), { api, open, picture, trouble, map: () => look("map") });
const upload = new Upload({ api, say, trouble, ready: (name) => load(name) });
const pictured = new PictureQuery(at("shown-picture"), () => {
  at("ask").value = state.query = "";
  if (state.view !== "search") look("search");
  else ask();
});
const address = new Address(follow);

/** Whether the collection shown has pictures and no text at all, so that there is nothing to search but by meaning. */
const wordless = () => state.current?.index?.words?.rows === 0 && state.current.model !== OWN;

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
  const given = readAddress(location.hash);
  const found = named(wanted || given.name) || state.collections[0] || null;
  at("collection").replaceChildren(...state.collections.map((one) => new Option(`${one.name} (${one.count.toLocaleString()})`, one.name)));
  at("shelf").hidden = at("views").hidden = !found;
  at("drop-button").hidden = !state.creates;
  choose(found, found && found.name === given.name ? given : { ...given, where: null, dims: null, query: wanted ? "" : given.query });
}

const named = (name) => state.collections.find((one) => one.name === name);

/** Shows what an address asks for. */
function follow(given) {
  if (reading.dialog.open) reading.dialog.close();
  choose(named(given.name) || state.current || state.collections[0] || null, given);
}

/** Shows a collection, and of it what was given: view, question, mode, filters and dimensions. */
function choose(found, given) {
  const again = found && state.current && found.name === state.current.name && found.version === state.current.version;
  state.current = found;
  Object.assign(state, { query: given.query, view: given.view });
  at("ask").value = given.query;
  modes.choose(given.mode || "meaning");
  if (!found || !found.count) {
    filters.take([], 0);
    return show();
  }
  at("collection").value = found.name;
  if (!again) {
    size.take(found.model === OWN ? null : found.dims);
    filters.columns = [];
    mapping.drop();
    asking.forget();
    takeColumns(null);
    pictured.drop();
    modes.alone(wordless());
    state.examples = null;
    readColumns(found);
  }
  size.choose(given.dims);
  filters.restore(given.where);
  show();
  ask();
}

async function readColumns(found) {
  const told = await Promise.allSettled([api.get(found.name, "columns"), api.get(found.name, "examples")]);
  if (state.current !== found) return;
  const [columns, examples] = told.map((one) => one.value);
  if (columns) {
    takeColumns(columns.columns);
    filters.take(columns.columns, found.count);
  }
  state.examples = examples?.examples || [];
  ask();
}

function remember() {
  const { current, view, query } = state;
  if (current) address.write({ name: current.name, view, query, mode: modes.chosen === "meaning" ? null : modes.chosen, dims: size.dims, where: filters.where() });
}

/** Goes to another view of the same. */
function look(view) {
  address.last = -Infinity;
  state.view = view;
  show();
  ask();
}

/** Shows the view that fits: a welcome where there is nothing to search, else the one that was chosen. */
function show() {
  const { current, view } = state;
  const some = Boolean(current?.count);
  at("welcome").hidden = some;
  at("asking").hidden = !some || view === "tasks";
  at("tools").hidden = false;
  at("filter-button").hidden = at("chips").hidden = view === "map";
  if (view === "map") filters.toggle(false);
  at("size").classList.toggle("aside", view === "ask");
  for (const one of VIEWS) {
    at(`view-${one}`).hidden = !some || view !== one;
    at(`to-${one}`).setAttribute("aria-pressed", String(view === one));
  }
  document.title = current ? `${current.name} · imi 意味` : "imi 意味";
  if (!some) welcome();
  else if (view === "tasks") tasking.show(current.name, current.version);
  remember();
}

/** Questions that the collection can answer, to click. */
function examples() {
  const some = state.examples || [];
  const pick = (question) => {
    at("ask").value = question;
    address.last = -Infinity;
    asked();
  };
  return make("ul", { class: "examples", "aria-label": t("examples") }, ...some.map((one) => make("li", {}, button(one, () => pick(one), { class: "example", dir: "auto" }))));
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

/** Takes the question that stands in the field. */
function asked() {
  state.query = at("ask").value.trim();
  if (state.query) pictured.drop();
  ask();
}

/** Asks what the view needs; a newer question makes the answers to an older one worthless. */
async function ask(wanted = MODES) {
  remember();
  const { current, query, view } = state;
  if (!current?.count || view === "tasks") return;
  const where = filters.where();
  if (view === "ask") return asking.ask({ name: current.name, version: current.version, query, where, examples: examples() });
  state.aborter?.abort();
  state.aborter = new AbortController();
  const { signal } = state.aborter;
  const turn = ++state.turn;
  const question = Boolean(query || pictured.data);
  for (const id of ["modes", "mode-tabs"]) at(id).hidden = !question;
  at("size").classList.toggle("idle", !question && view === "search");
  if (view === "map" && !question) return place([]);
  if (!question) return sample(where, signal, turn);
  at("first").replaceChildren();
  const own = current.model === OWN;
  if (own) wanted = wanted.filter((mode) => mode !== "meaning");
  if (pictured.data || wordless() || view === "map") wanted = wanted.filter((mode) => mode === "meaning");
  modes.alone(wordless() || Boolean(pictured.data));
  const dims = own ? null : size.dims;
  const find = (mode, numbers, held) => api.ask(current.name, "look", { ...what(), k: K, mode, where, dims: mode === "text" ? null : numbers }, held);
  // The answer of the whole vector is asked for once a question, whatever the slider does meanwhile: nothing stops it.
  const key = JSON.stringify([current.name, current.version, query, where, pictured.data]);
  if (dims !== null && state.full?.key !== key) state.full = { key, reply: find("meaning", null) };
  const full = dims === null ? null : state.full.reply.then((reply) => reply.hits.map((hit) => hit.id), () => null);
  if (wanted.includes("text")) modes.wait();
  if (own) modes.say("meaning", t("ownMeaning"));
  at("modes").setAttribute("aria-busy", "true");
  await Promise.all(wanted.map((mode) => answer(mode, find(mode, dims, signal), full, { turn, where, key, dims })));
  if (turn !== state.turn) return;
  at("modes").setAttribute("aria-busy", "false");
  at("modes").dataset.asked = query;
  if (view === "map") place(modes.ids.meaning || [], await full);
}

/** The question as the server takes it: words, or a picture. */
const what = () => (pictured.data ? { picture: pictured.data } : { query: state.query });

/** Shows the map with what was found by the slider's dimensions, and where two are shown also by all (`best`). */
function place(hits, best = null) {
  const { current, query } = state;
  mapping.show(current.name, { hits, best: best || hits, query, dims: size.dims, width: current.dims });
}

async function answer(mode, found, full, { turn, where, key, dims }) {
  try {
    const reply = await found;
    const best = mode === "meaning" ? await full : null;
    if (turn !== state.turn) return;
    if (mode === "meaning" && dims === null) state.full = { key, reply: Promise.resolve(reply) };
    modes.show(mode, reply, best && moved(best));
    if (!reply.hits.length) modes.say(mode, where && (mode !== "text" || !reply.passing) ? t("noHitsFiltered") : where ? t("noTextFiltered", reply.passing) : t("noHits")[mode]);
    if (best) size.compare(modes.ids.meaning, best);
    else if (mode === "meaning") size.forget();
    if (mode === "meaning") at("summary").textContent = reply.likely ? t("found", reply.hits.length) : t("nothingNear");
    passing(where, reply);
  } catch (broken) {
    if (broken.name === "AbortError" || turn !== state.turn) return;
    modes.say(mode, broken instanceof Refused ? broken.message : "");
    if (!(broken instanceof Refused) || broken.status === 401 || broken.status >= 429) trouble(broken);
  }
}

function passing(where, reply) {
  at("passing").textContent = where && reply.passing !== null ? t("passing", reply.passing, state.current.count) : "";
}

/** The next ten of one way of searching. */
async function more(mode, offset) {
  const { turn } = state;
  try {
    const dims = mode === "text" || state.current.model === OWN ? null : size.dims;
    const reply = await api.ask(state.current.name, "look", { ...what(), k: K, mode, where: filters.where(), dims, offset });
    if (turn === state.turn) modes.append(mode, reply);
  } catch (broken) {
    trouble(broken);
  }
}

/** What is shown before anything was asked: what the collection holds, questions to ask, and some of its documents. */
async function sample(where, signal, turn) {
  modes.clear();
  at("summary").textContent = "";
  const { current } = state;
  const gallery = wordless();
  const fetched = (offset) => api.ask(current.name, "look", { query: null, k: gallery ? GALLERY : SAMPLES, offset, where }, signal);
  try {
    const reply = await fetched(0);
    if (turn !== state.turn) return;
    passing(where, reply);
    const items = ({ hits }) => hits.map((hit) => hitItem(hit, { open, picture }));
    const list = make("ol", { class: `hits samples${gallery ? " gallery" : ""}` }, ...items(reply));
    const further = button(t("more"), async () => {
      const next = await fetched(list.children.length).catch(trouble);
      if (!next || turn !== state.turn) return;
      list.append(...items(next));
      further.hidden = !next.more;
    }, { class: "plain more" });
    further.hidden = !reply.more;
    at("first").replaceChildren(
      make("h2", {}, t("first")),
      make("p", { class: "quiet" }, t("holds", current.count, current.model, current.dims)),
      make("div", { class: "try" }, make("span", { class: "quiet" }, t("try")), examples()),
      reply.hits.length ? list : make("p", {}, t("noHitsFiltered")),
      further,
    );
    at("first").querySelector(".try").hidden = !state.examples?.length;
  } catch (broken) {
    if (broken.name !== "AbortError") trouble(broken);
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
  const soon = quietly(asked, QUIET);
  const later = quietly(asked, THINK);
  const typed = () => (state.view === "ask" ? later() : soon());
  // While a Japanese word is being converted, what stands there is not yet what is meant.
  at("ask").addEventListener("input", (event) => event.isComposing || typed());
  at("ask").addEventListener("compositionend", typed);
  at("form").addEventListener("submit", (event) => {
    event.preventDefault();
    asked();
  });
  at("collection").addEventListener("change", () => {
    address.last = -Infinity;
    choose(named(at("collection").value), { query: state.query, view: state.view, mode: modes.chosen, dims: null, where: null });
  });
  for (const view of VIEWS) at(`to-${view}`).addEventListener("click", () => look(view));
  at("language").addEventListener("click", () => {
    switchLanguage();
    words();
    modes.build();
    filters.build();
    size.build();
    mapping.drop();
    asking.forget();
    tasking.key = null;
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
    if (state.view === "tasks") look("search");
    at("ask").focus();
  });
  listenForFiles();
}

/** Files that were dropped, pasted or chosen: pictures are searched by, anything else becomes a collection. */
function receive(files) {
  const [image] = files.filter(isPicture);
  if (image && state.current?.count && state.current.model !== OWN) return pictured.take(image).catch(trouble);
  return upload.take(files);
}

function listenForFiles() {
  at("drop-button").addEventListener("click", () => at("file").click());
  at("file").addEventListener("change", () => {
    receive([...at("file").files]);
    at("file").value = "";
  });
  addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files || [])];
    if (!files.length) return;
    event.preventDefault();
    receive(files);
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
    receive([...event.dataTransfer.files]);
  });
}

const theme = localStorage.getItem(THEME);
if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
words();
modes.build();
listen();
load();
