// The page: what is shown, what keys and buttons do. The session itself is the server's; see model.js.

import { Frames } from "./frames.js";
import { ask, listen } from "./link.js";
import { LOST, Model } from "./model.js";
import { TargetList, isActive, showFiles, showRun, showUpdate } from "./panels.js";
import { Plot } from "./plot.js";
import { Stage } from "./stage.js";

const $ = (id) => document.getElementById(id);
const AHEAD = 8; // Frames that are loaded before they are needed.
const NEW = "#ffffff"; // Of a box whose target has no colour yet.

const model = new Model();
const frames = new Frames((index) => {
  if (index === frame || !shown) draw();
});
const plots = new Map();
let frame = 0; // That the user is at.
let shown = null; // The bitmap on the stage, the last that was there where `frame` is not loaded yet.
let chosen = null; // Target that a stroke is of; null for a new one.
let playing = null; // {from, since}: the frame and the time that playing began.
let drafted = null; // {id, frame, box} that the server has not answered of yet.
let updateFrames = {};
let waits = false;

const stage = new Stage($("stage"), scene, mark, choose);
const list = new TargetList(choose, rename, remove, go);

function scene() {
  shown = frames.get(frame) ?? shown;
  const boxes = [];
  for (const target of model.plan.targets) {
    const here = model.at(target, frame);
    const isChosen = target.id === chosen;
    const box = drafted?.id === target.id && drafted.frame === frame ? drafted.box : here?.box;
    if (box) boxes.push({ kind: here?.kind, lost: here?.lost, box, id: target.id, name: target.id, colour: target.colour, chosen: isChosen });
  }
  if (drafted && drafted.id === null && drafted.frame === frame) boxes.push({ box: drafted.box, colour: NEW });
  return { bitmap: shown, size: model.clip?.size, boxes, colour: model.target(chosen)?.colour ?? NEW };
}

// Shows all anew before the browser's next picture, once however often this is called.
function draw() {
  if (waits) return;
  waits = true;
  requestAnimationFrame(() => {
    waits = false;
    show();
  });
}

function show() {
  const { clip, plan } = model;
  $("main").hidden = !clip;
  $("choose").hidden = !model.clips;
  if (!clip) {
    $("about").textContent = model.clips?.length ? "choose a clip" : "there is no clip in this folder";
    return;
  }
  const last = Math.max(0, model.total - 1);
  $("about").textContent = [
    model.clips ? "" : clip.name.split("/").pop(),
    clip.size ? `${clip.size[0]}×${clip.size[1]}` : "",
    clip.fps ? `${Number(clip.fps.toFixed(2))} fps` : "",
    clip.done ? `${clip.frames} frames` : `reading, ${clip.frames} frames`,
  ].filter(Boolean).join(", ");
  const fault = clip.error ?? (model.run.phase === "failed" || model.run.phase === "idle" ? model.run.error : null);
  if (fault) tell(fault, "fault");
  else if ($("notice").dataset.kind === "fault") tell("");
  $("slider").max = $("number").max = last;
  $("slider").value = frame;
  if (document.activeElement !== $("number")) $("number").value = frame;
  $("total").textContent = last;
  $("hint").textContent = hint();
  const [start, stop] = model.span;
  $("span-text").textContent = `${start} to ${Math.max(stop, start)}`;
  $("span").hidden = $("legend").hidden = !plan.targets.length;
  $("unmark").disabled = !model.mark(chosen, frame);
  $("new").disabled = chosen === null;
  if (document.activeElement !== $("box")) {
    const here = model.target(chosen) && model.at(model.target(chosen), frame);
    $("box").value = here ? here.box.map((number) => Number(number.toFixed(1))).join(",") : "";
  }
  stage.draw();
  list.show(model, chosen, frame);
  showRun(model);
  showPlots();
  updateFrames = showUpdate(model, chosen ?? plan.targets[0]?.id, frame);
  $("update-before").disabled = updateFrames.before === undefined;
  $("update-after").disabled = updateFrames.after === undefined;
  showFiles(model);
}

