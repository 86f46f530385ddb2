// A file that carries its own tables: unpacks what is opened, and writes it as text, never as markup.

const LEVELS = 500;
const EFFECTS = 120;
const NOT_MEASURED = -32768;
const SHADES = 8;
const WIDTHS = [0.08, 0.3, 0.65];
const KINDS = { decoder: "Decoder cosine", encoder: "Encoder cosine", coactivation: "Fires together", logit: "Logit cosine" };
const root = document.documentElement;
const article = document.getElementById("feature");
const list = document.getElementById("list");
const search = document.getElementById("search");
const tip = document.getElementById("tip");

function element(tag, css, ...inside) {
  const made = document.createElement(tag);
  if (css) made.className = css;
  made.append(...inside.filter((part) => part !== null && part !== ""));
  return made;
}

// A block: base64 -> gzip -> length, JSON, columns.
async function unpacked(id) {
  const bytes = Uint8Array.from(atob(document.getElementById(id).textContent), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const data = await new Response(stream).arrayBuffer();
  const length = new DataView(data).getUint32(0, true);
  const value = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, length)));
  const rest = data.slice(4 + length);
  const n = rest.byteLength / 10;
  const column = (kind, i) => new kind(rest, 2 * n * i, n);
  return { value, low: column(Uint16Array, 0), high: column(Uint16Array, 1), acts: column(Int16Array, 2), total: column(Int16Array, 3), direct: column(Int16Array, 4) };
}

const opened = new Map();
function chunk(number) {
  if (!opened.has(number)) opened.set(number, unpacked(`chunk${number}`).then(placed));
  return opened.get(number);
}

// Where each feature's windows begin in the columns.
function placed(block) {
  let start = 0;
  for (const feature of block.value) {
    feature.starts = feature.windows.map(([width]) => {
      const own = start;
      start += width;
      return own;
    });
  }
  return block;
}

const index = (await unpacked("index")).value;
const words = (await unpacked("vocabulary")).value;
const order = new Map(index.rows.map((row, i) => [row[0], i]));

function signed(value) {
  const text = Math.abs(value) >= 1000 ? Math.round(Math.abs(value)).toLocaleString("en") : String(Number(Math.abs(value).toPrecision(2)));
  return value > 0 ? `+${text}` : value < 0 ? `−${text}` : "0";
}

function width(value, letter) {
  if (value === NOT_MEASURED) return "";
  const n = WIDTHS.filter((share) => Math.abs(value) >= share * EFFECTS).length;
  return n ? `${letter}${value > 0 ? "h" : "x"}${n}` : "";
}

function pieces(block, feature, number, from, to) {
  const [, at] = feature.windows[number];
  const start = feature.starts[number];
  const made = [];
  let text = "";
  let first = from;
  for (let i = from; i < to; i += 1) {
    text += words[block.low[start + i] + 65536 * block.high[start + i]];
    if (words[block.low[start + i] + 65536 * block.high[start + i]] === "" && i + 1 < to) continue;
    const span = [...Array(i + 1 - first).keys()].map((k) => start + first + k);
    const act = Math.max(...span.map((k) => block.acts[k]));
    const effects = ["total", "direct"].map((name) => {
      const known = span.map((k) => block[name][k]).filter((v) => v !== NOT_MEASURED);
      return known.length ? known.reduce((a, b) => a + b) : NOT_MEASURED;
    });
    const chosen = first <= at && at <= i;
    const css = [act > 0 ? `a${Math.max(1, Math.ceil((SHADES * act) / LEVELS))}` : "", width(effects[0], "t"), width(effects[1], "d"), chosen ? "chosen" : ""].filter(Boolean);
    if (css.length) {
      const token = element("span", `k ${css.join(" ")}`, text || "⟨…⟩");
      token.tabIndex = -1;
      token.says = [`activation ${Number(((act / LEVELS) * feature.largest).toPrecision(3))}`];
      const said = ["total", "direct"].flatMap((name, e) => (effects[e] === NOT_MEASURED ? [] : [`${name} ${signed((effects[e] / EFFECTS) * feature.scale * 1000)}`]));
      if (said.length) token.says.push(`removing the feature changes the loss here by ${said.join(", ")} (10⁻³ nats)`);
      const [, , , , , pWith, pWithout] = feature.windows[number];
      if (chosen && pWith !== undefined) token.says.push(`P of the next token: ${(100 * pWith).toPrecision(2)}% → ${(100 * pWithout).toPrecision(2)}% without the feature`);
      made.push(token);
    } else {
      made.push(text);
    }
    text = "";
    first = i + 1;
  }
  return made;
}

