// The page: what is shown, what keys and buttons do. The session itself is the server's; see model.js.

import { Frames } from "./frames.js";
import { Requests, listen } from "./link.js";
import { LOST, Model } from "./model.js";
import { TargetList, isActive, showFiles, showRun, showUpdate } from "./panels.js";
import { Plot } from "./plot.js";
import { Stage } from "./stage.js";

const $ = (id) => document.getElementById(id);
const AHEAD = 8; // Frames that are loaded before they are needed.
const NEW = "#ffffff"; // Of a box whose target has no colour yet.

const model = new Model();
const requests = new Requests();
const frames = new Frames((index) => index === frame && draw());
const plots = new Map();
let frame = 0; // That the user is at; the stage shows the one before until its picture has come.
let choice = { id: null }; // Target that a stroke is of, see `Requests`; its id is null for a new one.
let playing = null; // {from, since}: the frame and the time that playing began.
let drafts = []; // {choice, frame, box} that the server has not answered of yet, in order.
let updateFrames = {};
let waits = false;

const stage = new Stage($("stage"), scene, begin, mark, choose);
const list = new TargetList((id) => choose({ id }), rename, remove, go);

// What the stage shows: a frame's picture with that frame's boxes.
function scene() {
  const { index, bitmap } = frames.show(frame) ?? { index: frame };
  const boxes = [];
  const latest = new Map(drafts.filter((draft) => draft.frame === index).map((draft) => [draft.choice, draft.box]));
  for (const target of model.plan.targets) {
    const here = model.at(target, index);
    const [, box] = [...latest].findLast(([{ id }]) => id === target.id) ?? [null, here?.box];
    const chosen = target.id === choice.id;
    if (box) boxes.push({ kind: here?.kind, lost: here?.lost, box, choice: { id: target.id }, name: target.id, colour: target.colour, chosen });
  }
  for (const [of, box] of latest) if (of.id === null) boxes.push({ box, choice: of, colour: NEW, chosen: of === choice });
  return { index, bitmap, size: model.clip?.size, boxes, colour: model.target(choice.id)?.colour ?? NEW };
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
  $("unmark").disabled = !isMarked();
  $("new").disabled = choice.id === null;
  if (document.activeElement !== $("box")) {
    const here = model.target(choice.id) && model.at(model.target(choice.id), frame);
    $("box").value = here ? here.box.map((number) => Number(number.toFixed(1))).join(",") : "";
  }
  stage.paint();
  list.show(model, choice.id, frame);
  showRun(model);
  showPlots();
  updateFrames = showUpdate(model, choice.id ?? plan.targets[0]?.id, frame);
  $("update-before").disabled = updateFrames.before === undefined;
  $("update-after").disabled = updateFrames.after === undefined;
  showFiles(model);
}