function hint() {
  if (!model.clip.size) return "";
  if (model.clip.damaged.includes(frame)) return "This frame is damaged; the one before is shown, and keeps its boxes.";
  if (!model.plan.targets.length) return "Go to a frame that shows the target, and drag a box around it.";
  if (chosen === null) return "Drag a box around the new target.";
  const here = model.at(model.target(chosen), frame);
  if (!here) return `Drag a box around ${chosen} on this frame.`;
  if (here.kind === "mark") return `${chosen}: your box. Drag it, or its corners, to change it.`;
  return `${chosen}: where the box is wrong, drag it right, and track on from here.`;
}

function showPlots() {
  const style = getComputedStyle(document.documentElement);
  const colours = { dark: matchMedia("(prefers-color-scheme: dark)").matches };
  for (const name of ["text", "line", "main", "lost", "pending"]) colours[name] = style.getPropertyValue(`--${name}`);
  for (const [id, plot] of plots) {
    if (!model.target(id)) {
      plot.element.remove();
      plots.delete(id);
    }
  }
  for (const target of model.plan.targets) {
    if (!plots.has(target.id)) {
      plots.set(target.id, new Plot(seek));
      $("plots").append(plots.get(target.id).element);
    }
    plots.get(target.id).draw(model, target, frame, colours);
  }
}

function tell(text, kind = "") {
  $("notice").hidden = !text;
  $("notice").textContent = text;
  $("notice").dataset.kind = kind;
}

// Asks the server; what it cannot do is told at the top of the page.
async function request(action, data) {
  try {
    const done = await ask(action, data);
    if ($("notice").dataset.kind !== "fault") tell("");
    return done;
  } catch (error) {
    tell(error.message);
    return undefined;
  }
}

// Goes to a frame, and loads it and those after it, or, going back, before it.
function go(index) {
  const to = Math.min(Math.max(index, 0), Math.max(0, model.total - 1));
  const step = to < frame ? -1 : 1;
  frame = to;
  frames.want(Array.from({ length: AHEAD }, (_, ahead) => to + step * ahead).filter((at) => at >= 0 && at < model.clip.frames));
  draw();
}

// Goes to a frame that the user asks for, which ends following and playing.
function seek(index) {
  $("follow").checked = false;
  play(false);
  go(index);
}

function play(on = !playing) {
  if (!model.clip) return;
  if (on && frame >= model.clip.frames - 1) go(0);
  playing = on ? { from: frame, since: performance.now() } : null;
  $("play").textContent = on ? "Pause" : "Play";
  if (on) {
    $("follow").checked = false;
    requestAnimationFrame(tick);
  }
}

function tick(now) {
  if (!playing) return;
  const due = playing.from + Math.floor(((now - playing.since) / 1000) * (model.clip.fps || 25));
  if (due >= model.clip.frames) {
    go(model.clip.frames - 1);
    return play(false);
  }
  if (due > frame) {
    if (frames.get(due)) go(due);
    else {
      if (frames.get(frame + 1)) go(frame + 1);
      frames.want(Array.from({ length: AHEAD }, (_, ahead) => frame + 1 + ahead).filter((at) => at < model.clip.frames));
      playing = { from: frame, since: now }; // The link is slower than the clip: no frame is left out.
    }
  }
  requestAnimationFrame(tick);
}

async function mark(box) {
  play(false);
  const draft = { id: chosen, frame, box };
  drafted = draft;
  draw();
  const id = await request("mark", { target: chosen, frame, box });
  if (drafted === draft) drafted = null;
  if (id !== undefined) choose(id);
  draw();
}

function choose(id) {
  chosen = id;
  draw();
}

async function rename(id, input) {
  const name = input.value.trim();
  if (name === id) return;
  if ((await request("rename", { target: id, name })) === undefined) input.value = id;
  else if (chosen === id) choose(name);
}

async function remove(id) {
  if (model.cells.get(id)?.length && !confirm(`Remove target ${id} and what was tracked of it?`)) return;
  await request("remove", { target: id });
}

function unmark() {
  if (model.mark(chosen, frame)) request("unmark", { target: chosen, frame });
}

function track(resume = false) {
  if (!resume && $("track").disabled) return;
  $("follow").checked = true;
  play(false);
  request("track", { resume });
}

function nextWhere(fits) {
  for (let index = frame + 1; index < model.total; index++) if (fits(index)) return seek(index);
}