function line(block, feature, number) {
  const [n, at, name, , act] = feature.windows[number];
  let split = at;
  const start = feature.starts[number];
  while (split > 0 && words[block.low[start + split - 1] + 65536 * block.high[start + split - 1]] === "") split -= 1;
  const left = element("span", "left", element("span", "", ...pieces(block, feature, number, 0, split)));
  const rest = element("span", "rest", ...pieces(block, feature, number, split, n));
  const text = element("span", "text", left, rest);
  text.dir = "ltr";
  const made = element("li", "", element("span", "a", String(act)), text, element("span", "where", words[name]));
  const first = made.querySelector(".chosen") || made.querySelector(".k");
  if (first) first.tabIndex = 0;
  return made;
}

function chart(counts, says) {
  const NS = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(NS, "svg");
  const path = document.createElementNS(NS, "path");
  const most = Math.max(...counts, 1);
  const step = 236 / counts.length;
  path.setAttribute("d", counts.map((c, i) => (c ? `M${i * step} 44v-${Math.max(1, (c / most) * 44)}h${step - 0.5}v${Math.max(1, (c / most) * 44)}z` : "")).join(""));
  svg.setAttribute("viewBox", "0 0 236 44");
  svg.setAttribute("class", "bars");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", says);
  svg.append(path);
  return svg;
}

function facts(pairs) {
  return element("dl", "facts", ...pairs.map(([name, value, note]) => element("div", "", element("dt", "", name), element("dd", "", value), note ? element("dd", "sub", note) : "")));
}

function aside(feature) {
  const made = element("div", "");
  if (feature.acts.length) {
    const [counts, low, high] = feature.acts;
    made.append(element("h2", "", "Activations"), chart(counts, "activations, even in the logarithm"), element("p", "ends", element("span", "", Number(low.toPrecision(3)).toString()), element("span", "", Number(high.toPrecision(3)).toString())));
  }
  const [up, down] = feature.logits;
  if (up.length) {
    const side = (title, tokens) => element("div", "", element("h3", "", title), element("ol", "logit", ...tokens.map(([text, effect]) => element("li", "", element("code", "", text), element("span", "", effect)))));
    made.append(element("h2", "", "Logits"), element("div", "two", side("raises", up), side("lowers", down)));
  }
  for (const [key, title] of Object.entries(KINDS)) {
    const members = feature.near.filter(([kind]) => kind === key);
    if (!members.length) continue;
    made.append(element("h3", "", title), element("ol", "near", ...members.map(([, dictionary, number, value]) => {
      const link = element(!dictionary && order.has(number) ? "a" : "span", "", String(number));
      if (link.tagName === "A") link.href = `#${number}`;
      return element("li", "", link, element("span", "floor", dictionary || (order.has(number) ? index.rows[order.get(number)][1] : "")), element("span", "", value.toFixed(2)));
    })));
  }
  return made;
}

