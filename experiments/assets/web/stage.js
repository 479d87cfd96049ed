// The frame with its boxes, on a canvas, and the drawing of boxes by mouse, pen or finger. Nothing of a stroke waits for
// the server.

const TAP = 5; // CSS pixels that a stroke must be long to draw.
const SMALLEST = 2; // Frame pixels of a side.

export class Stage {
  // canvas; shown() gives {index, bitmap, size, colour, boxes: [{choice, box, colour, name, kind, lost, chosen}]}, of the
  // frame `index`; began(index), where a stroke begins, gives the choice that it is of; drawn(box, choice) gets what was
  // drawn or moved, in frame pixels; tapped(choice) the target whose box was tapped.
  constructor(canvas, shown, began, drawn, tapped) {
    Object.assign(this, { canvas, shown, began, drawn, tapped, stroke: null, waits: false });
    canvas.addEventListener("pointerdown", (event) => this.begin(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    canvas.addEventListener("pointerup", (event) => this.end(event));
    canvas.addEventListener("pointercancel", () => this.cancel());
    new ResizeObserver(() => this.draw()).observe(canvas.parentElement);
  }

  // Draws before the browser shows its next picture, once however often this is called.
  draw() {
    if (this.waits) return;
    this.waits = true;
    requestAnimationFrame(() => {
      this.waits = false;
      this.paint();
    });
  }

  cancel() {
    this.stroke = null;
    this.draw();
  }

  fit([width, height]) {
    const room = this.canvas.parentElement.clientWidth;
    const scale = Math.min(room / width, Math.max(220, innerHeight * 0.68) / height);
    const ratio = devicePixelRatio || 1;
    const css = [Math.round(width * scale), Math.round(height * scale)];
    const inner = css.map((side) => Math.round(side * ratio));
    if (this.canvas.width !== inner[0] || this.canvas.height !== inner[1]) {
      [this.canvas.width, this.canvas.height] = inner;
      this.canvas.style.width = `${css[0]}px`;
      this.canvas.style.height = `${css[1]}px`;
    }
    this.scale = scale;
    return ratio;
  }

  paint() {
    const { index, bitmap, size, boxes } = this.shown();
    if (!size) return;
    this.canvas.dataset.frame = bitmap ? index : "";
    const ratio = this.fit(size);
    const context = this.canvas.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    if (bitmap) context.drawImage(bitmap, 0, 0, this.canvas.width, this.canvas.height);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    for (const each of boxes) if (!(this.stroke?.box && each.chosen)) this.outline(context, each);
    if (this.stroke?.box) this.outline(context, { box: this.stroke.box, colour: this.stroke.colour, chosen: true });
  }

  outline(context, { box, colour, name, kind, lost, chosen }) {
    const [x, y, w, h] = box.map((number) => number * this.scale);
    context.globalAlpha = kind === "old" ? 0.55 : 1;
    const dash = lost ? [7, 5] : kind === "old" ? [2, 4] : [];
    for (const [ink, width] of [["#000a", 4], [colour, 2]]) {
      context.setLineDash(dash);
      context.strokeStyle = ink;
      context.lineWidth = width + (chosen ? 1 : 0);
      context.strokeRect(x, y, w, h);
    }
    context.setLineDash([]);
    if (chosen) {
      context.fillStyle = colour;
      for (const [cx, cy] of corners([x, y, w, h])) context.fillRect(cx - 4, cy - 4, 8, 8);
    }
    if (name) this.label(context, lost ? `${name} lost` : name, x, y, colour);
    context.globalAlpha = 1;
  }

  label(context, text, x, y, colour) {
    context.font = "600 12px system-ui, sans-serif";
    const width = context.measureText(text).width + 8;
    const left = Math.min(Math.max(x, 0), this.canvas.clientWidth - width);
    const top = y > 18 ? y - 18 : Math.max(y, 0);
    context.fillStyle = colour;
    context.fillRect(left, top, width, 17);
    context.fillStyle = "#000";
    context.fillText(text, left + 4, top + 13);
  }

  place(event) {
    const bounds = this.canvas.getBoundingClientRect();
    return [(event.clientX - bounds.left) / this.scale, (event.clientY - bounds.top) / this.scale];
  }

  begin(event) {
    if (event.button !== 0 || !event.isPrimary) return this.cancel();
    this.paint(); // What it will be measured by.
    const { index, bitmap, size, boxes, colour } = this.shown();
    if (!size || !bitmap) return;
    event.preventDefault();
    this.canvas.setPointerCapture(event.pointerId);
    const at = this.place(event);
    const of = this.began(index);
    const chosen = boxes.find((each) => each.chosen);
    this.stroke = { ...grip(chosen?.box, at, (event.pointerType === "touch" ? 20 : 9) / this.scale), size, colour };
    Object.assign(this.stroke, { from: [event.clientX, event.clientY], at, old: chosen?.box, box: null, choice: of });
  }

  move(event) {
    const stroke = this.stroke;
    if (!stroke) return;
    const far = Math.hypot(event.clientX - stroke.from[0], event.clientY - stroke.from[1]);
    if (!stroke.box && far < TAP) return;
    const [x, y] = this.place(event).map((number, axis) => Math.min(Math.max(number, 0), stroke.size[axis]));
    if (stroke.kind === "move") {
      stroke.box = [stroke.old[0] + x - stroke.at[0], stroke.old[1] + y - stroke.at[1], stroke.old[2], stroke.old[3]];
    } else {
      const [ax, ay] = stroke.anchor;
      stroke.box = [Math.min(ax, x), Math.min(ay, y), Math.abs(x - ax), Math.abs(y - ay)];
    }
    this.draw();
  }

  end(event) {
    const stroke = this.stroke;
    if (!stroke) return;
    this.stroke = null;
    if (!stroke.box) {
      const [x, y] = this.place(event);
      const hit = this.shown().boxes.filter(({ box }) => inside(box, x, y));
      hit.sort((a, b) => a.box[2] * a.box[3] - b.box[2] * b.box[3]);
      if (hit.length) this.tapped(hit[0].choice);
    } else if (stroke.box[2] >= SMALLEST && stroke.box[3] >= SMALLEST) {
      this.drawn(stroke.box.map((number) => Math.round(number * 10) / 10), stroke.choice);
    }
    this.draw();
  }
}

function corners([x, y, w, h]) {
  return [[x, y], [x + w, y], [x, y + h], [x + w, y + h]];
}

function inside([x, y, w, h], px, py) {
  return px >= x && px <= x + w && py >= y && py <= y + h;
}

// What a stroke that begins here does to the chosen box: pulls a corner, moves it, or draws another.
function grip(box, [x, y], reach) {
  if (box) {
    const points = corners(box);
    const near = points.findIndex(([cx, cy]) => Math.abs(cx - x) < reach && Math.abs(cy - y) < reach);
    if (near >= 0) return { kind: "corner", anchor: points[3 - near] };
    if (inside(box, x, y)) return { kind: "move" };
  }
  return { kind: "new", anchor: [x, y] };
}
