// The prompt: exact effects as they come, marks on the tokens, steering without leaving the page.

const one = (selector, from = document) => from.querySelector(selector);
const all = (selector, from = document) => [...from.querySelectorAll(selector)];
const say = (text) => { one("#said").textContent = text; };

// Exact effects, one feature after the other. Closing the connection stops the computing.
const firing = one("#firing");
const tokens = all(".running button[name=at]");
const plainly = tokens.map((token) => token.className);
const marks = new Map();
let stream = null;

function note(text, state) {
  firing.dataset.state = state;
  one("#progress-note").textContent = text;
  one("#stop").hidden = state !== "running";
  one("#go-on").hidden = state !== "stopped";
}

function received({ row, shown, pieces }) {
  one("#progress").value = row.rank + 1;
  note(`${row.rank + 1} of ${row.n} measured exactly`, "running");
  marks.set(String(row.feature), pieces);
  const line = one(`tr[data-feature="${row.feature}"]`, firing);
  if (!line) return;
  line.classList.remove("waiting");
  line.dataset.total = row.total;
  one(".total", line).classList.add(shown.css || "none");
  one(".total .value", line).textContent = shown.total;
  one(".random", line).textContent = shown.random;
  one(".direct", line).textContent = shown.direct;
  const link = one(".row-link", line);
  link.dataset.note ??= link.dataset.says;
  link.dataset.says = `${link.dataset.note} · ${shown.says}`;
  if (line.matches(":hover, :focus-within")) mark(line);
}

// The events of a stream: blocks of "event: NAME" and "data: JSON" lines with an empty line behind.
async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n\n");
    rest = parts.pop();
    for (const part of parts) {
      const lines = part.split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]);
      const fields = Object.fromEntries(lines);
      yield [fields.event, JSON.parse(fields.data)];
    }
  }
}

async function measure() {
  const stopping = new AbortController();
  stream = stopping;
  one(".measuring").hidden = false;
  note("measuring", "running");
  for (const line of all("tr[data-first]", firing)) if (!marks.has(line.dataset.feature)) line.classList.add("waiting");
  try {
    const response = await fetch(firing.dataset.stream, { signal: stopping.signal });
    if (!response.ok) throw new Error((await response.json()).error);
    for await (const [name, data] of events(response)) {
      if (name === "effect") received(data);
      if (name === "failed") throw new Error(data.error);
      if (name === "end") {
        note(`${data.n} measured exactly`, "done");
        say(`${data.n} features measured exactly`);
        sortable();
      }
    }
  } catch (error) {
    const stopped = stopping.signal.aborted;
    note(stopped ? `stopped: ${marks.size} measured exactly` : error.message, "stopped");
    say(stopped ? "stopped" : error.message);
  } finally {
    stream = null;
    for (const line of all("tr.waiting", firing)) line.classList.remove("waiting");
  }
}

function stop() {
  stream?.abort();
  steering?.abort();
}

// Once all are there, the table can stand in the order of the exact effects; what was not measured comes last.
function byTotal() {
  const total = (line) => ("total" in line.dataset ? Number(line.dataset.total) : -Infinity);
  const body = one("tbody", firing);
  body.append(...all("tr", body).sort((a, b) => total(b) - total(a)));
  for (const heading of all("[aria-sort]", firing)) {
    heading.removeAttribute("aria-sort");
    one("[aria-hidden]", heading)?.remove();
  }
  one("#total-heading").setAttribute("aria-sort", "descending");
  one("#by-total").textContent = "total ↓";
  say("sorted by total");
}

function sortable() {
  one("#total-heading span").hidden = true;
  one("#by-total").hidden = false;
}

// The row under the pointer or with the focus underlines and shades the prompt.
function mark(line) {
  const pieces = marks.get(line.dataset.feature);
  for (const other of all("tr.marked", firing)) other.classList.remove("marked");
  if (!pieces) return;
  line.classList.add("marked");
  tokens.forEach((token, i) => {
    const own = plainly[i].split(" ").filter((name) => !/^[ahx]\d$/.test(name));
    token.className = [...own, ...pieces[i].split(" ").filter(Boolean)].join(" ");
  });
  one("#marked").textContent = `feature ${line.dataset.feature}: activation, and what removing it does to each token`;
}

if (firing) {
  for (const name of ["pointerover", "focusin"]) {
    firing.addEventListener(name, (event) => {
      const line = event.target.closest("tbody tr");
      if (line && !line.classList.contains("marked")) mark(line);
    });
  }
}
if (firing?.dataset.stream) {
  one("#stop").addEventListener("click", stop);
  one("#go-on").addEventListener("click", measure);
  one("#by-total").addEventListener("click", byTotal);
  addEventListener("pagehide", stop);
  measure();
}

// Steering: the same page is asked for, and its answer put in place, so that the stream goes on.
const steer = one("#steer");
let steering = null;

async function steered(event) {
  event.preventDefault();
  steering?.abort();
  const asked = new AbortController();
  steering = asked;
  const url = `${steer.getAttribute("action")}?${new URLSearchParams(new FormData(steer))}`;
  const place = one("#steered");
  place.setAttribute("aria-busy", "true");
  place.replaceChildren(Object.assign(document.createElement("p"), { className: "sub", textContent: "computing" }));
  try {
    const answer = new DOMParser().parseFromString(await (await fetch(url, { signal: asked.signal })).text(), "text/html");
    const found = one("#steered", answer);
    const problem = one("[role=alert]", answer);
    place.replaceChildren(...(found ? found.childNodes : [problem || "no answer"]));
    if (found) history.replaceState(null, "", url);
  } catch (error) {
    if (steering === asked) place.replaceChildren(asked.signal.aborted ? "stopped" : error.message);
  } finally {
    place.removeAttribute("aria-busy");
    if (steering === asked) steering = null;
  }
}

steer?.addEventListener("submit", steered);

// Keys. A token that was chosen by keyboard keeps the focus on the page that opens.
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !event.target.matches("input, select, textarea")) stop();
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.matches("#text")) one("#prompt").requestSubmit();
});
const FOCUS = "monosema prompt focus";

function remembered(change) {
  try {
    return change(sessionStorage);
  } catch {
    return null; // Storage is refused: the focus begins at the top.
  }
}

one("#tokens")?.addEventListener("submit", (event) => {
  if (event.submitter?.matches(":focus-visible")) remembered((kept) => kept.setItem(FOCUS, "yes"));
});
if (remembered((kept) => kept.getItem(FOCUS))) {
  remembered((kept) => kept.removeItem(FOCUS));
  one(".running .chosen")?.focus();
}
