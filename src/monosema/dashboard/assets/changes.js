// Changing features in the model: what is pinned or grouped can be; what that does stands in tables, and as rings.
const changing = byId("changing");
const form = byId("change");
const isFeature = (node) => node.kind === "feature";
const left = new Set();
let done = null;
let asking = null;

// The parts that can be changed: groups with features, and pinned features; those that were unticked stay so.
function offer() {
  if (!changing) return;
  const parts = [
    ...groups.map((group) => ({ title: group.name, names: group.members.filter(isFeature).map((node) => node.name) })),
    ...pins.filter((node) => !node.group && isFeature(node)).map((node) => ({ title: brief(node), names: [node.name] })),
  ].filter(({ names }) => names.length);
  byId("changeable").replaceChildren(...parts.map(({ title, names }) => {
    const box = Object.assign(document.createElement("input"), { type: "checkbox", checked: !left.has(names.join()), value: names.join() });
    box.addEventListener("change", () => left[box.checked ? "delete" : "add"](box.value));
    const many = names.length > 1 ? `${title}: ${names.length} features` : title;
    return made("li", "", [made("label", "", [box, ` ${many}`])]);
  }));
  if (!parts.length) byId("changeable").replaceChildren(made("li", "Pin a feature first."));
}

function results() {
  byId("changed").hidden = done === null;
  byId("unchange").hidden = done === null;
  if (done) {
    const predicted = ({ predicted: value }) => (value === null ? "not in the graph" : signed(value));
    byId("changed-logits").replaceChildren(...done.logits.map((logit) => (
      row(logit.says, predicted(logit), signed(logit.linear), signed(logit.patterns), signed(logit.free), logit.random.toPrecision(3))
    )));
    byId("changed-findings").replaceChildren(...done.findings.map(({ name, value, control, control_is: is }) => made("div", "", [
      made("dt", name), made("dd", "", [made("span", value), " ", Object.assign(made("span", control), { className: "control", title: is })]),
    ])));
    byId("changed-features").replaceChildren(...done.features.slice(0, 100).map(({ name, before, patterns, free }) => {
      const node = standing(named.get(name));
      return row(button(name, () => node.element.focus(), `Go to ${name}`), signed(before), signed(patterns), signed(free));
    }));
  }
  rings();
}

// A ring around each feature whose pre-activation moves: how far by its width, dashed where it falls.
function rings() {
  for (const ring of drawing.querySelectorAll(".ring")) ring.remove();
  for (const node of nodes) node.moved = "";
  const by = byId("moved-by").value;
  if (!done || !by) return;
  const most = Math.max(...done.features.map((feature) => Math.abs(feature[by])));
  const words = by === "patterns" ? "with patterns held" : "in the free model";
  for (const feature of done.features) {
    const node = named.get(feature.name);
    node.moved = `pre-activation ${signed(feature.before)}, ${signed(feature[by])} ${words}`;
    const share = Math.abs(feature[by]) / most;
    if (!(share > 0.02)) continue;
    const width = [0.1, 0.4].filter((bound) => share > bound).length;
    node.element.prepend(svg("circle", { class: `ring m${width} ${feature[by] < 0 ? "falls" : "rises"}`, r: "8" }));
  }
}

function forget() {
  if (!changing) return;
  done = null;
  byId("change-says").textContent = "";
  results();
}

async function ask() {
  if (!changing) return;
  asking?.abort();
  const own = new AbortController();
  asking = own;
  byId("change-says").textContent = "computing";
  try {
    const body = new URLSearchParams(new FormData(form));
    for (const [key, value] of Object.entries({ features: wanted.names.join(","), how: wanted.how, amount: wanted.amount })) body.set(key, value);
    const answer = await fetch(form.action, { method: "POST", body, signal: own.signal });
    const told = await answer.json();
    if (!answer.ok) throw new Error(told.error);
    done = told;
    byId("change-says").textContent = done.moved.map(({ name, before, after }) => `${name}: ${before.toPrecision(3)} becomes ${after.toPrecision(3)}`).join("; ");
  } catch (error) {
    if (own.signal.aborted) return;
    done = null;
    byId("change-says").textContent = error.message;
  }
  results();
}

if (changing) {
  changing.hidden = false;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const names = [...byId("changeable").querySelectorAll("input:checked")].flatMap((box) => box.value.split(","));
    if (!names.length) {
      byId("change-says").textContent = "Pin a feature, or group some, and tick it.";
      return;
    }
    const { how, amount } = Object.fromEntries(new FormData(form));
    wanted = { how, amount: how === "ablate" ? "0" : amount.trim().replace("\u2212", "-"), names };
    keep();
    ask();
  });
  const amount = form.elements.amount;
  const need = () => { amount.hidden = form.elements.how.value === "ablate"; };
  form.elements.how.addEventListener("change", need);
  need();
  byId("moved-by").addEventListener("change", rings);
  byId("unchange").addEventListener("click", () => {
    wanted = null;
    keep();
    forget();
  });
}
