"""Networks as weight files hold them: what a file's arrays are of, and what belongs to them, is read from the file."""

import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from mlt_tf import config
from mlt_tf.errors import InputError
from mlt_tf.networks.adaptation import Adaptation
from mlt_tf.networks.light import LightTrunk
from mlt_tf.networks.matching import MatchingNetwork
from mlt_tf.networks.meta_learner import HIDDEN_UNITS, MetaLearner
from mlt_tf.storage import light_file, weight_file, weights

FILES = {"mlt": "mlt.npz", "mlt_mt": "mlt_mt.npz", "mlt_mt_ft": "mlt_mt.npz"}
SETTINGS = ("samples", "label_radius")  # Settings of the tracker that networks are trained with.
_MATCHING, _META, _ADAPTATION = "matching/", "meta_learner/", "adaptation/"  # Before the names of arrays.


class Networks(NamedTuple):
    """What a weight file holds.

    Attributes:
      matching: The matching network.
      meta_learner: What MLT has beside it, or None.
      adaptation: Likewise.
      checksum: The file's.
      settings: Those of `SETTINGS` that the networks were trained with, where they are known.
      light: What tracks in the place of the matching network's trunk; None for that trunk.
    """

    matching: MatchingNetwork
    meta_learner: MetaLearner | None = None
    adaptation: Adaptation | None = None
    checksum: str = "untrained"
    settings: Mapping[str, Any] = MappingProxyType({})
    light: LightTrunk | None = None

    @property
    def updates(self) -> str:
        """The updates that these networks are for: by the meta-learner where there is one, otherwise none."""
        return "none" if self.meta_learner is None else "meta_learner"


class Contents(NamedTuple):
    """What the arrays of a weight file are of.

    Attributes:
      channels: Of the matching network's last layer.
      layout: The meta-learner's; None without one.
      units: Of each of its hidden layers.
    """

    channels: int
    layout: str | None = None
    units: int = HIDDEN_UNITS

    @property
    def variant(self) -> str:
        """Table 2's name of a tracker of these, the one that never updates where there is no meta-learner."""
        return "mlt_mt" if self.layout is None else "mlt"


def build(variant: str, layout: str = "paired", bfloat16: bool = False, units: int = HIDDEN_UNITS) -> Networks:
    """Makes a variant's networks with untrained variables, as large as the paper's."""
    _check_known(variant)
    if variant != "mlt":
        return _make(Contents(config.BASELINE_CHANNELS), bfloat16)
    return _make(Contents(config.MATCHING_CHANNELS, layout, units), bfloat16)


def load(variant: str | None = None, path: str | None = None, bfloat16: bool = False, trunk: str = "full") -> Networks:
    """Loads networks from a file of either training.

    Args:
      variant: The one of `config.VARIANTS` that they are for; None for what the file holds.
      path: The weight file; None for the one that the package carries, MLT's where no variant is given.
      bfloat16: Whether the trunk computes in bfloat16.
      trunk: One of `config.TRUNKS`; "light" loads the light trunk of these networks from the file beside theirs.

    Raises:
      InputError: The file is missing, damaged, or no file of ours, or the variant needs another; or there is no light
        trunk of these networks.
    """
    if variant is not None:
        _check_known(variant)
    path = path or os.path.join(weights.FOLDER, FILES[variant or "mlt"])
    arrays, record = weight_file.read(path)
    arrays = _named_in_full(arrays)
    try:
        found = contents(arrays)
        _check_fits(variant, found)
        settings = own_settings(record)
        networks = _make(found, bfloat16)
        for prefix, model in zip((_MATCHING, _META, _ADAPTATION), networks):
            if model is not None:
                weights.assign(model, arrays, prefix)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    networks = networks._replace(checksum=record[weight_file.CHECKSUM], settings=settings)
    if trunk == "light":
        light = light_file.load(light_file.beside(path), networks.matching.extractor, bfloat16)
        return networks._replace(light=light, checksum=f"{networks.checksum} with light {light_file.digest(light)}")
    return networks


def variant_in(path: str) -> str:
    """Returns the variant that a weight file tracks as where none is asked for: "mlt" or "mlt_mt"; see `load`."""
    try:
        return contents(_named_in_full(weight_file.read(path).arrays)).variant
    except InputError as error:
        raise InputError(str(error) if path in str(error) else f"{path}: {error}") from error


