"""Every number of the method, each with its source; `[ours]` marks a choice where the paper is silent."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from mlt_tf.errors import InputError

EXEMPLAR_SIZE = 127  # Side of x in pixels (Sec. 3.2.1).
CONTEXT_SIZE = 255  # Side of z in pixels (Sec. 3.2.1).
STRIDE = 8  # Pixels of a crop per cell of its features: 2 (conv1) * 2 * 2 (pools).
EXEMPLAR_CELLS = 8  # Side of phi(x) in cells.
CONTEXT_CELLS = 24  # Side of phi(z) in cells.
RESPONSE_CELLS = 17  # Side of the response map: 24 - 8 + 1.
TRUNK_CHANNELS = 256  # Channels of phi_w1..w4, and rows of w5.
MATCHING_CHANNELS = 192  # Channels of w5 (Sec. 3.2.2).
TARGET_CHANNELS = 32  # Channels of w_target (Sec. 3.2.2).
BASELINE_CHANNELS = MATCHING_CHANNELS + TARGET_CHANNELS  # Channels of w5 in MLT-mt and MLT-mt+ft (Sec. 4.2.1).
SMALLEST_BOX = 1.0  # Pixels; sides below are refused: what is given as fractions of the frame has such.
UPDATES = {"mlt": "meta_learner", "mlt_mt": "none", "mlt_mt_ft": "fine_tuning"}  # While tracking, by variant (Table 2).
VARIANTS = tuple(UPDATES)
# Where the three scales come from: three contexts z, as in the paper, or, with one context a frame, three exemplars x
# or two patches about the target's new place (`pyramid.py`).
PYRAMIDS = ("contexts", "exemplars", "patches")
REDUCED = {"pyramid": "exemplars"}  # Settings of the reduced mode: a third of the trunk's work.
TRUNKS = ("full", "light")  # The paper's; `light.LightTrunk`, which gives its features for a fifth of its work.
# The fast mode: the light trunk, smaller contexts while the target is calm, sizes that change more readily, and as much
# say for the network as it was trained as for the updated one.
FAST = {
    "pyramid": "patches",
    "trunk": "light",
    "near": True,
    "scale_damping": 0.9,
    "growth": 1.002,
    "unadapted_share": 0.5,
}
MODES = {"fast": FAST, "reduced": REDUCED}  # Named so in `--config`.
# What records of before 0.1.0 lack: then it was so.
LATER = {"trunk": "full", "near": False, "update_beside": False, "growth": 1.0, "unadapted_share": 0.0}
GONE = {"penalise": "the penalties multiply (similarity + 1) / 2"}  # Settings that lost; 171a062 last had them.
LABEL_RADIUS = 2.0  # [ours] Positives are the cells at most this far from the target, SiamFC's 16 px.


def completed(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a record's settings of a tracker with those that came later: `LATER`; no settings stay none."""
    return {**LATER, **settings} if settings else {}


@dataclasses.dataclass(frozen=True)
class TrackerConfig:
    """Settings of Algorithm 1; the defaults are the paper's (Sec. 4.1), where they are not ours."""

    scale_step: float = 1.035  # Scales 1, 1/1.035 and 1.035.
    # [ours] Multiplies the maps of the two off-scales. With the paper's 0.97, which is for a response of another range,
    # no size ever changes: a step of 1.035 changes a similarity by less than 0.01.
    scale_penalty: float = 0.996
    growth: float = 1.0  # [ours] Multiplies the larger scale's map and divides the smaller's.
    scale_damping: float = 0.59  # Share of a new scale that is taken over.
    window_influence: float = 0.25  # The cosine window h enters as (1 - 0.25) + 0.25 * h [ours].
    tau: float = 0.5  # A frame is confident where its similarity at the new state exceeds this.
    update_interval: int = 30  # T: frames between two updates.
    samples: int = 8  # M: contexts in one update.
    memory: int = 64  # K [ours]: contexts kept; the oldest leaves first.
    label_radius: float = LABEL_RADIUS  # Of the label in Eq. 2, cells; that which the networks were trained with.
    unadapted_share: float = 0.0  # [ours] Share of the un-adapted network's similarity in what finds updated targets.
    keep_first: bool = True  # [ours] The first frame's context is always among the M.
    pyramid: str = "contexts"  # See PYRAMIDS; "exemplars" needs a third of the trunk's work, "patches" 45 %.
    trunk: str = "full"  # [ours] See TRUNKS.
    near: bool = False  # [ours] Calm targets are searched for in smaller contexts, but where updates come in parts.
    lost_below: float = 0.35  # [ours] `lost` labels frames whose similarity is lower; it changes nothing.
    update_beside: bool = False  # [ours] Updates come in parts, one a frame, and are used when all are done.
    bfloat16: bool = False  # [ours] The trunk computes in bfloat16: faster where the processor has it.
    finetune_interval: int = 50  # MLT-mt+ft: frames between two updates (Sec. 4.2.1).
    finetune_steps: int = 30  # MLT-mt+ft: Adam steps of an update.
    finetune_rate: float = 1e-3  # MLT-mt+ft: Adam's learning rate.

    def __post_init__(self):
        choices = {"pyramid": PYRAMIDS, "trunk": TRUNKS}
        for name, known in choices.items():
            if (value := getattr(self, name)) not in known:
                raise InputError(f"{name}={value!r} in the tracker's settings: give one of {', '.join(known)}")
        for name in ("update_interval", "samples", "memory", "finetune_interval", "finetune_steps"):
            if getattr(self, name) < 1:
                raise InputError(
                    f"{name}={getattr(self, name)} in the tracker's settings: give a whole number from 1 up"
                )
        if self.label_radius < 0:
            raise InputError(f"label_radius={self.label_radius:g} in the tracker's settings: give a number from 0 up")
        if self.scale_step <= 1 or not 0 <= self.window_influence <= 1:
            raise InputError("scale_step must exceed 1 and window_influence lie in 0..1 in the tracker's settings")
        if not 0 <= self.unadapted_share < 1:
            raise InputError(
                f"unadapted_share={self.unadapted_share:g} in the tracker's settings: give a number from 0 up, below 1"
            )
        if self.growth <= 0:
            raise InputError(f"growth={self.growth:g} in the tracker's settings: give a number above 0, 1 for none")

    def replace(self, **overrides) -> "TrackerConfig":
        """Returns a copy with some settings changed.

        Raises:
          InputError: A name is unknown or gone, or a value has another type.
        """
        types = {field.name: field.type for field in dataclasses.fields(self)}
        changed = {}
        for name, value in overrides.items():
            if name in GONE:
                raise InputError(f"tracker setting {name!r} is gone after commit 171a062: {GONE[name]}; leave it out")
            if name not in types:
                raise InputError(f"unknown tracker setting {name!r}: the settings are {', '.join(types)}")
            changed[name] = float(value) if types[name] is float and type(value) is int else value
            if type(changed[name]) is not types[name]:
                raise InputError(f"tracker setting {name}={value!r}: expected {types[name].__name__}")
        return dataclasses.replace(self, **changed)
