"""What computes the trunk: TensorFlow, or another runtime with a model that export_model made."""

import dataclasses

from experiments.shared.options import option
from mlt_tf.errors import InputError

RUNTIMES = ("tensorflow", "openvino")


@dataclasses.dataclass(frozen=True)
class RuntimeOptions:
    """The tracker."""

    runtime: str = option(
        "tensorflow",
        "What computes the trunk; openvino does so in 8 bits: faster where the processor has VNNI or AMX.",
        choices=RUNTIMES,
    )
    trunk_file: str | None = option(
        None, "With --runtime=openvino: trunk.xml of `export_model --format openvino`, of the same weights."
    )


def loaded_with(asked: RuntimeOptions) -> dict[str, str]:
    """Returns what `MultiTracker.load` is to be given for what is asked for.

    Raises:
      InputError: A runtime without its trunk, or a trunk without its runtime.
    """
    if (asked.runtime == "openvino") != (asked.trunk_file is not None):
        raise InputError(
            "--runtime=openvino and --trunk_file=FOLDER/trunk.xml go together; "
            "`python -m experiments.export_model --format openvino --data_dir crops --out FOLDER` makes it"
        )
    return {} if asked.trunk_file is None else {"openvino": asked.trunk_file}
