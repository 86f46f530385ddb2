// All features in a picture. Cells come counted from the server; dragging keeps what is inside, as filters.

const figure = document.getElementById("scatter");
const box = figure.querySelector(".canvas");
const canvas = box.querySelector("canvas");
const brush = document.getElementById("brush");
const note = document.getElementById("scatter-note");
const hint = note.textContent;
const M = { left: 56, right: 12, top: 10, bottom: 26 };
let data = null;

// An axis as values: bent to where it is even, and back.
const BENT = { even: (v) => v, log: (v) => Math.log(v), "signed log": (v, knee) => Math.asinh(v / knee) };
const BACK = { even: (b) => b, log: (b) => Math.exp(b), "signed log": (b, knee) => Math.sinh(b) * knee };

function ends(axis) {
  return [axis.low, axis.high].map((v) => BENT[axis.scale](v, axis.knee));
}

function valueAt(axis, share) {
  const [low, high] = ends(axis);
  return BACK[axis.scale](low + share * (high - low), axis.knee);
}

function shareOf(axis, value) {
  const [low, high] = ends(axis);
  return high > low ? (BENT[axis.scale](value, axis.knee) - low) / (high - low) : 0.5;
}

function written(axis, value) {
  if (axis.column === "frequency" || axis.column.endsWith("share")) return `${Number((100 * value).toPrecision(1))}%`;
  if (axis.column.startsWith("importance") || axis.column === "given_fires" || axis.column === "random_total") {
    return value === 0 ? "0" : `${value > 0 ? "+" : "−"}${Number(Math.abs(1000 * value).toPrecision(1))}`;
  }
  return String(Number(value.toPrecision(2))).replace("-", "−");
}

function ticks(axis) {
  if (axis.low >= axis.high) return [];
  const values = [];
  if (axis.scale === "even") {
    const rough = (axis.high - axis.low) / 5;
    const power = 10 ** Math.floor(Math.log10(rough));
    const stride = power * [1, 2, 5, 10].find((m) => m * power >= rough);
    for (let v = Math.ceil(axis.low / stride) * stride; v <= axis.high; v += stride) values.push(v);
    return values;
  }
  const most = Math.max(Math.abs(axis.low), axis.high);
  for (let d = Math.ceil(Math.log10(most)); d > Math.log10(most) - 12; d -= 1) values.push(10 ** d);
  const all = axis.scale === "log" ? values : [...values.filter((v) => v >= axis.knee / 3), 0, ...values.filter((v) => v >= axis.knee / 3).map((v) => -v)];
  const inside = all.filter((v) => v >= axis.low && v <= axis.high).sort((a, b) => a - b);
  const kept = [];
  for (const v of inside.sort((a, b) => (b === 0) - (a === 0) || Math.abs(b) - Math.abs(a))) {
    if (kept.every((w) => Math.abs(shareOf(axis, v) - shareOf(axis, w)) > 0.085)) kept.push(v);
  }
  return kept;
}

