// Groups. One that is folded is drawn as one node, where there is room for it near its members, with the sums of their
// direct edges into and out of it.
let sums = [];

const svg = (tag, attributes) => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
};

function gather(name, members, isFolded) {
  const group = { name, members, box: null };
  for (const node of members) node.group = group;
  if (isFolded) group.box = boxed(group);
  groups.push(group);
  return group;
}

function dissolve(group) {
  group.box?.element.remove();
  group.box = null;
  for (const node of group.members) node.group = null;
}

function fold(group) {
  group.box = boxed(group);
  keep();
  group.box.element.focus();
}

function unfold(group) {
  group.box.element.remove();
  group.box = null;
  keep();
  group.members[0].element.focus();
}

function boxed(group) {
  const element = svg("g", { class: "node box", role: "button", tabindex: "-1", "aria-expanded": "false" });
  const text = svg("text", { "text-anchor": "middle", y: "4" });
  text.textContent = group.name.length > 24 ? `${group.name.slice(0, 23)}…` : group.name;
  element.append(svg("rect", { class: "around" }), svg("rect", { class: "shape box" }), text);
  const names = group.members.map((node) => node.name).join(", ");
  const says = `group ${group.name}: ${group.members.length} ${group.members.length > 1 ? "nodes" : "node"}, ${names}`;
  element.setAttribute("aria-label", says);
  group.members[0].element.after(element);
  const half = Math.round(text.getComputedTextLength() / 2) + 7;
  for (const [rect, by] of [[element.children[0], 3], [element.children[1], 0]]) {
    for (const [name, value] of Object.entries({ x: -half - by, y: -9 - by, width: 2 * (half + by), height: 2 * (9 + by), rx: 5 + by })) rect.setAttribute(name, value);
  }
  return { element, group, members: group.members, name: group.name, says, half, x: 0, y: 0, moved: "" };
}

// Boxes stand as near as can be to the middle of their members, on no other node, text or box.
function placeBoxes() {
  const { width, height } = drawing.viewBox.baseVal;
  const left = Number(drawing.dataset.left);
  const taken = nodes.filter((node) => !folded(node)).map((node) => [node.x - 9, node.y - 9, node.x + 9, node.y + 9]);
  for (const text of drawing.querySelectorAll(".logittext")) {
    const { x, y, width: wide, height: high } = text.getBBox();
    taken.push([x, y, x + wide, y + high]);
  }
  for (const box of boxes()) {
    const middle = (axis) => box.members.reduce((sum, node) => sum + node[axis], 0) / box.members.length;
    const [cx, cy] = [middle("x"), middle("y")];
    const free = [];
    for (let dx = -192; dx <= 192; dx += 8) for (let dy = -96; dy <= 96; dy += 4) {
      const [x, y] = [cx + dx, cy + dy];
      if (x - box.half >= left && x + box.half <= width - 2 && y >= 12 && y <= height - 36) free.push([dx * dx + 4 * dy * dy, x, y]);
    }
    free.sort((a, b) => a[0] - b[0]);
    const clear = ([, x, y]) => taken.every(([x0, y0, x1, y1]) => x + box.half < x0 || x - box.half > x1 || y + 10 < y0 || y - 10 > y1);
    const [, x, y] = free.find(clear) || [0, cx, cy];
    Object.assign(box, { x, y });
    box.element.setAttribute("transform", `translate(${x.toFixed(1)},${y.toFixed(1)})`);
    taken.push([x - box.half - 3, y - 12, x + box.half + 3, y + 12]);
  }
}

// Edges of folded groups: sums over all direct edges, drawn while the sliders leave one of them.
function drawSums() {
  for (const sum of sums) sum.element.remove();
  const found = new Map(boxes().map((box) => [box, new Map()]));
  for (const edge of edges) {
    const [from, to] = [standing(edge.from), standing(edge.to)];
    if (from === to || !(from.members || to.members)) continue;
    const of = found.get(from.members ? from : to);
    const key = `${from.members ? "to" : "from"} ${from.members && to.members ? groups.indexOf(to.group) : (from.members ? to : from).name}`;
    const sum = of.get(key) || { from, to, weight: 0, left: false };
    of.set(key, { ...sum, weight: sum.weight + edge.weight, left: sum.left || edge.left });
  }
  const largest = Math.max(...edges.map((edge) => Math.abs(edge.weight)));
  sums = [...found.values()].flatMap((of) => [...of.values()]).filter(({ left, from, to }) => left && !from.gone && !to.gone);
  for (const sum of sums) {
    const middle = (sum.from.y + sum.to.y) / 2;
    const width = [0.05, 0.15, 0.35, 0.65].filter((bound) => Math.abs(sum.weight) / largest > bound).length;
    const d = `M${sum.from.x},${sum.from.y}C${sum.from.x},${middle} ${sum.to.x},${middle} ${sum.to.x},${sum.to.y}`;
    sum.element = svg("path", { class: `edge sum w${width} ${sum.weight < 0 ? "minus" : "plus"}`, d });
    drawing.querySelector(".edges").append(sum.element);
  }
}

function listed(group) {
  const turn = group.box ? button("Open", () => unfold(group), `Open ${group.name}`) : button("Fold", () => fold(group), `Fold ${group.name}`);
  const away = button("Ungroup", () => {
    dissolve(group);
    groups = groups.filter((other) => other !== group);
    keep();
  }, `Ungroup ${group.name}`);
  const names = group.members.map((node) => node.name).join(", ");
  return made("li", "", [made("span", `${group.name}: ${names}`), made("span", "", [turn, " ", away])]);
}

byId("grouping").addEventListener("submit", (event) => {
  event.preventDefault();
  const members = pins.filter((node) => !node.group);
  const name = byId("group-name").value.trim();
  if (!members.length || !name) {
    tell(members.length ? "Give the group a name" : "Pin nodes first");
    return;
  }
  gather(name, members, true);
  byId("group-name").value = "";
  keep();
});
