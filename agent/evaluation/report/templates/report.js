"use strict";
document.documentElement.classList.add("js");

// ---- copy ----
async function copy(button) {
  const code = button.parentElement.querySelector("code");
  try {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = "copied";
  } catch {
    getSelection().selectAllChildren(code);
    button.textContent = "selected";
  }
  setTimeout(() => { button.textContent = "copy"; }, 1500);
}

// ---- which episodes are listed ----
function filter(button) {
  for (const each of button.parentElement.children) each.classList.toggle("on", each === button);
  for (const episode of document.querySelectorAll(".episode")) {
    episode.hidden = button.dataset.show !== "" && episode.dataset.ending !== button.dataset.show;
  }
}

// ---- a link into an episode opens it ----
function openTarget() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let fold = target; fold; fold = fold.parentElement) {
    if (fold.tagName === "DETAILS") { fold.open = true; fold.hidden = false; }
  }
  target?.scrollIntoView();
}

// ---- the cursor of one episode: chart, frames, subgoals at one moment ----
function pairs(line) {
  return line.getAttribute("points").split(" ").map((point) => point.split(",").map(Number));
}

function heightAt(points, x) {
  const after = points.findIndex((point) => point[0] >= x);
  if (after <= 0) return points.at(after)[1];
  const [[x0, y0], [x1, y1]] = [points[after - 1], points[after]];
  return y0 + (y1 - y0) * (x - x0) / (x1 - x0 || 1);
}

function plotReader(lane) {
  const low = Number(lane.dataset.low), high = Number(lane.dataset.high), shown = lane.querySelector(".values");
  const lines = ["command", "measured"].map((name) => [name, pairs(lane.querySelector(`polyline.${name}`))]);
  return (x) => {
    shown.replaceChildren(...lines.map(([name, points]) => {
      const span = document.createElement("span");
      span.className = name;
      span.textContent = `${(high - heightAt(points, x) / 48 * (high - low)).toFixed(2).replace("-", "−")} `;
      return span;
    }));
  };
}

function latest(elements, time) {
  let found = elements[0];
  for (const element of elements) if (Number(element.dataset.time) <= time + 1e-6) found = element;
  return found;
}

function highlight(elements, time) {
  const here = latest(elements, time);
  for (const element of elements) element.classList.toggle("here", element === here);
  return here;
}

function follow(inside) {
  const chart = inside.querySelector(".chart");
  if (!chart) return;
  const start = Number(chart.dataset.start), end = Number(chart.dataset.end);
  const track = chart.querySelector(".track"), cursor = chart.querySelector(".cursor");
  const seek = chart.querySelector(".seek"), now = chart.querySelector(".now");
  const stills = [...inside.querySelectorAll(".strip .still")], rows = [...inside.querySelectorAll(".attempts [data-time]")];
  const readers = [...chart.querySelectorAll(".plot")].map(plotReader);
  const go = (time) => {
    const part = Math.min(1, Math.max(0, (time - start) / (end - start)));
    time = start + part * (end - start);
    cursor.hidden = false;
    cursor.style.left = `${track.offsetLeft + part * track.clientWidth}px`;
    seek.value = Math.round(part * 1000);
    for (const read of readers) read(part * 1000);
    highlight(stills, time);
    const row = highlight(rows, time);
    now.textContent = `${time.toFixed(2)} s${row ? `, ${row.children[0].textContent}. ${row.children[1].textContent}` : ""}`;
  };
  seek.hidden = false;
  seek.addEventListener("input", () => go(start + seek.value / 1000 * (end - start)));
  chart.addEventListener("pointermove", (event) => {
    const box = track.getBoundingClientRect();
    if (event.target.closest(".track")) go(start + (event.clientX - box.left) / box.width * (end - start));
  });
  inside.addEventListener("click", (event) => {
    const timed = event.target.closest("[data-time]");
    if (timed) go(Number(timed.dataset.time));
  });
  go(start);
}

for (const filters of document.querySelectorAll(".filters")) filters.hidden = false;
for (const episode of document.querySelectorAll(".episode")) {
  episode.addEventListener("toggle", () => { if (episode.open) follow(episode.querySelector(".inside")); }, { once: true });
}
document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.classList.contains("copy")) copy(button);
  else if (button?.dataset.show !== undefined) filter(button);
});
addEventListener("hashchange", openTarget);
if (location.hash) openTarget();
