"""Draws what an update changed: contexts z, and their similarity maps before and after adaptation (as Fig. 6)."""

import pathlib
from typing import TYPE_CHECKING

import numpy as np

from mlt_tf import files

if TYPE_CHECKING:  # Without TensorFlow.
    from mlt_tf.tracker import Update

COLUMNS = 8


def movement(update: "Update") -> float:
    """Returns how far an update moved the responses: the mean absolute change of similarity over its contexts."""
    return float(np.mean(np.abs(update.adapted - update.unadapted)))


def write_picture(path: pathlib.Path, frames: list[np.ndarray], update: "Update") -> None:
    """Writes the README's picture: annotated frames, and below each a context with its maps before and after.

    Args:
      path: The PNG.
      frames: Four or so annotated RGB frames.
      update: The update whose contexts are shown, spread over its M.
    """
    pyplot = _pyplot()
    n = len(frames)
    chosen = np.linspace(0, len(update.contexts) - 1, n).round().astype(int)
    figure, axes = pyplot.subplots(4, n, figsize=(2.4 * n, 8.4), dpi=100, height_ratios=[0.78, 1, 1, 1])
    maps = np.stack([update.unadapted, update.adapted])
    limits = {"vmin": maps.min(), "vmax": maps.max(), "cmap": "viridis"}
    for column, index in enumerate(chosen):
        images = (frames[column], update.contexts[index], update.unadapted[index], update.adapted[index])
        for cell, image in zip(axes[:, column], images, strict=True):
            cell.imshow(image, **({} if image.ndim == 3 else limits))
    _bare(axes)
    for row, name in zip(axes, ("tracked", "context z", "un-adapted", "adapted"), strict=True):
        row[0].set_ylabel(name)
    figure.subplots_adjust(left=0.04, right=0.995, top=0.995, bottom=0.005, wspace=0.03, hspace=0.03)
    with files.whole(path) as (partial,):
        figure.savefig(partial)
    pyplot.close(figure)


def _pyplot():
    """Imports matplotlib's pyplot only where something is drawn, for files alone."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot


def _bare(axes) -> None:
    for cell in axes.flat:
        cell.set_xticks([])
        cell.set_yticks([])
        for spine in cell.spines.values():
            spine.set_visible(False)


def write_figure(path: pathlib.Path, updates: "list[Update]") -> None:
    """Writes a PNG with three rows for each update: contexts, similarity before, similarity after.

    Args:
      path: The PNG.
      updates: At least one update.
    """
    pyplot = _pyplot()
    low = min(min(u.unadapted.min(), u.adapted.min()) for u in updates)
    high = max(max(u.unadapted.max(), u.adapted.max()) for u in updates)
    figure, axes = pyplot.subplots(3 * len(updates), COLUMNS, figsize=(1.5 * COLUMNS, 4.9 * len(updates)), dpi=110)
    for block, update in zip(np.split(axes, len(updates)), updates, strict=True):
        for images, row in zip((update.contexts, update.unadapted, update.adapted), block, strict=True):
            for cell, image in zip(row, images, strict=False):
                shown = cell.imshow(
                    image, **({} if image.ndim == 3 else {"vmin": low, "vmax": high, "cmap": "viridis"})
                )
        for row, name in zip(block, ("contexts z", "un-adapted", "adapted"), strict=True):
            row[0].set_ylabel(name)
        block[0][0].set_title(f"update after frame {update.frame}: moved by {movement(update):.3f}", loc="left")
    _bare(axes)
    figure.subplots_adjust(left=0.04, right=0.91, top=0.97, bottom=0.02, wspace=0.04, hspace=0.16)
    figure.colorbar(shown, cax=figure.add_axes([0.92, 0.1, 0.012, 0.8]), label="similarity (mean cosine)")
    with files.whole(path) as (partial,):
        figure.savefig(partial)
    pyplot.close(figure)
