// The clip's frames as bitmaps: the one that is wanted first, then some ahead; the oldest go when memory is full.

const AT_ONCE = 4;
const BUDGET = 40e6; // Pixels that are kept.
const FEWEST = 12;

export class Frames {
  constructor(loaded) {
    this.loaded = loaded; // Called with the number of each frame that comes.
    this.open(0);
  }

  // Begins with another clip.
  open(clip) {
    this.clip = clip;
    this.kept = new Map(); // By number, the one that was used last at the end.
    this.loading = new Map();
    this.queue = [];
    this.shown = null;
  }

  // The picture for a frame, {index, bitmap}: its own, or until it has come the last that was shown; null before any.
  show(index) {
    const bitmap = this.get(index);
    if (bitmap) this.shown = { index, bitmap };
    return this.shown;
  }

  get(index) {
    const bitmap = this.kept.get(index);
    if (bitmap) {
      this.kept.delete(index);
      this.kept.set(index, bitmap);
    }
    return bitmap;
  }

  // Loads these frames, in this order, and forgets what was asked for before but has not begun.
  want(indices) {
    this.queue = indices.filter((index) => !this.kept.has(index) && !this.loading.has(index));
    this.next();
  }

  next() {
    while (this.loading.size < AT_ONCE && this.queue.length) this.load(this.queue.shift());
  }

  async load(index) {
    const clip = this.clip;
    this.loading.set(index, true);
    try {
      const answer = await fetch(`frames/${clip}/${index}.jpg`);
      const bitmap = answer.ok ? await createImageBitmap(await answer.blob()) : null;
      if (clip !== this.clip) return;
      if (bitmap) this.keep(index, bitmap);
    } catch {
      // The link is broken, which the page says elsewhere.
    } finally {
      if (clip === this.clip) {
        this.loading.delete(index);
        this.next();
      }
    }
  }

  keep(index, bitmap) {
    this.kept.set(index, bitmap);
    const most = Math.max(FEWEST, BUDGET / (bitmap.width * bitmap.height));
    for (const [old, gone] of this.kept) {
      if (this.kept.size <= most) break;
      if (gone === this.shown?.bitmap) continue;
      this.kept.delete(old);
      gone.close();
    }
    this.loaded(index);
  }
}