function hint() {
  if (!model.clip.size) return "";
  if (model.clip.damaged.includes(frame)) return "This frame is damaged; the one before is shown, and keeps its boxes.";
  if (!model.plan.targets.length) return "Go to a frame that shows the target, and drag a box around it.";
  const target = model.target(choice.id);
  if (!target) return "Drag a box around the new target.";
  const here = model.at(target, frame);
  if (!here) return `Drag a box around ${target.id} on this frame.`;
  if (here.kind === "mark") return `${target.id}: your box. Drag it, or its corners, to change it.`;
  return `${target.id}: where the box is wrong, drag it right, and track on from here.`;
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

// Asks the server, about the target of a choice where one is given; what it cannot do is told at the top of the page.
async function request(action, data = {}, of = null) {
  const clip = action === "open" ? null : model.clip?.number ?? null;
  try {
    const done = await requests.ask(action, data, clip, of);
    if ($("notice").dataset.kind !== "fault") tell("");
    return done;
  } catch (error) {
    tell(error.message);
    return undefined;
  }
}

// Goes to a frame, but stays while a box is drawn on one; loads it and those after it, or, going back, before it.
function go(index) {
  const to = stage.stroke ? frame : Math.min(Math.max(index, 0), Math.max(0, model.total - 1));
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

// Begins a stroke on the frame that is seen, and returns of which target it is.
function begin(index) {
  go(index);
  return choice;
}

async function mark(box, of = choice) {
  play(false);
  const draft = { choice: of, frame, box };
  drafts.push(draft);
  draw();
  await request("mark", { frame, box }, of);
  drafts = drafts.filter((other) => other !== draft);
  settle();
  draw();
}

function choose(of) {
  choice = of;
  draw();
}

async function rename(id, input) {
  const name = input.value.trim();
  if (name === id) return;
  const of = { id };
  if ((await request("rename", { name }, of)) === undefined) input.value = of.id;
}

async function remove(id) {
  if (model.cells.get(id)?.length && !confirm(`Remove target ${id} and what was tracked of it?`)) return;
  await request("remove", {}, { id });
}

function isMarked() {
  return Boolean(model.mark(choice.id, frame)) || drafts.some((draft) => draft.choice === choice && draft.frame === frame);
}

function unmark() {
  if (isMarked()) request("unmark", { frame }, choice);
}

function track(resume = false) {
  if (!resume && $("track").disabled && !drafts.length) return;
  $("follow").checked = true;
  play(false);
  request("track", { resume });
}

function nextWhere(fits) {
  for (let index = frame + 1; index < model.total; index++) if (fits(index)) return seek(index);
}

// Chooses another target where the chosen one is gone.
function settle() {
  if (choice.id !== null && !model.target(choice.id)) choice = { id: model.plan.targets[0]?.id ?? null };
}

// Stays with a target that somebody has renamed.
function follow([old, name]) {
  for (const each of new Set([choice, ...requests.choices])) if (each.id === old) each.id = name;
  list.rename(old, name);
  if (plots.has(old)) plots.set(name, plots.get(old));
  plots.delete(old);
}

function showClips() {
  const key = JSON.stringify(model.clips);
  if ($("clips").dataset.key !== key) {
    $("clips").dataset.key = key;
    $("clips").replaceChildren(new Option("choose…", ""), ...model.clips.map((name) => new Option(name, name)));
  }
  $("clips").value = model.clip?.name ?? "";
}

async function open(clip) {
  await request("open", { clip });
  showClips();
}

listen({
  snapshot(snapshot) {
    const isNew = model.restore(snapshot);
    if (snapshot.renamed && snapshot.renamed[0] !== snapshot.renamed[1]) follow(snapshot.renamed);
    if (isNew) {
      stage.cancel();
      drafts = [];
      choice = { id: model.plan.targets[0]?.id ?? null };
      play(false);
      frames.open(model.clip?.number ?? 0);
      frame = 0;
    }
    settle();
    if (model.clips) showClips();
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
    if (last !== undefined && $("follow").checked) go(last);
    draw();
  },
  update(update) {
    model.addUpdate(update);
    draw();
  },
}, (linked) => ($("link").textContent = linked ? "" : "no connection, trying again…"));

$("clips").addEventListener("change", () => $("clips").value && open($("clips").value));
$("previous").addEventListener("click", () => seek(frame - 1));
$("next").addEventListener("click", () => seek(frame + 1));
$("play").addEventListener("click", () => play());
$("slider").addEventListener("input", () => seek(Number($("slider").value)));
$("number").addEventListener("change", () => seek(Math.round(Number($("number").value)) || 0));
$("track").addEventListener("click", () => track());
$("resume").addEventListener("click", () => track(true));
$("pause").addEventListener("click", () => request("pause"));
$("stop").addEventListener("click", () => request("stop"));
$("new").addEventListener("click", () => choose({ id: null }));
$("unmark").addEventListener("click", unmark);
$("start-here").addEventListener("click", () => request("span", { start: frame, stop: model.plan.span[1] }));
$("end-here").addEventListener("click", () => request("span", { start: model.plan.span[0], stop: frame + 1 }));
$("whole").addEventListener("click", () => request("span", { start: 0, stop: null }));
$("update-before").addEventListener("click", () => seek(updateFrames.before));
$("update-after").addEventListener("click", () => seek(updateFrames.after));
$("numbers").addEventListener("submit", (event) => {
  event.preventDefault();
  $("box").blur();
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
  n: () => choose({ id: null }),
  l: () => nextWhere((index) => model.plan.targets.some(({ id }) => (model.cells.get(id)?.[index]?.[5] ?? 0) & LOST)),
  m: () => nextWhere((index) => model.plan.targets.some(({ id }) => model.mark(id, index))),
  t: () => (isActive(model.run) && model.run.phase !== "paused" && $("track").disabled ? request("pause") : track()),
};
for (let number = 1; number <= 9; number++) {
  KEYS[number] = () => model.plan.targets[number - 1] && choose({ id: model.plan.targets[number - 1].id });
}

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !model.clip) return;
  const into = event.target;
  if (event.key === "Enter" && into.matches("#targets input, #number")) into.blur(); // Keys are the page's again.
  if (into.matches("input[type=text], input[type=number], select")) return;
  if (event.key === " " && into.matches("button, summary, input[type=checkbox]")) return;
  const action = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!action) return;
  event.preventDefault();
  action(event);
});
