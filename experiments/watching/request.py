"""How a run is to be watched, and what is watched, as data."""

import dataclasses
from typing import NamedTuple

from data_pipelines.datasets import sequences
from experiments.shared.options import option
from experiments.training.recipe import MatchingRecipe, MetaRecipe
from mlt_tf.storage.pretrained import Networks

AUTO = ("auto",)  # Of the validation sets: those of the split that is not trained on.


@dataclasses.dataclass(frozen=True)
class Watching:
    """How often a run is validated, tracked with and shown, and on what."""

    validation_sets: tuple[str, ...] = option(
        AUTO,
        "Prepared sets to validate and show on; auto: those of the split that is not trained on, where there are any; "
        "empty: none.",
    )
    validate_every: int = option(500, "Steps between two validations; 0 for none.", lower=0)
    validation_batches: int = option(8, "Fixed batches of a validation.", lower=1)
    track_every: int = option(0, "Steps between two tracking runs; 0 for none.", lower=0)
    validation_dir: str | None = option(
        None, "Folder or suite file of videos to track, which no network was trained on and no test set has."
    )
    validation_layout: str = option("otb", "Layout of such a folder.", choices=tuple(sequences.LAYOUTS))
    validation_frames: int = option(60, "Frames to track of each video.", lower=2)
    validation_config: str = option("", "Settings of this tracker: pyramid=exemplars,bfloat16=True is the fastest.")
    reference_scores: str | None = option(
        None, "Compare with these scores of the same videos and frames: a scores.json, or a run's tracking.json."
    )
    show_every: int = option(500, "Steps between two sheets and histograms in TensorBoard; 0 for none.", lower=0)
    profile_steps: tuple[str, ...] = option((), "First and last step to profile, such as 10,20.")


class Subject(NamedTuple):
    """What is watched.

    Attributes:
      data_dir: Folder of the prepared crops.
      recipe: What the run learns by; a `MetaRecipe` where there is a meta-learner.
      networks: The live ones: Networks(network) for the matching network whatever its channels, Networks(network,
        meta_learner, adaptation) for the meta-learner.
    """

    data_dir: str
    recipe: MatchingRecipe | MetaRecipe
    networks: Networks
