"""Draws what an update changed: contexts z, and their similarity maps before and after adaptation (as Fig. 6)."""

import pathlib

import numpy as np

from mlt_tf.tracker import Update

COLUMNS = 8


def movement(update: Update) -> float:
    """Returns how far an update moved the responses: the mean absolute change of similarity over its contexts."""
    return float(np.mean(np.abs(update.after - update.before)))


def write_figure(path: pathlib.Path, updates: list[Update]) -> None:
    """Writes a PNG with three rows for each update: contexts, similarity before, similarity after.

    Args:
      path: The PNG.
      updates: At least one update.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    low = min(min(u.before.min(), u.after.min()) for u in updates)
    high = max(max(u.before.max(), u.after.max()) for u in updates)
    figure, axes = pyplot.subplots(3 * len(updates), COLUMNS, figsize=(1.5 * COLUMNS, 4.9 * len(updates)), dpi=110)
    for block, update in zip(np.split(axes, len(updates)), updates, strict=True):
        for images, row in zip((update.contexts, update.before, update.after), block, strict=True):
            for cell, image in zip(row, images, strict=False):
                shown = cell.imshow(
                    image, **({} if image.ndim == 3 else {"vmin": low, "vmax": high, "cmap": "viridis"})
                )
        for row, name in zip(block, ("contexts z", "before", "after"), strict=True):
            row[0].set_ylabel(name)
        block[0][0].set_title(f"update after frame {update.frame}: moved by {movement(update):.3f}", loc="left")
    for cell in axes.flat:
        cell.set_xticks([])
        cell.set_yticks([])
        for spine in cell.spines.values():
            spine.set_visible(False)
    figure.subplots_adjust(left=0.04, right=0.93, top=0.96, bottom=0.02, wspace=0.04, hspace=0.16)
    figure.colorbar(shown, cax=figure.add_axes([0.945, 0.1, 0.012, 0.8]), label="similarity (mean cosine)")
    figure.savefig(path)
    pyplot.close(figure)
