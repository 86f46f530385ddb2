// The graph: pruned by sliders, a node's edges in tables, pins, groups and changes in the address. The page has all of
// its nodes without this. supernodes.js folds groups, changes.js asks the model, download.js writes the graph.
const drawing = document.getElementById("drawing");
const byId = (id) => document.getElementById(id);
const sliders = { nodes: byId("prune-nodes"), edges: byId("prune-edges") };
let pins = [];
let groups = [];
let looked = null;
let wanted = null;

const nodes = [...drawing.querySelectorAll(".nodes .node")].map((element) => {
  const { name, kind, share } = element.dataset;
  const [x, y] = element.getAttribute("transform").match(/-?[\d.]+/g).map(Number);
  return { element, name, kind, share: Number(share), says: element.getAttribute("aria-label"), x, y, group: null, gone: false, moved: "" };
});
const numbered = new Map(nodes.map((node) => [node.element.dataset.i, node]));
const named = new Map(nodes.map((node) => [node.name, node]));
const edges = [...drawing.querySelectorAll(".edges .edge")].map((element) => {
  const { s, t, w, share } = element.dataset;
  return { element, from: numbered.get(s), to: numbered.get(t), weight: Number(w), share: Number(share), left: true };
});
const contexts = new Map([...document.querySelectorAll(".context")].map((context) => [context.dataset.of, context]));

const tell = (text) => { byId("said").textContent = text; };
const brief = (node) => (node.members ? node.says : `${node.name} · ${node.says.replace(/, influence.*$/, "")}`);
const signed = (weight) => (weight > 0 ? "+" : weight < 0 ? "\u2212" : "") + Math.abs(weight).toPrecision(3);
const shown = (thing) => !thing.element.classList.contains("gone");
const folded = (node) => Boolean(node.group && node.group.box);
// What stands for a node: itself, or the group it is folded into.
const standing = (node) => (folded(node) ? node.group.box : node);
const boxes = () => groups.map((group) => group.box).filter(Boolean);
const standingNodes = () => [...nodes, ...boxes()].filter(shown);
const at = (element) => boxes().find((box) => box.element === element) || numbered.get(element.dataset.i);

for (const part of document.querySelectorAll(".sliders, .looked, .hint, .take")) part.hidden = false;

function made(tag, text, children = []) {
  const element = document.createElement(tag);
  if (text) element.textContent = text;
  element.append(...children);
  return element;
}

function button(text, action, label = text) {
  const element = made("button", text);
  element.type = "button";
  element.setAttribute("aria-label", label);
  element.addEventListener("click", action);
  return element;
}

function row(...cells) {
  return made("tr", "", cells.map((cell) => (cell instanceof Node ? made("td", "", [cell]) : made("td", cell))));
}

// What the sliders leave: the most influential nodes, and the edges between them that carry most. Pins and groups stay.
function prune() {
  const most = Object.fromEntries(Object.entries(sliders).map(([name, slider]) => [name, Number(slider.value) / 100]));
  const few = (share, bound) => bound < 1 && share > bound;
  const pinned = new Set(pins);
  for (const node of nodes) {
    node.gone = few(node.share, most.nodes) && !pinned.has(node) && !node.group;
    node.element.classList.toggle("gone", node.gone || folded(node));
  }
  for (const edge of edges) {
    edge.left = !edge.from.gone && !edge.to.gone && !few(edge.share, most.edges);
    edge.element.classList.toggle("gone", !edge.left || folded(edge.from) || folded(edge.to));
  }
  drawSums();
  for (const [name, slider] of Object.entries(sliders)) byId(`kept-${name}`).textContent = `${slider.value}%`;
  const there = standingNodes();
  byId("counts").textContent = `${there.length} nodes, ${[...edges, ...sums].filter(shown).length} edges`;
  if (!there.some(({ element }) => element.tabIndex === 0)) there.forEach(({ element }, i) => { element.tabIndex = i ? -1 : 0; });
  if (looked && !there.includes(looked)) clear();
  else if (looked) look(looked);
}

