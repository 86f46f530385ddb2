// Faults of a page that a machine can find: contrast below AA, controls without a name, headings, ids, landmarks.
() => {
  const faults = [];
  const visible = (e) => e.checkVisibility({ checkVisibilityCSS: true, checkOpacity: true }) && e.getClientRects().length > 0;
  const where = (e) => `${e.tagName.toLowerCase()}${e.className && e.className.baseVal === undefined ? "." + e.className : ""} "${(e.textContent || "").trim().slice(0, 30)}"`;

  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const parsed = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, under) => [0, 1, 2].map((i) => top[i] * top[3] + under[i] * (1 - top[3])).concat(1);
  const ground = (e) => {
    const layers = [];
    for (let at = e; at; at = at.parentElement) layers.push(parsed(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((under, top) => over(top, under), [255, 255, 255, 1]);
  };
  const luminance = (c) => {
    const [r, g, b] = c.slice(0, 3).map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (a, b) => {
    const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x);
    return (high + 0.05) / (low + 0.05);
  };

  const seen = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || seen.has(e) || e.closest("svg, script, style, .unseen, option") || !visible(e)) continue;
    seen.add(e);
    const style = getComputedStyle(e);
    const under = ground(e);
    let opacity = 1;
    for (let at = e; at; at = at.parentElement) opacity *= Number(getComputedStyle(at).opacity);
    const ink = parsed(style.color);
    const ratio = contrast(over([...ink.slice(0, 3), ink[3] * opacity], under), under);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) faults.push(`contrast ${ratio.toFixed(2)} of ${where(e)}`);
  }

  const named = (e) => (e.getAttribute("aria-label") || "").trim() || [...(e.labels || [])].some((l) => l.textContent.trim())
    || (e.getAttribute("aria-labelledby") && document.getElementById(e.getAttribute("aria-labelledby")))
    || (!e.matches("input, select, textarea, img") && e.textContent.trim()) || (e.getAttribute("alt") || "").trim();
  for (const e of document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary, img, [role=img], canvas, [role=region], [tabindex='0']")) {
    if (visible(e) && !named(e)) faults.push(`no name: ${where(e)}`);
  }
  for (const e of document.querySelectorAll("input:not([type=hidden]), select, textarea")) {
    const style = getComputedStyle(e);
    if (visible(e) && contrast(parsed(style.borderTopColor), ground(e.parentElement)) < 3) faults.push(`contrast of the border of ${where(e)}`);
  }
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  for (const id of new Set(ids.filter((id, i) => ids.indexOf(id) !== i))) faults.push(`id twice: ${id}`);
  const headings = [...document.querySelectorAll("h1, h2, h3, h4, h5, h6")].filter((e) => visible(e) || e.classList.contains("unseen"));
  if (headings.filter((e) => e.tagName === "H1").length !== 1) faults.push("there is not one h1");
  headings.forEach((e, i) => {
    if (i && Number(e.tagName[1]) > Number(headings[i - 1].tagName[1]) + 1) faults.push(`heading skips a level: ${where(e)}`);
  });
  if (document.querySelectorAll("main").length !== 1) faults.push("there is not one main");
  if (!document.documentElement.lang) faults.push("no language");
  if (!document.title) faults.push("no title");
  for (const e of document.querySelectorAll("[aria-controls], [aria-labelledby], [aria-describedby]")) {
    for (const name of ["aria-controls", "aria-labelledby", "aria-describedby"]) {
      for (const id of (e.getAttribute(name) || "").split(/\s+/).filter(Boolean)) {
        if (!document.getElementById(id)) faults.push(`${name} names nothing: ${id}`);
      }
    }
  }
  for (const e of document.querySelectorAll("table")) {
    if (!e.querySelector("th[scope]")) faults.push(`table without headings: ${where(e)}`);
  }
  for (const e of document.querySelectorAll("ul, ol")) {
    if ([...e.children].some((child) => child.tagName !== "LI")) faults.push(`list with something else in it: ${where(e)}`);
  }
  return faults;
}
