import { Grid } from "./grid.js";
import { drawMap } from "./map.js";

const NEWS_MS = 2000;
const at = (id) => document.getElementById(id);
const known = new Map();  // what is shown of an image, by its number
const chosen = new Set();  // the selected images
let about, found = [], onMap = null, cursor = 0, anchor = 0, similarTo = null, asked = 0;
// A page that is loaded again keeps its name, so that it can still undo what it did.
const reviewer = sessionStorage.reviewer ??= crypto.randomUUID();

async function ask(name, body = {}) {
  const response = await fetch(name, { method: "POST", body: JSON.stringify(body) });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

// What takes long is asked for again until it is done.
async function patiently(name, body, words) {
  for (;;) {
    const answer = await ask(name, body);
    if (!answer.working) return answer;
    say(words);
  }
}

function say(text, wrong = false) {
  at("said").textContent = text;
  at("said").classList.toggle("wrong", wrong);
}

const many = (count) => `${count.toLocaleString("en")} image${count === 1 ? "" : "s"}`;

// Whatever a person starts: what goes wrong is said, and the page goes on.
const doing = (work) => async (...given) => {
  try { await work(...given); } catch (error) { say(error.message.replace("Failed to fetch", "the review was ended: start it again"), true); }
};

const grid = new Grid(at("grid"), {
  fill(tile, n) {
    const one = known.get(n);
    tile.title = one?.path ?? "";
    tile.label.textContent = one?.label ?? "";
    tile.guess.textContent = one ? one.remark && !one.predicted ? one.remark : guess(one) : "";
    tile.classList.toggle("chosen", chosen.has(n));
    tile.classList.toggle("cursor", grid.order[cursor] === n);
    tile.classList.toggle("decided", Boolean(one) && one.decision !== "none");
    tile.classList.toggle("excluded", one?.decision === "excluded");
    tile.classList.toggle("differs", Boolean(one?.predicted) && one.predicted !== one.label);
  },
  wanted: doing(async (numbers) => {
    const unknown = numbers.filter((n) => !known.has(n));
    if (unknown.length) await learn(unknown);
  }),
  clicked(place, event) {
    if (event.shiftKey) choose(place);
    else if (event.ctrlKey || event.metaKey) toggle(grid.order[place]);
    else chosen.clear();
    if (!event.shiftKey) anchor = place;
    move(place);
  },
  opened: (place) => enlarge(place),
});

function guess(one) {
  const heads = Object.keys(one).filter((name) => name.startsWith("predicted")).map((name) => one[name]);
  const sure = one.probability === undefined ? "" : ` ${one.probability.toFixed(2)}`;
  return heads.length ? `→ ${heads.join(" · ")}${sure}` : one.split ?? "";
}

async function learn(numbers) {
  for (const tile of (await ask("tiles", { images: numbers.slice(0, 2000) })).tiles) known.set(tile.n, tile);
  grid.refill();
}

// ---- what is shown

function query() {
  const selects = [...at("choices").querySelectorAll("select")].filter((select) => select.value !== "");
  const values = ({ name, value }) => value === "train+validation" ? ["train", "validation"] : [about.columns.find((c) => c.name === name).values[value].name];
  return {
    chosen: Object.fromEntries(selects.map((select) => [select.name, values(select)])),
    text: at("text").value, sort: at("sort").value,
    descending: at("descending").getAttribute("aria-pressed") === "true",
  };
}

const search = doing(async () => {
  const number = ++asked, answer = await ask("find", query());
  if (number !== asked) return;  // a later one is on its way
  found = answer.order;
  similarTo = null;
  confusion(answer.confusion);
  show();
});

function show(order = onMap ? found.filter((n) => onMap.has(n)) : found) {
  chosen.clear();
  cursor = anchor = 0;
  grid.show(order);
  count();
}

function count() {
  const parts = [`${grid.order.length.toLocaleString("en")} of ${about.images.toLocaleString("en")} images`];
  if (similarTo !== null) parts.push("similar to the first; Esc: back");
  else if (onMap) parts.push("selected on the map; Esc: all");
  if (chosen.size) parts.push(`${chosen.size.toLocaleString("en")} selected`);
  at("shown").textContent = parts.join(" · ");
}

function confusion(counts) {
  const table = at("confusion"), names = (which) => about.columns.find((c) => c.name === which)?.values ?? [];
  const rows = names("label"), columns = names("predicted");
  table.hidden = !counts || rows.length * columns.length > 2500;
  table.replaceChildren();
  if (table.hidden) return;
  const cell = (row, text, kind = "td") => { const made = row.appendChild(document.createElement(kind)); made.textContent = text; made.title = text; return made; };
  const head = table.insertRow();
  cell(head, "label \\ predicted", "th");
  columns.forEach((one) => cell(head, one.shown, "th"));
  rows.forEach((one, r) => {
    const row = table.insertRow();
    cell(row, one.shown, "th");
    columns.forEach((other, c) => {
      const made = cell(row, counts[r][c] || "");
      Object.assign(made.dataset, { row: r, column: c });
      made.title = `${one.shown}, predicted ${other.shown}: ${counts[r][c]}`;
      made.classList.toggle("wrong", one.name !== other.name && counts[r][c] > 0);
      made.classList.toggle("on", field("label").value === `${r}` && field("predicted").value === `${c}`);
    });
  });
}

const field = (name) => at("choices").elements[name] ?? { value: "" };

at("confusion").addEventListener("click", (event) => {
  const { row, column } = event.target.dataset;
  if (row === undefined) return;
  const same = field("label").value === row && field("predicted").value === column;
  field("label").value = same ? "" : row;
  field("predicted").value = same ? "" : column;
  search();
});

function controls() {
  const before = Object.fromEntries([...at("choices").querySelectorAll("select")].map((s) => [s.name, s.value]));
  const option = (select, value, text) => select.add(new Option(text, value));
  at("choices").replaceChildren(...about.columns.filter((c) => c.values).map((column) => {
    const label = document.createElement("label"), select = document.createElement("select");
    select.name = column.name;
    option(select, "", "all");
    if (column.name === "split") option(select, "train+validation", "train and validation");
    column.values.forEach((value, n) => option(select, n, value.shown));
    select.value = before[column.name] ?? (column.name === "split" ? "train+validation" : "");
    label.append(column.title, select);
    return label;
  }));
  const sort = at("sort").value || "path";
  at("sort").replaceChildren();
  option(at("sort"), "path", "path");
  for (const column of about.columns) option(at("sort"), column.name, column.title);
  at("sort").value = sort;
  at("method").replaceChildren(...about.methods.map((name) => new Option(name)));
  at("method").hidden = about.methods.length < 2;
  at("names").replaceChildren(...about.classes.map((one) => new Option(one.name)));
  const digits = [..."1234567890"].filter(classOf).map((key) => classOf(key).name === key ? key : `${key}: ${classOf(key).shown}`);
  at("keys").textContent = `${digits.join("  ")} label · l other label · x exclude · r right · g group · u undo · s similar · Enter large · Space select`;
}

// ---- decisions

const target = () => (chosen.size ? [...chosen] : grid.order.length ? [grid.order[cursor]] : []);

// One after the other, so that an undoing follows what it undoes.
let before = Promise.resolve();
const inTurn = (work) => { before = before.then(doing(work)); };

// The cursor moves on at once: the next key is for the next image, however long the answer takes.
function decide(action, value = "") {
  const images = target();
  if (!images.length) return;
  if (!chosen.size) move(cursor + 1);
  inTurn(() => send({ action, images, value, reviewer }));
}

async function send(made) {
  let answer = await ask("decide", made);
  if (answer.question) {
    if (!await wanted(answer.question)) return;
    answer = await ask("decide", { ...made, confirmed: true });
  }
  const words = { label: `label ${made.value}`, right: "marked as right", exclude: "excluded", group: "one group", ungroup: "no group" };
  say(`${words[made.action]}: ${many(made.images.length)} (u: undo)`);
  const isNew = !about.classes.some((one) => one.name === made.value);
  await changed(answer);
  if (made.value && isNew || made.action.endsWith("group")) await refreshed();
}

const undo = () => inTurn(async () => {
  const answer = await ask("undo", { reviewer });
  say(`undone: ${many(answer.changed.length)}`);
  await changed(answer);
  await refreshed();
});

async function changed({ changed: numbers, entries }) {
  about.entries = entries;
  for (const n of numbers) known.delete(n);
  await learn([...new Set([...grid.tiles.values()].map((tile) => tile.n))]);
}

async function refreshed() {
  about = { ...await ask("about"), entries: about.entries };  // what others decided is still news
  controls();
}

// What others decided; a page that nobody looks at does not ask.
const news = doing(async () => {
  if (document.hidden) return;
  const answer = await ask("news", { seen: about.entries });
  if (answer.entries > about.entries) {
    say(`decided elsewhere: ${many(answer.changed.length)}`);
    await changed(answer);
    await refreshed();
  }
});

function wanted(question, value = null) {
  at("question").textContent = question;
  at("answer").hidden = value === null;
  at("answer").value = value ?? "";
  at("ask").returnValue = "";
  at("ask").showModal();
  (value === null ? at("yes") : at("answer")).focus();
  return new Promise((resolve) => at("ask").addEventListener("close", () => {
    at("grid").focus();
    resolve(at("ask").returnValue ? (value === null ? true : completed(at("answer").value.trim())) : "");
  }, { once: true }));
}

// The beginning of one class's name is enough.
function completed(text) {
  const names = about.classes.map((one) => one.name), lower = text.toLowerCase();
  const like = names.filter((name) => name.toLowerCase().startsWith(lower));
  return text && !names.includes(text) && like.length === 1 ? like[0] : text;
}

// Digits are for the first classes, but where classes are named by digits.
function classOf(key) {
  if (!/^[0-9]$/.test(key)) return undefined;
  const byName = about.classes.some((one) => /^[0-9]$/.test(one.name));
  return byName ? about.classes.find((one) => one.name === key) : about.classes[key - 1];
}

// ---- moving about

function move(place) {
  cursor = Math.max(0, Math.min(grid.order.length - 1, place));
  grid.reveal(cursor);
  grid.refill();
  count();
}

function toggle(n) { if (!chosen.delete(n)) chosen.add(n); }

function choose(place) {
  for (let i = Math.min(anchor, place); i <= Math.max(anchor, place); i++) chosen.add(grid.order[i]);
}

function enlarge(place) {
  const n = grid.order[place], one = known.get(n);
  at("large").querySelector("img").src = `large/${n}`;
  at("large").querySelector("p").textContent = one ? Object.entries(one).filter(([name]) => name !== "n").map(([name, value]) => `${name}: ${value}`).join(" · ") : "";
  at("large").showModal();
}

const likeThis = doing(async () => {
  const answer = await patiently("similar", { image: grid.order[cursor] }, "reading the features…");
  similarTo = grid.order[cursor];
  say("");
  show(answer.order);
});

const all = () => { for (const n of grid.order) chosen.add(n); grid.refill(); count(); };

function back() {
  if (similarTo !== null) { similarTo = null; return show(); }
  if (chosen.size) { chosen.clear(); grid.refill(); return count(); }
  if (onMap) { onMap = null; show(); }
}

const toMap = doing(async () => {
  const open = at("map").hidden;
  at("map").hidden = !open;
  at("showmap").setAttribute("aria-pressed", open);
  grid.later();
  if (open && !at("plot").data) await draw();
});

const draw = doing(async () => {
  if (about.map) throw new Error(about.map);
  const points = await patiently("map", { method: at("method").value }, "drawing the map…");
  at("plot").removeAllListeners?.();
  await drawMap(at("plot"), points, about.classes, (numbers) => { onMap = numbers; similarTo = null; show(); });
  say("");
});

const typed = {
  l: async () => { const name = await wanted("Label (the beginning of a class's name is enough)", ""); if (name) decide("label", name); },
  g: async () => { const name = await wanted("Group (images of one group are never in two splits)", `group ${new Date().toISOString().slice(0, 19)}`); if (name) decide("group", name); },
  G: () => decide("ungroup"), x: () => decide("exclude"), r: () => decide("right"), u: undo, s: likeThis,
  a: all, m: toMap, Escape: back, Enter: () => enlarge(cursor), " ": () => { toggle(grid.order[cursor]); move(cursor + 1); },
  "/": () => at("text").focus(),
};
const steps = { ArrowLeft: () => -1, ArrowRight: () => 1, ArrowUp: () => -grid.across, ArrowDown: () => grid.across,
  PageUp: () => -4 * grid.across, PageDown: () => 4 * grid.across, Home: () => -cursor, End: () => grid.order.length };

document.addEventListener("keydown", (event) => {
  if (!about || event.target.matches("input, select") || document.querySelector("dialog[open]") || event.ctrlKey || event.metaKey || event.altKey) return;
  const pressing = event.target.matches("button, a");
  const step = steps[event.key], digit = classOf(event.key);
  if (step) {
    const next = Math.max(0, Math.min(grid.order.length - 1, cursor + step()));
    if (event.shiftKey) choose(next); else anchor = next;
    move(next);
  } else if (digit) decide("label", digit.name);
  else if (typed[event.key] && !(pressing && ["Enter", " "].includes(event.key))) typed[event.key]();
  else return;
  event.preventDefault();
});

// Enter and Space are keys of the images again once a button was clicked.
document.addEventListener("click", (event) => event.target.closest("header button, #filters button") && at("grid").focus());
let typing;
at("text").addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(search, 200); });
at("choices").addEventListener("change", search);
at("sort").addEventListener("change", search);
at("descending").addEventListener("click", () => {
  const button = at("descending"), down = button.getAttribute("aria-pressed") !== "true";
  button.setAttribute("aria-pressed", down);
  button.textContent = down ? "↓" : "↑";
  search();
});
at("all").addEventListener("click", all);
at("showmap").addEventListener("click", toMap);
at("method").addEventListener("change", draw);
at("clear").addEventListener("click", () => { for (const select of at("choices").querySelectorAll("select")) select.value = ""; at("text").value = ""; onMap = null; search(); });
at("near").addEventListener("click", doing(async () => {
  about = { ...await patiently("near", {}, "searching near-duplicates…"), entries: about.entries };
  controls();
  say(about.untold || "near-duplicates are searched: see the filter and the order");
}));
at("novelty").addEventListener("click", doing(async () => {
  about = { ...await patiently("novelty", {}, "comparing images…"), entries: about.entries };
  controls();
  at("sort").value = "novelty";
  await search();
  say("sorted by novelty: the images most unlike those of the training first");
}));
at("large").addEventListener("click", () => at("large").close());
at("close").addEventListener("click", doing(async () => { await ask("close"); clearInterval(timer); say("closed: all decisions are kept"); document.body.inert = true; }));

about = await ask("about");
document.title = `review of ${about.dataset}`;
at("dataset").textContent = [about.dataset, ...about.runs].join(" · ");
controls();
await search();
at("grid").focus();
const timer = setInterval(news, NEWS_MS);