def save(path: str, networks: Networks, record: dict) -> None:
    """Writes networks to a weight file, with what they are and their settings in its record.

    Of a matching network alone the arrays are named as its variables are.
    """
    matching, meta_learner, adaptation = networks[:3]
    described = {"networks": "matching", "channels": matching.channels, "settings": dict(networks.settings)}
    if meta_learner is None:
        return weights.save(path, weights.collect(matching), {**record, **described})
    described |= {"networks": "mlt", "layout": meta_learner.layout, "hidden_units": meta_learner.hidden1.units}
    parts = {_MATCHING: matching, _META: meta_learner, _ADAPTATION: adaptation}
    arrays = {name: array for prefix, model in parts.items() for name, array in weights.collect(model, prefix).items()}
    return weights.save(path, arrays, {**record, **described})


def configure(networks: Networks, overrides: Mapping[str, Any]) -> config.TrackerConfig:
    """Returns the settings to track with: the networks' own over the defaults, and `overrides` over both.

    Raises:
      InputError: An override is unknown or of another type.
    """
    return config.TrackerConfig().replace(**{**networks.settings, **overrides})


def contents(arrays: Mapping[str, np.ndarray]) -> Contents:
    """Finds out what networks arrays are of; their names begin with the network's, such as matching/w5.

    Raises:
      InputError: They are of none of ours, or of one that is gone.
    """
    w5 = arrays.get(_MATCHING + "w5", np.zeros(0))
    if w5.ndim != 2 or len(w5) != config.TRUNK_CHANNELS or not 1 <= w5.shape[1] <= config.BASELINE_CHANNELS:
        raise InputError(
            f"no weights of ours: there should be kernels w5 of {config.TRUNK_CHANNELS} x 1 to "
            f"{config.BASELINE_CHANNELS}, and there are {w5.shape if w5.size else 'none'}"
        )
    channels = w5.shape[1]
    if not any(name.startswith(_META) for name in arrays):
        return Contents(channels)
    if channels != config.MATCHING_CHANNELS:
        raise InputError(f"a meta-learner beside kernels w5 of {channels} channels: it is made for 192")
    first, second = (arrays.get(f"{_META}hidden{n}/kernel", np.zeros(0)) for n in (1, 2))
    if first.ndim != 2 or second.shape != (first.shape[1], first.shape[1]):
        raise InputError(f"hidden layers of a meta-learner that do not fit: {first.shape} and {second.shape}")
    layouts = {
        2 * channels + 1: "paired",  # A row of delta, a row of w5, delta's norm.
        config.TRUNK_CHANNELS * channels + 1: "flat",
        channels + 1: "rowwise",
    }
    layout = layouts.get(first.shape[0])
    if layout == "rowwise":
        raise InputError(
            "the meta-learner's row-wise layout is gone after commit 171a062: use that commit, or train anew"
        )
    if layout is None:
        raise InputError(f"a meta-learner of {first.shape[0]} inputs, which none of ours has")
    return Contents(channels, layout, first.shape[1])


def own_settings(record: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the settings that a file's record says its networks were trained with.

    Raises:
      InputError: They are none.
    """
    settings = record.get("settings", {})
    if not isinstance(settings, dict) or not settings.keys() <= set(SETTINGS):
        raise InputError(
            f"settings {str(settings)[:100]!r} in the record: there should be some of {', '.join(SETTINGS)}"
        )
    config.TrackerConfig().replace(**settings)
    return settings


def _check_known(variant):
    if variant not in config.VARIANTS:
        raise InputError(f"variant {variant!r}: give one of {', '.join(config.VARIANTS)}")


def _check_fits(variant, found):
    """Says which variants a file is for, if the one that was asked for is not among them."""
    if variant is None or (variant == "mlt") == (found.variant == "mlt"):
        return
    if variant == "mlt":
        raise InputError("a matching network alone: give the variant mlt_mt or mlt_mt_ft, or a file of a meta-learner")
    raise InputError(f"weights of mlt, with a meta-learner, which {variant} has not: give no variant, or another file")


def _make(found, bfloat16):
    matching = MatchingNetwork(found.channels, bfloat16)
    if found.layout is None:
        return Networks(matching)
    return Networks(matching, MetaLearner(found.layout, units=found.units), Adaptation())


def _named_in_full(arrays):
    """Names the arrays of a matching network alone as in a file of several networks."""
    return {_MATCHING + name: array for name, array in arrays.items()} if "w5" in arrays else arrays
