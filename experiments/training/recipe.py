"""Recipes: all that decides what a training learns, as data. The defaults are the paper's; `recipes.py` names others.

What a run reads, where it writes and how it is watched is no part of a recipe.
"""

import dataclasses

from experiments.shared.options import option
from mlt_tf import config
from mlt_tf.networks.meta_learner import LAYOUTS

SPLITS = ("train", "validation")
OPTIMIZERS = ("adam", "sgd")
AUGMENTATIONS = ("shift", "strong", "stronger")  # Of the matching network's batches.
PARTS = ("zoom", "rotation", "flip", "colour", "grey", "blur", "noise")  # Of the strong ones.
VIEWS = ("meta", "strong")  # Augmentations of cached views.
BLOCKS = 4  # Of the trunk.


@dataclasses.dataclass(frozen=True)
class Mixture:
    """Which targets are drawn."""

    splits: tuple[str, ...] = option(("train",), "Splits to train on: train, validation, or both.")
    stills_share: float = option(
        0.0, "Share of still images among the targets (prepared with --sets=det_...).", lower=0.0, upper=1.0
    )
    cutouts_share: float = option(
        0.0, "Share of targets made of cut-out objects (prepared with --cutouts).", lower=0.0, upper=1.0
    )


@dataclasses.dataclass(frozen=True)
class Recipe(Mixture):
    """What the recipes of both networks have."""

    batch: int = option(8, "Targets in a batch.", lower=1)
    steps: int = option(0, "Updates in all.", lower=0)
    learning_rate: float = option(1e-4, "Adam's learning rate.", lower=0.0)
    schedule: str = option("constant", "Learning-rate schedule.", choices=("constant", "cosine"))
    warmup: int = option(0, "Steps of linear warm-up (cosine only).", lower=0)
    optimizer: str = option("adam", "Adam, or plain gradient descent.", choices=OPTIMIZERS)
    clip_norm: float = option(0.0, "Global norm that gradients are clipped to; 0 for none.", lower=0.0)
    label_radius: float = option(config.LABEL_RADIUS, "Cells at most this far from the target are positive.", lower=0.0)
    ranking: float = option(0.0, "Weight of the cross-entropy of the target's place; the paper has none.", lower=0.0)
    average: float = option(
        0.0,
        "Momentum of the average of the weights that is validated and exported, such as 0.999; 0: the weights "
        "themselves.",
        lower=0.0,
        upper=1.0,
    )
    bfloat16: bool = option(False, "Compute the trunk in bfloat16, where that is faster.")


@dataclasses.dataclass(frozen=True)
class MatchingRecipe(Recipe):
    """How the matching network is trained (Sec. 3.2.1)."""

    channels: int = option(
        config.MATCHING_CHANNELS, "Channels of w5: 192, or 224 for MLT-mt.", lower=1, upper=config.BASELINE_CHANNELS
    )
    batches: str = option(
        "pairs", "Plain pairs, or contexts as one another's exemplars.", choices=("pairs", "contexts")
    )
    batch: int = option(8, "Pairs in a batch; with --batches=contexts, contexts, two of each target.", lower=1)
    context_size: int = option(
        config.CONTEXT_SIZE,
        "Side of z in pixels: 255, or less for cheaper steps with a smaller map.",
        lower=config.EXEMPLAR_SIZE,
    )
    steps: int = option(95000, "Updates in all.", lower=0)
    response_rate: float = option(20.0, "Learning rate of the response's scale and bias over the others'.", lower=0.0)
    augmentation: str = option("shift", "Translation alone, or as in sampling.py.", choices=AUGMENTATIONS)
    leave_out: tuple[str, ...] = option((), f"Parts of --augmentation to leave out: {', '.join(PARTS)}.")
    patches: int = option(
        0, "Patches of each still's contexts that are exemplars too; for --batches=contexts.", lower=0
    )
    pasted_stills: float = option(
        0.0,
        "Chance that a still's target is shown before another background; for --batches=contexts.",
        lower=0.0,
        upper=1.0,
    )
    max_gap: int = option(100, "x and z are at most this many frames apart.", lower=0)
    trunk_rate: float = option(1.0, "Learning rate of the trunk over that of w5; 0 freezes it.", lower=0)
    frozen_blocks: int = option(
        0, "First blocks of the trunk that stay as they start, with their stored statistics.", lower=0, upper=BLOCKS
    )
    frozen_steps: int = option(0, "First steps in which the whole trunk stays as it starts.", lower=0)
    pull: float = option(
        0.0, "Weight decay of the trunk's kernels towards --start_from: w -= rate * pull * (w - start).", lower=0
    )


@dataclasses.dataclass(frozen=True)
class LightRecipe(Mixture):
    """How a light trunk is taught to give the full one's features; the paper has none."""

    batch: int = option(8, "Contexts in a batch, two of each target.", lower=2)
    context_size: int = option(191, "Side of the contexts in pixels, from 127 up.", lower=config.EXEMPLAR_SIZE)
    augmentation: str = option("strong", "Of the contexts, as in sampling.py.", choices=AUGMENTATIONS)
    steps: int = option(3000, "Updates in all.", lower=0)
    learning_rate: float = option(3e-4, "Adam's learning rate.", lower=0.0)
    schedule: str = option("cosine", "Learning-rate schedule.", choices=("constant", "cosine"))
    warmup: int = option(50, "Steps of linear warm-up (cosine only).", lower=0)
    clip_norm: float = option(1.0, "Global norm that gradients are clipped to; 0 for none.", lower=0.0)
    factors: bool = option(True, "Start from low-rank factors of the full trunk's kernels; else at random.")
    responses: float = option(1.0, "Weight of the loss on similarities, beside the one on features.", lower=0)
    bfloat16: bool = option(False, "Compute the full trunk in bfloat16, where that is faster.")


@dataclasses.dataclass(frozen=True)
class MetaRecipe(Recipe):
    """How the meta-learner is trained (Sec. 3.2.2)."""

    splits: tuple[str, ...] = option(("validation",), "Splits to train on: train, validation, or both.")
    layout: str = option("paired", "What the layers act on: see MetaLearner.", choices=LAYOUTS)
    contexts: int = option(16, "M': contexts of a target in the loss.", lower=1)
    samples: int = option(8, "M: contexts of a target that make delta.", lower=1)
    steps: int = option(11000, "Updates in all.", lower=0)
    attention: bool = option(True, "Train the gates; else they stay open.")
    distractors: float = option(0.0, "Weight of the loss on other targets' contexts; the paper has none.", lower=0.0)
    features: str = option(
        "images", "Pass images through the trunk, or cache its features.", choices=("images", "cached")
    )
    views: tuple[str, ...] = option(
        ("24", "6"), "Cached views of a video, of a still, and of a made trajectory (else as a video)."
    )
    view_augmentation: str = option(
        "meta", "How cached views are changed: see data_pipelines/batches/sampling.py.", choices=VIEWS
    )
    pasted_stills: float = option(
        0.0,
        "Chance of a still's cached view to have another background; for --features=cached.",
        lower=0.0,
        upper=1.0,
    )
    tracked_share: float = option(
        0.0,
        "Share of sets whose M contexts a simulated tracker collected, with its errors, in the cached views; for "
        "--features=cached.",
        lower=0.0,
        upper=1.0,
    )
    jitter: float = option(
        1.0, "Standard deviation, in cells, of the shifts behind delta (--features=cached).", lower=0.0
    )
