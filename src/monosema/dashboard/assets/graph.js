
// The graph: pruned by sliders, a node's edges in tables, pins and groups in the address. The page has all of its
// nodes without this.
const drawing = document.getElementById("drawing");
const byId = (id) => document.getElementById(id);
const marks = new Map([...drawing.querySelectorAll(".nodes .mark")].map((mark) => [mark.dataset.i, mark]));
const named = new Map([...marks.values()].map((mark) => [mark.dataset.name, mark]));
const edges = [...drawing.querySelectorAll(".edges .edge")];
const labels = (mark) => mark.getAttribute("aria-label");
const brief = (mark) => `${mark.dataset.name} · ${labels(mark).replace(/, influence.*$/, "")}`;
const sliders = { nodes: byId("prune-nodes"), edges: byId("prune-edges") };
let pins = [];
let groups = [];
let looked = null;

for (const part of document.querySelectorAll(".prune, .looked, .hint")) part.hidden = false;

const signed = (weight) => (weight > 0 ? "+" : "\u2212") + Math.abs(weight).toPrecision(3);
const shown = (element) => !element.classList.contains("gone");

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

// What the sliders leave: the most influential nodes, and the edges between them that carry most.
function prune() {
  const least = Object.fromEntries(Object.entries(sliders).map(([name, slider]) => [name, Number(slider.value) / 100]));
  const few = (share, most) => most < 1 && Number(share) > most;
  for (const mark of marks.values()) mark.classList.toggle("gone", few(mark.dataset.share, least.nodes) && !pins.includes(mark));
  for (const edge of edges) {
    const ends = shown(marks.get(edge.dataset.s)) && shown(marks.get(edge.dataset.t));
    edge.classList.toggle("gone", !ends || few(edge.dataset.share, least.edges));
  }
  for (const [name, slider] of Object.entries(sliders)) byId(`kept-${name}`).textContent = `${slider.value}%`;
  byId("counts").textContent = `${[...marks.values()].filter(shown).length} nodes, ${edges.filter(shown).length} edges`;
  const here = document.activeElement;
  const stops = [...marks.values()].filter(shown);
  if (!stops.some((mark) => mark.tabIndex === 0)) for (const mark of marks.values()) mark.tabIndex = mark === stops[0] ? 0 : -1;
  if (looked && !shown(looked) && looked !== here) clear();
  else if (looked) look(looked);
}

function rows(body, found, other) {
  found.sort((a, b) => Math.abs(b.dataset.w) - Math.abs(a.dataset.w));
  body.replaceChildren(...found.map((edge) => {
    const mark = marks.get(edge.dataset[other]);
    const jump = button(brief(mark), () => mark.focus(), `Go to ${labels(mark)}`);
    return made("tr", "", [made("td", "", [jump]), made("td", signed(Number(edge.dataset.w)))]);
  }));
}

function look(mark) {
  looked = mark;
  const visible = edges.filter(shown);
  const into = visible.filter((edge) => edge.dataset.t === mark.dataset.i);
  const out = visible.filter((edge) => edge.dataset.s === mark.dataset.i);
  const lit = new Set([mark, ...into, ...out, ...into.map((e) => marks.get(e.dataset.s)), ...out.map((e) => marks.get(e.dataset.t))]);
  for (const element of [...edges, ...marks.values()]) element.classList.toggle("lit", lit.has(element));
  drawing.classList.add("near");
  byId("looked-title").textContent = `${mark.dataset.name}: ${labels(mark)}`;
  byId("n-in").textContent = `${into.length} edges`;
  byId("n-out").textContent = `${out.length} edges`;
  rows(byId("edges-in"), into, "s");
  rows(byId("edges-out"), out, "t");
  const context = document.querySelector(`.context[data-of="${mark.dataset.i}"] ol`);
  byId("contexts").replaceChildren(...(context ? [context.cloneNode(true)] : []));
}

function clear() {
  looked = null;
  drawing.classList.remove("near");
  for (const element of [...edges, ...marks.values()]) element.classList.remove("lit");
}