// Hover and focus: a node's edges, its contexts, and a tip beside it.
function list(body, found, other) {
  found.sort((a, b) => Math.abs(b.weight) - Math.abs(a.weight));
  body.replaceChildren(...found.map((edge) => {
    const node = edge[other];
    return row(button(brief(node), () => node.element.focus(), `Go to ${node.says}`), signed(edge.weight));
  }));
}

function look(node) {
  looked = node;
  const visible = [...edges, ...sums].filter(shown);
  const into = visible.filter((edge) => edge.to === node);
  const out = visible.filter((edge) => edge.from === node);
  const lit = new Set([node, ...into, ...out, ...into.map((edge) => edge.from), ...out.map((edge) => edge.to)]);
  for (const thing of [...edges, ...sums, ...nodes, ...boxes()]) thing.element.classList.toggle("lit", lit.has(thing));
  drawing.classList.add("near");
  byId("looked-title").textContent = `${node.name}: ${node.says}${node.moved && `; ${node.moved}`}`;
  byId("n-in").textContent = `${into.length} edges`;
  byId("n-out").textContent = `${out.length} edges`;
  list(byId("edges-in"), into, "from");
  list(byId("edges-out"), out, "to");
  const context = contexts.get(node.name);
  byId("contexts").replaceChildren(...(context ? [...context.children].filter((part) => part.matches("ol") || part.querySelector("a")).map((part) => part.cloneNode(true)) : []));
}

function clear() {
  looked = null;
  drawing.classList.remove("near");
  for (const { element } of [...edges, ...sums, ...nodes, ...boxes()]) element.classList.remove("lit");
}

const beside = byId("tip");

function show(node) {
  const lines = [made("span", node.says)];
  if (node.moved) lines.push(made("span", node.moved));
  for (const line of contexts.get(node.name)?.querySelectorAll("li") || []) lines.push(made("span", "", [...line.cloneNode(true).childNodes]));
  for (const line of lines) line.className = "line";
  beside.replaceChildren(...lines);
  beside.hidden = false;
  const around = node.element.getBoundingClientRect();
  const own = beside.getBoundingClientRect();
  const wide = document.documentElement.clientWidth;
  const left = Math.min(Math.max(8, around.left + around.width / 2 - own.width / 2), wide - own.width - 8);
  const above = around.top - own.height - 8;
  beside.style.left = `${left}px`;
  beside.style.top = `${above > 4 ? above : around.bottom + 8}px`;
}

const hide = () => { beside.hidden = true; };

// Pins and groups: what the address says, the drawing shows.
function pin(node) {
  pins = pins.includes(node) ? pins.filter((other) => other !== node) : [...pins, node];
  keep();
}

const coded = (title) => title.replaceAll("%", "%25").replaceAll(",", "%2C");

function decoded(title) {
  try {
    return decodeURIComponent(title);
  } catch {
    return title; // typed by hand, with a % that stands for itself
  }
}
const opening = { pins: JSON.parse(drawing.dataset.pins), groups: JSON.parse(drawing.dataset.groups) };
const opens = opening.pins.length > 0 || opening.groups.length > 0;

function keep() {
  const address = new URLSearchParams();
  if (pins.length || opens) address.set("pins", pins.map((node) => node.name).join(","));
  for (const group of groups) address.append("group", [coded(group.name), ...group.members.map((node) => node.name)].join(","));
  const open = groups.flatMap((group, i) => (group.box ? [] : [i]));
  if (open.length) address.set("open", open.join(","));
  for (const [name, slider] of Object.entries(sliders)) if (slider.value !== "100") address.set(name, slider.value);
  if (wanted) address.set("change", [wanted.how, wanted.amount, ...wanted.names].join(","));
  history.replaceState(null, "", `#${address}`);
  draw();
}

