// Score over time of one target: lost spans, updates, the user's boxes, what is still to be tracked.

import { LOST, UPDATED } from "./model.js";

const HEIGHT = 60, TOP = 8, BOTTOM = 7; // CSS pixels; above the scores are the marks, below them the updates.

export class Plot {
  constructor(go) {
    this.element = document.createElement("div");
    this.element.className = "plot";
    this.title = this.element.appendChild(document.createElement("div"));
    this.title.className = "title";
    this.name = this.title.appendChild(document.createElement("b"));
    this.value = this.title.appendChild(document.createElement("span"));
    this.canvas = this.element.appendChild(document.createElement("canvas"));
    const jump = (event) => {
      const bounds = this.canvas.getBoundingClientRect();
      go(Math.floor(((event.clientX - bounds.left) / bounds.width) * this.total));
    };
    this.canvas.addEventListener("pointerdown", (event) => {
      this.canvas.setPointerCapture(event.pointerId);
      jump(event);
    });
    this.canvas.addEventListener("pointermove", (event) => event.buttons && jump(event));
    this.total = 1;
  }

  draw(model, target, frame, colours) {
    const cells = model.cells.get(target.id) ?? [];
    this.total = Math.max(1, model.total);
    this.name.textContent = target.id;
    this.element.style.setProperty("--colour", target.colour);
    this.canvas.setAttribute("aria-label", `Score of target ${target.id}`);
    this.tell(model.at(target, frame));
    const width = this.canvas.clientWidth, ratio = devicePixelRatio || 1;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = HEIGHT * ratio;
    const context = this.canvas.getContext("2d");
    context.scale(ratio, ratio);
    const x = (index) => ((index + 0.5) / this.total) * width;
    const fill = (from, to, top, height) =>
      context.fillRect((from / this.total) * width, top, Math.max(1, ((to - from) / this.total) * width), height);
    context.fillStyle = colours.pending;
    for (const [from, to] of target.pending) fill(from, to ?? this.total, 0, HEIGHT);
    context.fillStyle = colours.lost;
    for (const [from, to] of spans(cells, LOST)) {
      context.globalAlpha = 0.22;
      fill(from, to, 0, HEIGHT);
      context.globalAlpha = 1;
      fill(from, to, HEIGHT - 3, 3);
    }
    this.grid(context, width, colours);
    this.line(context, cells, x, colours.dark ? target.colour : darker(target.colour));
    context.fillStyle = colours.main;
    cells.forEach((cell, index) => cell && cell[5] & UPDATED && context.fillRect(x(index) - 1, HEIGHT - 9, 2, 9));
    context.fillStyle = colours.text;
    for (const mark of target.marks) diamond(context, x(mark[0]), 5);
    context.fillRect(x(frame) - 0.5, 0, 1, HEIGHT);
  }

  tell(here) {
    const score = here?.score;
    this.value.className = here?.lost ? "lost" : "";
    this.value.textContent = [
      typeof score === "number" ? score.toFixed(2) : "",
      here?.kind === "mark" ? "your box" : here?.lost ? "lost" : "",
    ].join(" ");
  }

  grid(context, width, colours) {
    context.fillStyle = colours.line;
    for (const score of [0, 0.5, 1]) context.fillRect(0, level(score), width, 1);
  }

  // Where there are more frames than pixels, each pixel has the least and the largest score of its frames.
  line(context, cells, x, colour) {
    context.strokeStyle = colour;
    context.lineWidth = 1.6;
    context.beginPath();
    let open = false, column = null;
    for (let index = 0; index < cells.length; index++) {
      const score = cells[index]?.[4];
      if (typeof score !== "number") {
        open = false;
        continue;
      }
      const at = x(index);
      if (open && column !== null && at - column < 0.4) {
        context.lineTo(column, level(score));
        continue;
      }
      column = at;
      if (open) context.lineTo(at, level(score));
      else context.moveTo(at, level(score));
      open = true;
    }
    context.stroke();
  }
}

function level(score) {
  return TOP + (1 - Math.min(Math.max(score, 0), 1)) * (HEIGHT - TOP - BOTTOM);
}

function spans(cells, flag) {
  const found = [];
  for (let index = 0; index < cells.length; index++) {
    if (!(cells[index] && cells[index][5] & flag)) continue;
    const last = found[found.length - 1];
    if (last && last[1] === index) last[1] = index + 1;
    else found.push([index, index + 1]);
  }
  return found;
}

function diamond(context, x, y) {
  context.beginPath();
  context.moveTo(x, y - 4);
  context.lineTo(x + 4, y);
  context.lineTo(x, y + 4);
  context.lineTo(x - 4, y);
  context.fill();
}

// Bright colours vanish on a light ground.
function darker(colour) {
  const parts = colour.match(/[0-9a-f]{2}/g).map((part) => Math.round(parseInt(part, 16) * 0.62));
  return `rgb(${parts})`;
}