// Pins and groups: what the address says, the drawing shows.
function pin(mark) {
  pins = pins.includes(mark) ? pins.filter((other) => other !== mark) : [...pins, mark];
  keep();
}

function keep() {
  const address = new URLSearchParams();
  if (pins.length) address.set("pins", pins.map((mark) => mark.dataset.name).join(","));
  for (const group of groups) address.append("group", [group.name, ...group.members.map((mark) => mark.dataset.name)].join(","));
  for (const [name, slider] of Object.entries(sliders)) if (slider.value !== "100") address.set(name, slider.value);
  history.replaceState(null, "", `#${address}`);
  draw();
}

function read() {
  const address = new URLSearchParams(location.hash.slice(1));
  const known = (names) => names.map((name) => named.get(name)).filter(Boolean);
  pins = known((address.get("pins") || "").split(","));
  groups = address.getAll("group").map((text) => {
    const [name, ...members] = text.split(",");
    return { name, members: known(members) };
  }).filter((group) => group.members.length);
  for (const [name, slider] of Object.entries(sliders)) slider.value = address.get(name) || "100";
  draw();
}

function draw() {
  const inside = new Set(groups.flatMap((group) => group.members));
  for (const mark of marks.values()) {
    mark.setAttribute("aria-pressed", String(pins.includes(mark)));
    mark.classList.toggle("grouped", inside.has(mark));
  }
  const loose = pins.filter((mark) => !inside.has(mark));
  byId("pinned").replaceChildren(...loose.map((mark) => made("li", "", [
    made("span", brief(mark)), button("Unpin", () => pin(mark), `Unpin ${mark.dataset.name}`),
  ])));
  byId("groups").replaceChildren(...groups.map((group) => made("li", "", [
    made("span", `${group.name}: ${group.members.map((mark) => mark.dataset.name).join(", ")}`),
    button("Ungroup", () => {
      groups = groups.filter((other) => other !== group);
      keep();
    }, `Ungroup ${group.name}`),
  ])));
  const parts = [...groups, ...loose.map((mark) => ({ name: mark.dataset.name, members: [mark] }))];
  const sums = parts.flatMap((from) => parts.map((to) => ({ from, to, weight: between(from, to) })));
  byId("between").replaceChildren(...sums.filter(({ weight }) => weight).map(({ from, to, weight }) => (
    made("tr", "", [made("td", from.name), made("td", to.name), made("td", signed(weight))])
  )));
  prune();
}

function between(from, to) {
  if (from === to) return 0;
  const sources = new Set(from.members.map((mark) => mark.dataset.i));
  const targets = new Set(to.members.map((mark) => mark.dataset.i));
  return edges.reduce((sum, { dataset }) => sum + (sources.has(dataset.s) && targets.has(dataset.t) ? Number(dataset.w) : 0), 0);
}

for (const enter of ["pointerover", "focusin"]) {
  drawing.addEventListener(enter, (event) => {
    const mark = event.target.closest(".nodes .mark");
    if (mark) look(mark);
  });
}
drawing.addEventListener("pointerleave", () => {
  if (!drawing.contains(document.activeElement)) clear();
});
drawing.addEventListener("click", (event) => {
  const mark = event.target.closest(".nodes .mark");
  if (mark) pin(mark);
});
drawing.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" && event.key !== " ") return;
  const mark = event.target.closest(".nodes .mark");
  if (!mark) return;
  pin(mark);
  event.preventDefault();
});
for (const slider of Object.values(sliders)) {
  slider.addEventListener("input", prune);
  slider.addEventListener("change", keep);
}
byId("grouping").addEventListener("submit", (event) => {
  event.preventDefault();
  const inside = new Set(groups.flatMap((group) => group.members));
  const members = pins.filter((mark) => !inside.has(mark));
  const name = byId("group-name").value.trim().replaceAll(",", " ");
  if (!members.length || !name) {
    said.textContent = members.length ? "Give the group a name" : "Pin nodes first";
    return;
  }
  groups = [...groups, { name, members }];
  byId("group-name").value = "";
  keep();
});
addEventListener("hashchange", () => {
  if (!location.hash || location.hash.includes("=")) read();
});
if (location.hash.includes("=")) read();
else draw();
