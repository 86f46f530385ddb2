// Reading aids for a page that is complete without them: numbers on hover and focus, tabs, j and k.

const root = document.documentElement;
const tip = document.getElementById("tip");
const said = document.getElementById("said");
const visible = (element) => element.getClientRects().length > 0;

root.classList.add("js");

// Light and dark: the system's choice until the button is pressed.
const theme = document.getElementById("theme");
theme.hidden = false;
theme.addEventListener("click", () => {
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
});

// What a token or a mark says. One tooltip for all: what hover shows, focus shows too.
function words(target) {
  if (target.matches("mark")) {
    const most = target.closest(".card").dataset.max;
    return `activation ${target.dataset.a} of at most ${most} · token ${target.dataset.i}`;
  }
  return target.getAttribute("aria-label");
}

function show(target) {
  tip.textContent = words(target);
  tip.hidden = false;
  const at = target.getBoundingClientRect();
  const own = tip.getBoundingClientRect();
  const left = Math.min(Math.max(8, at.left + at.width / 2 - own.width / 2), root.clientWidth - own.width - 8);
  const above = at.top - own.height - 8;
  tip.style.left = `${left}px`;
  tip.style.top = `${above > 4 ? above : at.bottom + 8}px`;
}

function hide() {
  tip.hidden = true;
}

const SAYING = "mark, .mark";
for (const [enter, leave] of [["pointerover", "pointerout"], ["focusin", "focusout"]]) {
  document.addEventListener(enter, (event) => {
    const target = event.target.closest(SAYING);
    if (!target) return;
    show(target);
    if (enter === "focusin") target.setAttribute("aria-describedby", "tip");
  });
  document.addEventListener(leave, (event) => {
    if (event.target.closest(SAYING)) hide();
  });
}
addEventListener("scroll", hide, { passive: true });

// Arrow keys step through the tokens of a card or the marks of a plot; Tab enters each only once.
function group(element) {
  const around = element.closest("[data-rove]");
  return around ? [...around.querySelectorAll(around.dataset.rove || ".mark")].filter(visible) : [];
}

function step(from, by) {
  const members = group(from);
  const to = members[Math.min(members.length - 1, Math.max(0, members.indexOf(from) + by))];
  if (!to || to === from) return;
  from.tabIndex = -1;
  to.tabIndex = 0;
  to.focus();
}

for (const card of document.querySelectorAll(".card")) {
  const first = card.querySelector("mark");
  if (first) first.tabIndex = 0;
}

// Tabs: one dictionary at a time.
const tabs = [...document.querySelectorAll("[role=tab]")];
const panelOf = (tab) => document.getElementById(tab.getAttribute("aria-controls"));

function select(tab) {
  for (const other of tabs) {
    const chosen = other === tab;
    other.setAttribute("aria-selected", String(chosen));
    other.tabIndex = chosen ? 0 : -1;
    panelOf(other).hidden = !chosen;
  }
}

if (tabs.length) {
  tabs[0].parentElement.hidden = false;
  select(tabs[0]);
  for (const tab of tabs) tab.addEventListener("click", () => select(tab));
}

// A link to a feature opens the dictionary it is in.
function follow() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const panel = target && target.closest(".panel");
  if (!panel) return;
  select(tabs.find((tab) => panelOf(tab) === panel));
  target.scrollIntoView();
  target.focus({ preventScroll: true });
}
addEventListener("hashchange", follow);
follow();

// j and k: the next card and the one before, from wherever the reader is.
function turn(by) {
  const cards = [...document.querySelectorAll(".card")].filter(visible);
  if (!cards.length) return;
  const here = document.activeElement.closest(".card");
  const nearest = cards.findIndex((card) => card.getBoundingClientRect().bottom > 80);
  const from = here ? cards.indexOf(here) : (nearest < 0 ? cards.length : nearest) - (by > 0 ? 1 : 0);
  const card = cards[Math.min(cards.length - 1, Math.max(0, from + by))];
  card.scrollIntoView({ block: "start" });
  card.focus({ preventScroll: true });
  said.textContent = `feature ${cards.indexOf(card) + 1} of ${cards.length}`;
}

const BY = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 };
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "j" || event.key === "k") turn(event.key === "j" ? 1 : -1);
  else if (event.key === "Escape") hide();
  else if (event.key in BY && event.target.matches("[role=tab]")) {
    const to = tabs[(tabs.indexOf(event.target) + BY[event.key] + tabs.length) % tabs.length];
    select(to);
    to.focus();
    event.preventDefault();
  } else if (event.key in BY && event.target.matches(SAYING)) {
    step(event.target, BY[event.key]);
    event.preventDefault();
  }
});