function settle() {
  if (chosen !== null && !model.target(chosen)) chosen = model.plan.targets[0]?.id ?? null;
}

listen({
  snapshot(snapshot) {
    const isNew = model.restore(snapshot);
    if (isNew) {
      shown = drafted = null;
      chosen = model.plan.targets[0]?.id ?? null;
      play(false);
      frames.open(model.clip?.number ?? 0);
      frame = 0;
    }
    settle();
    if (model.clips) {
      const options = model.clips.map((name) => new Option(name, name));
      $("clips").replaceChildren(new Option("choose…", ""), ...options);
      $("clips").value = model.clip?.name ?? "";
    }
    if (model.clip) go($("follow").checked && isActive(model.run) ? model.run.next - 1 : frame);
    draw();
  },
  clip(clip) {
    if (!clip || clip.number !== model.clip?.number) return;
    model.clip = clip;
    if (!frames.get(frame)) go(frame);
    draw();
  },
  plan(plan) {
    model.plan = plan;
    settle();
    draw();
  },
  run(run) {
    model.run = run;
    if (run.plan) model.plan = run.plan;
    draw();
  },
  rows(rows) {
    model.addRows(rows);
    const last = rows.rows.at(-1)?.[0];
    if (last !== undefined && $("follow").checked && !stage.stroke) go(last);
    draw();
  },
  update(update) {
    model.addUpdate(update);
    draw();
  },
}, (linked) => ($("link").textContent = linked ? "" : "no connection, trying again…"));

$("clips").addEventListener("change", () => $("clips").value && request("open", { clip: $("clips").value }));
$("previous").addEventListener("click", () => seek(frame - 1));
$("next").addEventListener("click", () => seek(frame + 1));
$("play").addEventListener("click", () => play());
$("slider").addEventListener("input", () => seek(Number($("slider").value)));
$("number").addEventListener("change", () => seek(Math.round(Number($("number").value)) || 0));
$("track").addEventListener("click", () => track());
$("resume").addEventListener("click", () => track(true));
$("pause").addEventListener("click", () => request("pause"));
$("stop").addEventListener("click", () => request("stop"));
$("new").addEventListener("click", () => choose(null));
$("unmark").addEventListener("click", unmark);
$("start-here").addEventListener("click", () => request("span", { start: frame, stop: model.plan.span[1] }));
$("end-here").addEventListener("click", () => request("span", { start: model.plan.span[0], stop: frame + 1 }));
$("whole").addEventListener("click", () => request("span", { start: 0, stop: null }));
$("update-before").addEventListener("click", () => seek(updateFrames.before));
$("update-after").addEventListener("click", () => seek(updateFrames.after));
$("numbers").addEventListener("submit", (event) => {
  event.preventDefault();
  const box = $("box").value.split(/[\s,;]+/).filter(Boolean).map(Number);
  if (box.length === 4 && box.every(Number.isFinite)) mark(box);
  else tell("give four numbers: x,y,w,h in pixels of the frame");
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
addEventListener("resize", draw);

const KEYS = {
  ArrowLeft: (event) => seek(frame - (event.shiftKey ? 10 : 1)),
  ArrowRight: (event) => seek(frame + (event.shiftKey ? 10 : 1)),
  Home: () => seek(0),
  End: () => seek(model.total - 1),
  " ": () => play(),
  Delete: unmark,
  Backspace: unmark,
  Escape: () => stage.cancel(),
  n: () => choose(null),
  l: () => nextWhere((index) => model.plan.targets.some(({ id }) => (model.cells.get(id)?.[index]?.[5] ?? 0) & LOST)),
  m: () => nextWhere((index) => model.plan.targets.some(({ id }) => model.mark(id, index))),
  t: () => (isActive(model.run) && model.run.phase !== "paused" && $("track").disabled ? request("pause") : track()),
};
for (let number = 1; number <= 9; number++) {
  KEYS[number] = () => model.plan.targets[number - 1] && choose(model.plan.targets[number - 1].id);
}

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !model.clip) return;
  const into = event.target;
  if (into.matches("input[type=text], input[type=number], select")) return;
  if (event.key === " " && into.matches("button, summary, input[type=checkbox]")) return;
  const action = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!action) return;
  event.preventDefault();
  action(event);
});
