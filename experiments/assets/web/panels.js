// What stands beside the clip: the run, the targets, the updates, the results.

const $ = (id) => document.getElementById(id);

export function duration(seconds) {
  if (seconds < 60) return `${Math.max(1, Math.round(seconds))} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export function isActive(run) {
  return ["loading", "tracking", "paused"].includes(run.phase);
}

// The buttons and the line of the run.
export function showRun(model) {
  const { run, plan } = model;
  const active = isActive(run);
  const running = active && run.phase !== "paused";
  const edited = active && plan.change !== null && plan.change < run.next;
  const tracked = plan.change === null && plan.written;
  $("track").textContent = trackText(model, edited);
  $("track").disabled = !plan.targets.length || (running && !edited) || (!active && tracked);
  $("resume").hidden = !plan.resumable;
  $("pause").disabled = !running;
  $("stop").disabled = !active;
  $("bar").hidden = !active;
  const end = run.end ?? model.total;
  if (active) {
    $("bar").max = Math.max(1, end - plan.span[0]);
    if (run.phase === "loading") $("bar").removeAttribute("value");
    else $("bar").value = run.next - plan.span[0];
  }
  $("state").textContent = {
    idle: run.error ?? "",
    loading: "starting the tracker…",
    tracking: progress(run, end),
    paused: `paused before frame ${run.next}`,
    done: "tracked to the end",
    stopped: `stopped: frames before ${run.next} are kept`,
    failed: run.error,
  }[run.phase];
}

function trackText({ run, plan, cells }, edited) {
  if (edited) return `Track on from ${plan.change}`;
  if (run.phase === "paused") return "Go on";
  if (isActive(run) || !plan.targets.length) return "Track";
  if (plan.change === null) return plan.written ? "Track" : "Write results";
  return cells.size && plan.change > plan.span[0] ? `Track on from ${plan.change}` : "Track";
}

function progress(run, end) {
  if (!run.rate && run.next === run.begin && run.begin > 0) return `reading up to frame ${run.begin}…`;
  if (run.next >= end) return "writing the results…";
  const speed = run.rate ? `, ${run.rate < 10 ? run.rate.toFixed(1) : Math.round(run.rate)} a second` : "";
  const left = run.left !== null ? `, ${duration(run.left)} left` : "";
  return `frame ${run.next} of ${end}${speed}${left}`;
}

// The list of targets; its lines stay while their targets do, so that a name being typed is not lost.
export class TargetList {
  constructor(choose, named, remove, go) {
    Object.assign(this, { choose, named, remove, go, lines: new Map() });
  }

  show(model, chosen, frame) {
    const list = $("targets");
    for (const [id, line] of this.lines) {
      if (!model.target(id)) {
        line.remove();
        this.lines.delete(id);
      }
    }
    model.plan.targets.forEach((target, index) => {
      const line = this.lines.get(target.id) ?? this.make(target);
      if (list.children[index] !== line) list.insertBefore(line, list.children[index] ?? null);
      this.fill(line, model, target, target.id === chosen, frame);
    });
  }

  // Gives a target's line to its new name.
  rename(old, name) {
    const line = this.lines.get(old);
    if (!line) return;
    this.lines.delete(old);
    this.lines.set(name, line);
    const input = line.querySelector("input");
    if (input !== document.activeElement) input.value = name;
    this.label(line, name);
  }

  label(line, id) {
    line.dataset.id = id;
    line.querySelector("input").setAttribute("aria-label", `Name of target ${id}`);
    line.querySelector("button").setAttribute("aria-label", `Remove target ${id}`);
  }

  make(target) {
    const line = document.createElement("li");
    const name = line.appendChild(document.createElement("div"));
    name.className = "name";
    const input = name.appendChild(document.createElement("input"));
    Object.assign(input, { type: "text", value: target.id, maxLength: 40 });
    input.addEventListener("change", () => this.named(line.dataset.id, input));
    input.addEventListener("focus", () => this.choose(line.dataset.id));
    const now = name.appendChild(document.createElement("span"));
    now.className = "now";
    const gone = name.appendChild(document.createElement("button"));
    Object.assign(gone, { textContent: "✕", title: "Remove this target" });
    gone.addEventListener("click", (event) => {
      event.stopPropagation();
      this.remove(line.dataset.id);
    });
    line.appendChild(document.createElement("div")).className = "chips";
    line.addEventListener("click", () => this.choose(line.dataset.id));
    this.label(line, target.id);
    this.lines.set(target.id, line);
    return line;
  }

  fill(line, model, target, isChosen, frame) {
    line.classList.toggle("chosen", isChosen);
    line.style.setProperty("--colour", target.colour);
    const here = model.at(target, frame);
    const now = line.querySelector(".now");
    now.textContent = !here ? "not here" : here.kind === "mark" ? "your box" : here.lost ? "lost" : here.score?.toFixed(2) ?? "";
    now.classList.toggle("lost", Boolean(here?.lost));
    const chips = line.querySelector(".chips");
    const key = target.marks.map((mark) => mark[0] + mark[5]).join();
    if (chips.dataset.key !== key) {
      chips.dataset.key = key;
      chips.replaceChildren(...target.marks.map((mark) => {
        const chip = document.createElement("button");
        chip.textContent = `${mark[5]} ${mark[0]}`;
        chip.title = `Go to frame ${mark[0]}`;
        chip.addEventListener("click", () => this.go(mark[0]));
        return chip;
      }));
    }
    target.marks.forEach((mark, index) => chips.children[index].classList.toggle("here", mark[0] === frame));
  }
}

// The update in force at a frame: the last up to it. Returns the frames of the one before and the one after.
export function showUpdate(model, id, frame) {
  const list = model.updates.get(id) ?? [];
  const any = [...model.updates.values()].some((each) => each.length);
  $("updates").hidden = !any;
  if (!any) return {};
  const index = list.findLastIndex((each) => each[0] <= frame);
  const image = $("update");
  if (index >= 0) {
    const [at, moved] = list[index];
    $("update-text").textContent = `${id}: update ${index + 1} of ${list.length}, after frame ${at}, moved the maps by ${moved.toFixed(3)}`;
    const address = `updates/${at}.jpg?${new URLSearchParams({ target: id, moved })}`;
    if (image.getAttribute("src") !== address) image.src = address;
  } else {
    $("update-text").textContent = list.length ? `${id}: no update yet, the first is after frame ${list[0][0]}` : `${id ?? ""}: none`;
  }
  image.hidden = index < 0;
  const before = index >= 0 && list[index][0] === frame ? list[index - 1] : list[index];
  return { before: before?.[0], after: list[index + 1]?.[0] };
}

export function showFiles(model) {
  const { files } = model.run;
  $("results").hidden = !files.length;
  const key = JSON.stringify(files);
  if ($("files").dataset.key === key) return;
  $("files").dataset.key = key;
  $("files").replaceChildren(...files.map(([name, about]) => {
    const line = document.createElement("li");
    const link = line.appendChild(document.createElement("a"));
    Object.assign(link, { href: `results/${encodeURIComponent(name)}`, textContent: name, download: name });
    const text = line.appendChild(document.createElement("span"));
    Object.assign(text, { textContent: ` ${about}`, className: "quiet" });
    return line;
  }));
}