function colours() {
  const style = getComputedStyle(document.documentElement);
  return Object.fromEntries(["accent", "ink", "muted", "faint", "line", "card"].map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}

function place() {
  return { width: box.clientWidth - M.left - M.right, height: box.clientHeight - M.top - M.bottom };
}

function draw() {
  if (!data) return;
  const scale = devicePixelRatio || 1;
  canvas.width = box.clientWidth * scale;
  canvas.height = box.clientHeight * scale;
  const pen = canvas.getContext("2d");
  const colour = colours();
  const { width, height } = place();
  pen.scale(scale, scale);
  pen.font = "11px " + getComputedStyle(document.body).fontFamily;
  pen.lineWidth = 1;
  for (const value of ticks(data.y)) {
    const y = M.top + height * (1 - shareOf(data.y, value));
    pen.strokeStyle = value === 0 ? colour.line : colour.faint;
    pen.beginPath();
    pen.moveTo(M.left, Math.round(y) + 0.5);
    pen.lineTo(M.left + width, Math.round(y) + 0.5);
    pen.stroke();
    pen.fillStyle = colour.muted;
    pen.textAlign = "right";
    pen.fillText(written(data.y, value), M.left - 7, y + 4);
  }
  pen.textAlign = "center";
  for (const value of ticks(data.x)) {
    const x = M.left + width * shareOf(data.x, value);
    pen.strokeStyle = colour.faint;
    pen.beginPath();
    pen.moveTo(Math.round(x) + 0.5, M.top);
    pen.lineTo(Math.round(x) + 0.5, M.top + height);
    pen.stroke();
    pen.fillStyle = colour.muted;
    pen.fillText(written(data.x, value), x, M.top + height + 16);
  }
  const [across, down] = [width / data.x.n_cells, height / data.y.n_cells];
  const size = Math.max(data.cells.length < 400 ? 4 : 2.4, Math.min(across, down) * 0.95);
  for (const matching of [false, true]) {
    for (const cell of data.cells) {
      const n = matching ? cell.n_matching : cell.n - cell.n_matching;
      if (!n) continue;
      pen.fillStyle = matching ? colour.accent : colour.muted;
      pen.globalAlpha = matching ? Math.min(1, 0.5 + 0.17 * n) : 0.28;
      pen.fillRect(M.left + (cell.x + 0.5) * across - size / 2, M.top + height - (cell.y + 0.5) * down - size / 2, size, size);
    }
  }
  pen.globalAlpha = 1;
}

function at(event) {
  const around = box.getBoundingClientRect();
  const { width, height } = place();
  const share = (v) => Math.min(1, Math.max(0, v));
  return {
    x: share((event.clientX - around.left - M.left) / width),
    y: share(1 - (event.clientY - around.top - M.top) / height),
  };
}

function nearest(point) {
  const { width, height } = place();
  let best = null;
  let least = 12 ** 2;
  for (const cell of data.cells) {
    const dx = ((cell.x + 0.5) / data.x.n_cells - point.x) * width;
    const dy = ((cell.y + 0.5) / data.y.n_cells - point.y) * height;
    const apart = dx * dx + dy * dy + (cell.n_matching ? 0 : 40);
    if (apart < least) [best, least] = [cell, apart];
  }
  return best;
}

function outlineBrush(from, to) {
  const { width, height } = place();
  const [left, right] = [Math.min(from.x, to.x), Math.max(from.x, to.x)];
  const [bottom, top] = [Math.min(from.y, to.y), Math.max(from.y, to.y)];
  Object.assign(brush.style, {
    left: `${M.left + left * width}px`,
    width: `${(right - left) * width}px`,
    top: `${M.top + (1 - top) * height}px`,
    height: `${(top - bottom) * height}px`,
  });
  return { left, right, bottom, top };
}

function open(change) {
  const url = new URL(location.href);
  url.searchParams.delete("page");
  for (const [key, value] of Object.entries(change)) {
    if (value === null) url.searchParams.delete(key);
    else url.searchParams.set(key, value);
  }
  location.assign(url);
}

let from = null;
box.addEventListener("pointerdown", (event) => {
  if (!data || event.button !== 0) return;
  from = at(event);
  box.setPointerCapture(event.pointerId);
});
box.addEventListener("pointermove", (event) => {
  if (!data) return;
  if (from) {
    brush.hidden = false;
    outlineBrush(from, at(event));
    return;
  }
  const cell = nearest(at(event));
  note.textContent = cell ? `feature ${cell.feature}${cell.n > 1 ? ` and ${cell.n - 1} more` : ""}: click to open` : hint;
  box.style.cursor = cell ? "pointer" : "crosshair";
});
box.addEventListener("pointerup", (event) => {
  if (!from) return;
  const kept = outlineBrush(from, at(event));
  from = null;
  brush.hidden = true;
  const { width, height } = place();
  if ((kept.right - kept.left) * width < 5 || (kept.top - kept.bottom) * height < 5) {
    const cell = nearest(at(event));
    if (cell) location.assign(figure.dataset.feature + cell.feature + location.search);
    return;
  }
  const change = {};
  for (const [axis, low, high] of [[data.x, kept.left, kept.right], [data.y, kept.bottom, kept.top]]) {
    change[`${axis.column}.min`] = low > 0 ? Number(valueAt(axis, low).toPrecision(4)) : null;
    change[`${axis.column}.max`] = high < 1 ? Number(valueAt(axis, high).toPrecision(4)) : null;
  }
  open(change);
});

for (const [id, key, usual] of [["scatter-x", "x", "frequency"], ["scatter-y", "y", "importance"]]) {
  document.getElementById(id).addEventListener("change", (event) => {
    open({ [key]: event.target.value === usual ? null : event.target.value });
  });
}

new ResizeObserver(draw).observe(box);
document.addEventListener("themechange", draw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);

const answer = await fetch(figure.dataset.url);
if (answer.ok) {
  data = await answer.json();
  draw();
  box.dataset.drawn = data.cells.length;
  if (data.n_left_out) note.textContent += ` ${data.n_left_out.toLocaleString("en")} have no place in it.`;
} else {
  note.textContent = (await answer.json()).error;
}
