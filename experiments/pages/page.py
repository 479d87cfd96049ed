"""Builds the page of an evaluation run: one HTML file that requests nothing, not even from beside it."""

import html
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from experiments.figures import curve_figures, figure_style
from experiments.pages import page_parts
from experiments.scoring.comparison import Comparison

EXTREMES = 3  # How many best and worst sequences.
_ASSETS = pathlib.Path(__file__).parents[1] / "assets"
# The browser itself refuses whatever is not in the file.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


class Origin(NamedTuple):
    """Where the page comes from: when, of which commit, by which command, and of each tracker what is on record."""

    date: str
    commit: str | None
    command: str
    runs: Mapping[str, Mapping[str, Any]]


def extremes(compared: Comparison, focus: str) -> tuple[list[str], list[str]]:
    """Names the targets with the highest and with the lowest AUC of a tracker, none in both."""
    scores = compared.scores[focus].sequences
    ranked = sorted(scores, key=lambda name: -scores[name].auc)
    count = min(EXTREMES, (len(ranked) + 1) // 2)
    return ranked[:count], ranked[count:][::-1][:EXTREMES]


def build(
    compared: Comparison, origin: Origin, focus: str, thumbnails: Mapping[str, list[tuple[int, bytes]]] | None
) -> str:
    """Builds the page.

    Args:
      compared: What is shown.
      origin: Where it comes from.
      focus: The tracker whose best and worst sequences are shown.
      thumbnails: Target to (frame number, JPEG); None for a page without any pixel of the data set.
    """
    looks = figure_style.styles(compared.scores)
    title = f"Evaluation on {compared.title}"
    body = [
        _header(compared, origin, title, thumbnails is not None),
        "<h2>Trackers</h2>",
        _trackers(compared, looks),
        _runs(origin, looks),
        "<h2>Success and precision</h2>",
        _plots(compared),
        f"<h2>Best and worst of {html.escape(looks[focus].label)}</h2>",
        *_best_and_worst(compared, looks, focus, thumbnails),
        "<h2>AUC of each target</h2>",
        _targets(compared, looks),
        "<h2>Overlap over time</h2>",
        f"<p>{html.escape(looks[focus].label)} is the wide line; the number is its mean overlap. Lines break where a "
        "frame has no ground truth that counts.</p>",
        page_parts.key(looks),
        f'<div class="tracks">{"".join(_track(compared, looks, focus, name) for name in compared.sequences)}</div>',
    ]
    style, script = ((_ASSETS / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    return "\n".join(
        [
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            f"<title>{html.escape(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>",
            *body,
            f"<script>\n{script}</script>\n</body>\n</html>\n",
        ]
    )


def _header(compared: Comparison, origin: Origin, title: str, with_frames: bool) -> str:
    kind = ' class="partial"' if compared.partial else ""
    entries = {
        "Date": html.escape(origin.date),
        "Commit": f"<code>{html.escape(origin.commit or 'not from a git checkout')}</code>",
        "Command": f"<code>{html.escape(origin.command)}</code>",
        "Data set": html.escape(compared.title),
        "Targets": f"<span{kind}>{html.escape(curve_figures.which_targets(compared))}</span>",
        "Scored by": f"the rules of {html.escape(compared.protocol.name)}, one-pass evaluation",
    }
    if not with_frames:
        entries["Frames"] = "none of the data set's are in this page"
    listed = "".join(f"<dt>{name}</dt><dd>{text}</dd>" for name, text in entries.items())
    notes = "".join(f"<p>Note: {html.escape(note)}</p>" for note in compared.notes)
    return f"<header><h1>{html.escape(title)}</h1><dl>{listed}</dl>{notes}</header>"


def _trackers(compared: Comparison, looks: Mapping[str, figure_style.Style]) -> str:
    normalised = all(score.normalised_precision is not None for score in compared.scores.values())
    fields = ["auc", "precision", *(["normalised_precision"] if normalised else []), "mean_overlap"]
    heads = {"auc": "AUC", "normalised_precision": "norm. precision", "mean_overlap": "mean overlap"}
    ranked = sorted(compared.scores, key=lambda tracker: -compared.scores[tracker].auc)
    rows = []
    for tracker in ranked:
        score, fps = compared.scores[tracker], compared.fps[tracker]
        cells = [page_parts.number(getattr(score, field)) for field in fields]
        speed = page_parts.number(float(np.mean(list(fps.values()))) if fps else None, 1)
        rows.append([page_parts.Cell(looks[tracker].label, looks[tracker].label), *cells, speed])
    made = page_parts.table(["tracker", *(heads.get(field, field) for field in fields), "fps"], rows, "trackers")
    return made + (
        "<p>AUC: mean of the success curve; precision: share of frames with a centre error up to 20 pixels; "
        "fps: in the run that made the results, where its times are on record, by a target's median frame, mean of "
        "targets.</p>"
    )


def _runs(origin: Origin, looks: Mapping[str, figure_style.Style]) -> str:
    """Says how each tracker's results were made, as far as that lies beside them."""
    entries = []
    for tracker, look in looks.items():
        run = origin.runs.get(tracker, {})
        text = "; ".join(f"{html.escape(name)} <code>{html.escape(str(value))}</code>" for name, value in run.items())
        entries.append(f"<dt>{html.escape(look.label)}</dt><dd>{text or 'raw result files, nothing on record'}</dd>")
    return f"<details><summary>How the results were made</summary><dl>{''.join(entries)}</dl></details>"


def _plots(compared: Comparison) -> str:
    figures = {
        "Success plot": curve_figures.draw_success(compared),
        "Precision plot": curve_figures.draw_precision(compared),
    }
    images = (page_parts.image(figure_style.as_png(figure), "image/png", name) for name, figure in figures.items())
    return f'<div class="plots">{"".join(images)}</div>'


def _best_and_worst(
    compared: Comparison,
    looks: Mapping[str, figure_style.Style],
    focus: str,
    thumbnails: Mapping[str, list[tuple[int, bytes]]] | None,
) -> Iterator[str]:
    """Yields strips of frames of the best and worst targets, or without frames their overlaps."""
    if thumbnails is None:
        yield page_parts.key(looks)
    else:
        yield page_parts.key({focus: looks[focus]}, "box", **{"ground truth": "#ffffff"})
    for kind, names in zip(("best", "worst"), extremes(compared, focus)):
        parts = []
        for name in names:
            score = compared.scores[focus].sequences[name]
            text = f"{kind}: {name}, AUC {score.auc:.3f}, {len(compared.boxes[focus][name])} frames"
            if thumbnails is None:
                parts.append(_track(compared, looks, focus, name, text))
                continue
            shots = "".join(
                page_parts.image(jpeg, "image/jpeg", f"frame {frame} of {name}") for frame, jpeg in thumbnails[name]
            )
            parts.append(f'<figure class="strip"><figcaption>{html.escape(text)}</figcaption>{shots}</figure>')
        yield "".join(parts) if thumbnails is not None else f'<div class="tracks">{"".join(parts)}</div>'


def _targets(compared: Comparison, looks: Mapping[str, figure_style.Style]) -> str:
    rows = []
    for name, sequence in compared.sequences.items():
        values = [round(score.sequences[name].auc, 3) for score in compared.scores.values()]
        marks = " ".join(sequence.attributes)
        rows.append(
            [
                page_parts.Cell(name, name),
                page_parts.number(len(sequence.boxes_xywh), 0),
                *(page_parts.number(value, 3, "best" if value == max(values) else "") for value in values),
                page_parts.Cell(marks, marks, "words"),
            ]
        )
    heads = ["target", "frames", *(looks[tracker].label for tracker in compared.scores), "attributes"]
    return page_parts.table(heads, rows, "targets")


def _track(
    compared: Comparison, looks: Mapping[str, figure_style.Style], focus: str, name: str, caption: str = ""
) -> str:
    """Makes the plot of a target's overlaps, which says how they are where no caption is given."""
    overlaps = {tracker: of_tracker[name] for tracker, of_tracker in compared.overlaps.items()}
    mean = compared.scores[focus].sequences[name].mean_overlap
    text = f"{name}, {len(overlaps[focus])} frames: {looks[focus].label} {mean:.3f}"
    plot = page_parts.overlap_plot(overlaps, looks, focus, f"Overlap over time, {text}")
    return f"<figure>{plot}<figcaption>{html.escape(caption or text)}</figcaption></figure>"