function read() {
  const address = new URLSearchParams(location.hash.slice(1));
  const given = [...address.keys()].length > 0;
  const known = (names) => names.map((name) => named.get(name)).filter(Boolean);
  pins = known(given ? (address.get("pins") || "").split(",") : opening.pins);
  const asked = given ? address.getAll("group").map((text) => text.split(",")).map(([title, ...names]) => [decoded(title), ...names]) : opening.groups;
  const open = (address.get("open") || "").split(",");
  for (const group of groups) dissolve(group);
  groups = [];
  asked.forEach(([name, ...names], i) => {
    const members = known(names).filter((node) => !node.group);
    if (members.length) gather(name, members, !open.includes(String(i)));
  });
  for (const [name, slider] of Object.entries(sliders)) slider.value = address.get(name) || "100";
  const [how, amount, ...names] = (address.get("change") || "").split(",");
  const before = JSON.stringify(wanted);
  wanted = names.length ? { how, amount, names } : null;
  draw();
  if (JSON.stringify(wanted) === before) return;
  if (wanted) ask();
  else forget();
}

function draw() {
  placeBoxes();
  const loose = pins.filter((node) => !node.group);
  for (const node of nodes) {
    node.element.setAttribute("aria-pressed", String(pins.includes(node)));
    node.element.classList.toggle("grouped", Boolean(node.group));
  }
  byId("pinned").replaceChildren(...loose.map((node) => made("li", "", [
    made("span", brief(node)), button("Unpin", () => pin(node), `Unpin ${node.name}`),
  ])));
  byId("groups").replaceChildren(...groups.map(listed));
  const parts = [...groups, ...loose.map((node) => ({ name: node.name, members: [node] }))];
  const pairs = parts.flatMap((from) => parts.map((to) => ({ from, to, weight: between(from, to) })));
  byId("between").replaceChildren(...pairs.filter(({ weight }) => weight).map(({ from, to, weight }) => row(from.name, to.name, signed(weight))));
  offer();
  prune();
}

function between(from, to) {
  if (from === to) return 0;
  const sources = new Set(from.members);
  const targets = new Set(to.members);
  return edges.reduce((sum, edge) => sum + (sources.has(edge.from) && targets.has(edge.to) ? edge.weight : 0), 0);
}

for (const [enter, leave] of [["pointerover", "pointerout"], ["focusin", "focusout"]]) {
  drawing.addEventListener(enter, (event) => {
    const element = event.target.closest(".nodes .node");
    if (!element) return;
    look(at(element));
    show(at(element));
  });
  drawing.addEventListener(leave, (event) => {
    if (event.target.closest(".nodes .node")) hide();
  });
}
addEventListener("scroll", hide, { passive: true });
drawing.addEventListener("pointerleave", () => {
  if (!drawing.contains(document.activeElement)) clear();
});

function press(node) {
  if (node.members) unfold(node.group);
  else pin(node);
}

drawing.addEventListener("click", (event) => {
  const element = event.target.closest(".nodes .node");
  if (element) press(at(element));
});

// Arrows go from node to node: up a token's column, then to the next one; Tab enters the drawing only once.
function step(from, by) {
  const there = [...drawing.querySelectorAll(".nodes .node:not(.gone)")];
  const to = there[Math.min(there.length - 1, Math.max(0, there.indexOf(from) + by))];
  from.tabIndex = -1;
  to.tabIndex = 0;
  to.focus();
}

const BY_ARROW = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 };
drawing.addEventListener("keydown", (event) => {
  const element = event.target.closest(".nodes .node");
  if (!element || event.ctrlKey || event.metaKey || event.altKey) return;
  const node = at(element);
  if (event.key === "Enter" || event.key === " ") press(node);
  else if (event.key in BY_ARROW) step(element, BY_ARROW[event.key]);
  else if (event.key === "f" && node.group && !node.members) fold(node.group);
  else if (event.key === "Escape") hide();
  else return;
  event.preventDefault();
  event.stopPropagation();
});
for (const slider of Object.values(sliders)) {
  slider.addEventListener("input", prune);
  slider.addEventListener("change", keep);
}
addEventListener("hashchange", () => {
  if (!location.hash || location.hash.includes("=")) read();
});
