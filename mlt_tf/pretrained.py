"""Builds the networks of a variant and fills them from a weight file."""

import os
from typing import NamedTuple

from mlt_tf import config, weights
from mlt_tf.adaptation import Adaptation
from mlt_tf.errors import InputError
from mlt_tf.matching import MatchingNetwork
from mlt_tf.meta_learner import HIDDEN_UNITS, MetaLearner

FILES = {"mlt": "mlt.npz", "mlt_mt": "mlt_mt.npz", "mlt_mt_ft": "mlt_mt.npz"}


class Networks(NamedTuple):
    """A matching network, and what MLT has beside it, or None."""

    matching: MatchingNetwork
    meta_learner: MetaLearner | None = None
    adaptation: Adaptation | None = None
    checksum: str = "untrained"

    @property
    def updates(self) -> str:
        """The updates that these networks are for: by the meta-learner where there is one, otherwise none."""
        return "none" if self.meta_learner is None else "meta_learner"


def build(variant: str, layout: str = "paired", bfloat16: bool = False, units: int = HIDDEN_UNITS) -> Networks:
    """Makes a variant's networks with untrained variables."""
    if variant not in config.VARIANTS:
        raise InputError(f"variant {variant!r}: give one of {', '.join(config.VARIANTS)}")
    if variant != "mlt":
        return Networks(MatchingNetwork(config.BASELINE_CHANNELS, bfloat16))
    return Networks(MatchingNetwork(bfloat16=bfloat16), MetaLearner(layout, units=units), Adaptation())


def load(variant: str, path: str | None = None, bfloat16: bool = False) -> Networks:
    """Loads a variant's networks.

    Args:
      variant: One of `config.VARIANTS`.
      path: A weight file with its record beside it; None for the one that the package carries.
      bfloat16: Whether the trunk computes in bfloat16.

    Raises:
      InputError: The file is missing, damaged, or of another variant.
    """
    if variant not in config.VARIANTS:
        raise InputError(f"variant {variant!r}: give one of {', '.join(config.VARIANTS)}")
    path = path or os.path.join(weights.FOLDER, FILES[variant])
    arrays = weights.load(path)
    record = weights.load_record(path)
    bias = arrays.get("meta_learner/hidden1/bias")
    units = HIDDEN_UNITS if bias is None else bias.size
    layout = record.get("layout", "rowwise")
    if variant == "mlt" and layout == "rowwise":
        raise InputError(f"{path}: the meta-learner's row-wise layout is gone after commit 171a062: use that commit")
    networks = build(variant, layout if variant == "mlt" else "paired", bfloat16, units)
    parts = {"matching/": networks.matching, "meta_learner/": networks.meta_learner, "adaptation/": networks.adaptation}
    for prefix, model in parts.items():
        if model is not None:
            weights.assign(model, arrays, prefix)
    return networks._replace(checksum=record["sha256"])


def save(path: str, networks: Networks, record: dict) -> None:
    """Writes a variant's weight file with its record."""
    arrays = weights.collect(networks.matching, "matching/")
    if networks.meta_learner is not None:
        arrays |= weights.collect(networks.meta_learner, "meta_learner/")
        arrays |= weights.collect(networks.adaptation, "adaptation/")
        record = {**record, "layout": networks.meta_learner.layout}
    weights.save(path, arrays, record)
