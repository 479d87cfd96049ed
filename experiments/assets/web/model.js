// What the page knows of the session, as the server tells it: clip, targets, what was found in each frame.

export const LOST = 1, UPDATED = 2, FIXED = 4; // Flags of a cell [x, y, w, h, score, flags].

export class Model {
  constructor() {
    this.clips = null;
    this.clip = null;
    this.plan = { span: [0, null], targets: [], change: null };
    this.run = { phase: "idle", error: null, files: [] };
    this.cells = new Map(); // Target to its cells by frame.
    this.updates = new Map(); // Target to [frame, how far it moved the responses], by frame.
  }

  // Takes all there is; returns whether the clip is another one.
  restore(snapshot) {
    const isNew = this.clip?.number !== snapshot.clip?.number;
    Object.assign(this, { clips: snapshot.clips, clip: snapshot.clip, plan: snapshot.plan, run: snapshot.run });
    this.cells = new Map();
    this.addRows(snapshot.rows);
    this.updates = new Map();
    for (const update of snapshot.updates) this.addUpdate(update);
    return isNew;
  }

  addRows({ ids, rows }) {
    ids.forEach((id, column) => {
      const cells = this.cells.get(id) ?? [];
      this.cells.set(id, cells);
      for (const row of rows) cells[row[0]] = row[column + 2];
    });
  }

  addUpdate([id, frame, moved]) {
    const list = (this.updates.get(id) ?? []).filter((each) => each[0] !== frame);
    list.push([frame, moved]);
    this.updates.set(id, list.sort((a, b) => a[0] - b[0]));
  }

  target(id) {
    return this.plan.targets.find((target) => target.id === id);
  }

  // How many frames the clip has, as far as is known.
  get total() {
    if (!this.clip) return 0;
    return this.clip.done ? this.clip.frames : Math.max(this.clip.frames, this.clip.expected ?? 0);
  }

  // The first frame, and the last, that are tracked.
  get span() {
    const [start, stop] = this.plan.span;
    return [start, Math.min(stop ?? this.total, this.total) - 1];
  }

  mark(id, frame) {
    return this.target(id)?.marks.find((mark) => mark[0] === frame);
  }

  isPending(target, frame) {
    return target.pending.some(([from, to]) => frame >= from && (to === null || frame < to));
  }

  // A target's box on a frame as {box, kind, score, lost}; kind: "mark" (the user's), "found", or "old" (of before a
  // correction, to be tracked anew). Null where there is none.
  at(target, frame) {
    const mark = this.mark(target.id, frame);
    const cell = this.cells.get(target.id)?.[frame];
    const pending = this.isPending(target, frame);
    const lost = Boolean(cell && cell[5] & LOST);
    if (mark) return { box: mark.slice(1, 5), kind: "mark", score: pending || !cell ? null : cell[4], lost: false };
    if (!cell) return null;
    return { box: cell.slice(0, 4), kind: pending ? "old" : "found", score: cell[4], lost };
  }
}
