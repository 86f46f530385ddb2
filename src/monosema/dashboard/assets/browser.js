// Keys, the tooltip, the theme. Every page is complete without it.

const root = document.documentElement;
const tip = document.getElementById("tip");
const said = document.getElementById("said");
const one = (selector, from = document) => from.querySelector(selector);
const all = (selector, from = document) => [...from.querySelectorAll(selector)];
const typing = (element) => element.matches("input, select, textarea, [contenteditable]");
const say = (text) => { said.textContent = text; };

function keep(key, value) {
  try {
    localStorage.setItem(`monosema ${key}`, value);
  } catch {
    // Storage is refused: the choice holds for this page.
  }
}

// Light and dark: the system's choice until the button is pressed.
one("#theme").addEventListener("click", () => {
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  keep("theme", root.dataset.theme);
  document.dispatchEvent(new Event("themechange"));
});

// Which effect is underlined.
const EFFECTS = ["total", "direct", "none"];

function choose(effect) {
  root.dataset.effect = effect;
  keep("effect", effect);
  for (const button of all("[data-choose]")) button.setAttribute("aria-pressed", String(button.dataset.choose === effect));
  say(`underlined: ${effect}`);
}

for (const button of all("[data-choose]")) {
  button.setAttribute("aria-pressed", String(button.dataset.choose === root.dataset.effect));
  button.addEventListener("click", () => choose(button.dataset.choose));
}

// What a token says. What hover shows, focus shows too.
function lines(target) {
  if (target.dataset.says) return [target.dataset.says];
  const { a, t, d, i } = target.dataset;
  const said = [`activation ${a} · token ${i}`];
  const effects = [t && `total ${t}`, d && `direct ${d}`].filter(Boolean).join(", ");
  if (effects) said.push(`removing the feature changes the loss here by ${effects} (10⁻³ nats)`);
  const line = target.closest("[data-p]");
  if (line && target.classList.contains("chosen")) {
    said.push(`P of the next token: ${line.dataset.p} without the feature`);
    if (line.dataset.up) said.push(`more likely without: ${line.dataset.up}`);
    if (line.dataset.down) said.push(`less likely without: ${line.dataset.down}`);
  }
  return said;
}

function show(target) {
  tip.replaceChildren(...lines(target).map((text) => Object.assign(document.createElement("span"), { textContent: text })));
  tip.hidden = false;
  const at = target.getBoundingClientRect();
  const own = tip.getBoundingClientRect();
  const left = Math.min(Math.max(8, at.left + at.width / 2 - own.width / 2), root.clientWidth - own.width - 8);
  const above = at.top - own.height - 8;
  tip.style.left = `${left}px`;
  tip.style.top = `${above > 4 ? above : at.bottom + 8}px`;
}

const SAYING = ".lines .k, [data-says]";
for (const [enter, leave] of [["pointerover", "pointerout"], ["focusin", "focusout"]]) {
  document.addEventListener(enter, (event) => {
    const target = event.target.closest(SAYING);
    if (!target) return;
    show(target);
    if (enter === "focusin") target.setAttribute("aria-describedby", "tip");
  });
  document.addEventListener(leave, (event) => {
    if (event.target.closest(SAYING)) tip.hidden = true;
  });
}
addEventListener("scroll", () => { tip.hidden = true; }, { passive: true });

// Arrows step through the tokens of a line; Tab enters each line only once.
for (const around of all("[data-rove]")) {
  const members = all(around.dataset.rove, around);
  for (const member of members) member.tabIndex = -1;
  const first = members.find((member) => member.classList.contains("chosen")) || members[0];
  if (first) first.tabIndex = 0;
}

function step(from, by) {
  const around = from.closest("[data-rove]");
  const members = all(around.dataset.rove, around);
  const to = members[members.indexOf(from) + by];
  if (!to) return;
  from.tabIndex = -1;
  to.tabIndex = 0;
  to.focus();
}

// j and k: the next row of a list, or the next feature when one is open.
function turn(by) {
  const rows = all(".row-link");
  const link = one(by > 0 ? 'a[rel="next"]' : 'a[rel="prev"]');
  if (!rows.length || one("body.feature, body.review")) {
    if (link) link.click();
    else say(by > 0 ? "this is the last" : "this is the first");
    return;
  }
  const at = rows.indexOf(document.activeElement);
  const to = rows[at < 0 ? 0 : at + by];
  if (to) to.focus();
  else if (link && at >= 0) link.click();
}

function focus(selector) {
  const field = one(selector);
  if (!field) return false;
  field.focus();
  if (field.select) field.select();
  return true;
}

const help = one("#help");
one("#help-button").addEventListener("click", () => help.showModal());

const KEYS = {
  j: () => turn(1),
  k: () => turn(-1),
  g: () => focus("#go"),
  "/": () => focus("#search") || one("#list-link")?.click(),
  s: () => focus("#sort"),
  l: () => focus("#label"),
  e: () => { if (one("[data-choose]")) choose(EFFECTS[(EFFECTS.indexOf(root.dataset.effect) + 1) % EFFECTS.length]); },
  "?": () => help.showModal(),
};
const BY = { ArrowLeft: -1, ArrowRight: 1 };

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") {
    tip.hidden = true;
    if (typing(event.target)) event.target.blur();
    return;
  }
  if (typing(event.target) || help.open) return;
  if (event.key in BY && event.target.closest("[data-rove]") && event.target.matches(".k, a")) {
    step(event.target, BY[event.key]);
    event.preventDefault();
  } else if (event.key in KEYS) {
    KEYS[event.key]();
    event.preventDefault();
  } else if (/^[1-5]$/.test(event.key)) {
    one(`#rating button[value="${event.key}"]`)?.click();
  }
});

// In the review queue Enter in the field saves nothing by itself: a rating does.
one("#rating")?.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && event.target.matches("input")) {
    event.preventDefault();
    event.target.blur();
    say("now rate from 1 to 5");
  }
});

// Filters: what has its default is left out of the address. A select sorts at once.
const filters = one("#filters");
if (filters) {
  const defaults = { kind: "all", labelled: "any", sort: "-importance", size: "50" };
  filters.addEventListener("submit", () => {
    for (const field of filters.elements) {
      if (field.name && (field.value === "" || defaults[field.name] === field.value)) field.disabled = true;
    }
  });
  filters.addEventListener("change", (event) => {
    if (event.target.matches("select")) filters.requestSubmit();
  });
  addEventListener("pageshow", () => {
    for (const field of filters.elements) field.disabled = false;
  });
}

// The rater's name is remembered on this machine.
for (const field of all("[data-remember]")) {
  try {
    field.value = localStorage.getItem(`monosema ${field.dataset.remember}`) || field.value;
  } catch {
    // Storage is refused: the name is typed again.
  }
  field.addEventListener("change", () => keep(field.dataset.remember, field.value));
}