async function open(number) {
  const at = order.get(number);
  if (at === undefined) {
    article.replaceChildren(element("p", "missing", `This file has no feature ${number}.`));
    return;
  }
  const block = await chunk(Math.floor(at / index.chunk));
  const feature = block.value[at % index.chunk];
  const [, says, labelled, token, frequency] = index.rows[at];
  const examples = element("div", "", element("h2", "", "Examples"));
  feature.groups.forEach(([title, note], g) => {
    if (!feature.members[g].length) return;
    examples.append(element("section", "group", element("h3", "", title, element("span", "sub", ` ${note}`)), element("ol", "lines", ...feature.members[g].map((n) => line(block, feature, n)))));
  });
  if (!feature.groups.length) examples.append(element("p", "missing", "There are no examples."));
  const effects = element("dl", "effects-table", ...feature.effects.map(([name, value, error, note, css]) => element("div", css, element("dt", "", name), element("dd", "", element("span", "value", value), error ? element("span", "error", ` ±${error}`) : ""), element("dd", "sub", note))));
  article.replaceChildren(
    element("h1", "", element("span", "hash", "feature "), String(number)),
    element("p", labelled ? "headline" : "headline floor", says),
    feature.says ? element("p", "notice", feature.says) : "",
    facts([...(token ? [["fires most on", token, `${frequency} of tokens`]] : []), ...feature.stats]),
    element("h2", "", "What it does to the loss", element("span", "sub", " mean rise when it is removed, 10⁻³ nats a token; above zero it helps")),
    effects,
    element("div", "columns", examples, aside(feature)),
  );
  for (const link of list.querySelectorAll("a")) link.toggleAttribute("aria-current", link.hash === `#${number}`);
}

// The list: what matches, at most SHOWN of it.
const SHOWN = 500;
let matching = index.rows;
function fill() {
  const wanted = search.value.trim().toLowerCase();
  matching = index.rows.filter(([number, says, , token]) => !wanted || String(number) === wanted || says.toLowerCase().includes(wanted) || token.toLowerCase().includes(wanted));
  list.replaceChildren(...matching.slice(0, SHOWN).map(([number, says, labelled, , , importance, state]) => {
    const link = element("a", "", element("span", "", String(number)), element("span", labelled ? "label" : "floor", state ? `${state}: ` : "", says), element("span", "", importance));
    link.href = `#${number}`;
    return element("li", "", link);
  }));
  const cut = matching.length > SHOWN ? `, the first ${SHOWN} listed` : "";
  document.getElementById("count").textContent = `${matching.length.toLocaleString("en")} features${cut}; importance in 10⁻³ nats a token`;
}

const here = () => Number(location.hash.slice(1) || index.rows[0][0]);
search.addEventListener("input", fill);
addEventListener("hashchange", () => { open(here()).then(() => scrollTo(0, 0)); });
fill();
await open(here());

function turn(by) {
  const at = matching.findIndex(([number]) => number === here()) + by;
  if (matching[at]) location.hash = String(matching[at][0]);
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target === search) {
    if (event.key === "Escape" || event.key === "Enter") search.blur();
  } else if (event.key === "j" || event.key === "k") {
    turn(event.key === "j" ? 1 : -1);
  } else if (event.key === "/") {
    event.preventDefault();
    search.focus();
  } else if ((event.key === "ArrowLeft" || event.key === "ArrowRight") && event.target.matches(".k")) {
    const tokens = [...event.target.closest("li").querySelectorAll(".k")];
    const to = tokens[tokens.indexOf(event.target) + (event.key === "ArrowRight" ? 1 : -1)];
    if (to) to.focus();
    event.preventDefault();
  }
});

function show(target) {
  tip.replaceChildren(...target.says.map((text) => element("span", "", text)));
  tip.hidden = false;
  const at = target.getBoundingClientRect();
  const own = tip.getBoundingClientRect();
  tip.style.left = `${Math.min(Math.max(8, at.left + at.width / 2 - own.width / 2), root.clientWidth - own.width - 8)}px`;
  tip.style.top = `${at.top - own.height - 8 > 4 ? at.top - own.height - 8 : at.bottom + 8}px`;
}

for (const [enter, leave] of [["pointerover", "pointerout"], ["focusin", "focusout"]]) {
  document.addEventListener(enter, (event) => { if (event.target.says) show(event.target); });
  document.addEventListener(leave, () => { tip.hidden = true; });
}

document.getElementById("theme").addEventListener("click", () => {
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
});
