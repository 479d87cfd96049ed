"""Exports a variant for use without this package.

    python -m experiments.export_model --variant mlt --out mlt_saved_model
    python -m experiments.export_model --variant mlt --format tflite --int8 --data_dir crops --out mlt_lite
    python -m experiments.export_model --variant mlt --format openvino --data_dir crops --out mlt_openvino
    python -m experiments.export_model --variant mlt --format onnx --out mlt_onnx
    python -m experiments.export_model --variant mlt --format hlo --batch 16 --out mlt_hlo

`saved_model`: the complete tracker (signatures `init` and `track`) and the network (`embed`, `match`); TensorFlow alone
runs it. `tflite`: `match.tflite` and `trunk.tflite`, the network for TensorFlow Lite. `openvino`: the trunk in 8 bits,
for `mlt-track --runtime=openvino`. `onnx`: `trunk.onnx`, `match.onnx` and `layer.npz`, the network for what reads ONNX.
`hlo`: the compiled steps as XLA programs. docs/export.md has examples.
"""

import dataclasses
import importlib.util
import json
import os
import pathlib
from collections.abc import Iterator

import numpy as np
from absl import flags, logging

from experiments.running import trackers
from experiments.shared import command_line, help_text, output, progress, provenance
from mlt_tf import config, files
from mlt_tf.deploy import sealed
from mlt_tf.errors import InputError

FORMATS = ("saved_model", "tflite", "openvino", "onnx", "hlo")
PACKAGES = {"openvino": ("openvino", "nncf"), "onnx": ("onnx", "onnxruntime", "tf2onnx")}  # That formats need.


def define_flags(values: flags.FlagValues) -> None:
    """Defines the binary's flags in `values`."""
    flags.DEFINE_enum("variant", None, config.VARIANTS, "The tracker (Table 2); see mlt-track.", flag_values=values)
    flags.DEFINE_string("weights", None, "Weight file; the package's own if not given.", flag_values=values)
    flags.DEFINE_string("config", "", 'Settings of the tracker: "pyramid=exemplars".', flag_values=values)
    flags.DEFINE_enum("format", "saved_model", FORMATS, "What to write.", flag_values=values)
    flags.DEFINE_bool("int8", False, "With --format=tflite: compute with 8-bit integers.", flag_values=values)
    flags.DEFINE_string("data_dir", None, "For integers: folder of prepared crops, for the ranges.", flag_values=values)
    flags.DEFINE_integer("samples", 200, "For integers: how many of them.", 1, flag_values=values)
    flags.DEFINE_integer("batch", 1, "With --format=hlo: number of targets.", 1, flag_values=values)
    flags.DEFINE_string("out", None, "Folder to write, which must not exist.", required=True, flag_values=values)
    help_text.need(values, data_dir="with --int8 and --format=openvino")


def sample_contexts(data_dir: str, count: int) -> Iterator[np.ndarray]:
    """Yields contexts [255, 255, 3] of the prepared training videos, as training draws them without augmentation."""
    from data_pipelines.batches import pairs, sampling, streams
    from data_pipelines.crops.crop_store import CropStore

    store = CropStore(data_dir, ["vid_train"])
    sampler = sampling.Sampler(store.videos, store.stills, 0.0, sampling.Augmentation(), seed=0)
    batches = iter(streams.Stream(store, sampler, pairs.pairs(1)).batches())
    for _ in range(count):
        _, z, _ = next(batches)
        yield z[0].numpy()


def _shown_contexts(data_dir, count):
    return progress.shown(sample_contexts(data_dir, count), count, "export_model", "contexts drawn")


def write_saved_model(networks, settings: config.TrackerConfig, updates: str, folder: pathlib.Path) -> None:
    """Writes the complete tracker."""
    from mlt_tf.deploy import export

    export.save(networks, settings, folder, updates)


def write_lite(networks, contexts: list[np.ndarray] | None, folder: pathlib.Path) -> None:
    """Writes the network for TensorFlow Lite, in integers where there are contexts to take ranges from."""
    from mlt_tf.deploy import lite

    folder.mkdir()
    (folder / "trunk.tflite").write_bytes(lite.convert_trunk(networks, contexts))
    (folder / "match.tflite").write_bytes(lite.convert_network(networks, contexts))


def write_openvino(networks, contexts: list[np.ndarray], folder: pathlib.Path) -> None:
    """Writes the trunk for OpenVINO, in integers with ranges from the contexts."""
    from mlt_tf.deploy import openvino_trunk

    folder.mkdir()
    openvino_trunk.write_trunk(networks, contexts, folder)


def write_onnx(networks, folder: pathlib.Path) -> None:
    """Writes the network as ONNX, if ONNX Runtime then computes what TensorFlow does."""
    from mlt_tf.deploy import onnx_models

    folder.mkdir()
    onnx_models.write_models(networks, folder)


def write_programs(networks, settings: config.TrackerConfig, batch: int, updates: str, folder: pathlib.Path) -> None:
    """Writes each compiled step as an XLA program, its weights, and what goes in and comes out."""
    from mlt_tf.deploy import programs

    folder.mkdir()
    for name, program in programs.make_programs(networks, settings, batch, updates).items():
        (folder / f"{name}.hlo").write_bytes(program.hlo)
        np.savez(folder / f"{name}.npz", **{f"s{i}": value for i, value in enumerate(program.state)})
        described = {"args": program.args, "results": program.results, "state": len(program.state)}
        (folder / f"{name}.json").write_text(json.dumps(described, indent=1) + "\n")


def check(values: flags.FlagValues) -> config.TrackerConfig:
    """Returns the tracker's settings.

    Raises:
      InputError: Flags do not go together, or the folder exists.
    """
    settings = config.TrackerConfig().replace(**trackers.parse_config(values.config))
    if os.path.lexists(values.out):
        raise InputError(f"{values.out} exists already; remove it or choose another --out")
    if values.int8 and (values.format != "tflite" or not values.data_dir):
        raise InputError("--int8 needs --format=tflite, and --data_dir with the crops that its ranges come from")
    if values.format == "openvino" and not values.data_dir:
        raise InputError("--format=openvino needs --data_dir with the crops that the 8 bits' ranges come from")
    if missing := [name for name in PACKAGES.get(values.format, ()) if importlib.util.find_spec(name) is None]:
        raise InputError(f"{' and '.join(missing)} not installed: pip install 'mlt_tf[{values.format}]'")
    if values.format in ("tflite", "openvino", "onnx") and settings.bfloat16:
        raise InputError(f"--config=bfloat16=True: --format={values.format} has no such type; leave it out")
    if values.format in ("tflite", "openvino", "onnx") and settings.trunk == "light":
        raise InputError(f"--config: trunk=light is not exported by --format={values.format}; --config=reduced is")
    return settings


def export_model(values: flags.FlagValues) -> None:
    """Writes what the flags ask for, whole or not at all."""
    settings = check(values)
    from mlt_tf.storage import pretrained  # TensorFlow starts only after the cheap checks.
    from mlt_tf.tracking import update_rules

    logging.set_verbosity(logging.WARNING)  # TensorFlow has much to say of what it writes.
    with progress.waiting("export_model", "loading the weights"):
        networks = pretrained.load(values.variant, values.weights, settings.bfloat16, settings.trunk)
    settings = pretrained.configure(networks, trackers.parse_config(values.config))
    updates = config.UPDATES[values.variant] if values.variant else networks.updates
    integers = values.int8 or values.format == "openvino"
    contexts = list(_shown_contexts(values.data_dir, values.samples)) if integers else None
    out = pathlib.Path(values.out)
    with (
        output.writing(out, "--out"),
        files.whole(out) as (name,),
        progress.waiting("export_model", f"compiling and writing {out}"),
    ):
        part = pathlib.Path(name)
        if values.format == "saved_model":
            write_saved_model(networks, settings, updates, part)
        elif values.format == "tflite":
            write_lite(networks, contexts, part)
        elif values.format == "openvino":
            write_openvino(networks, contexts, part)
        elif values.format == "onnx":
            write_onnx(networks, part)
        else:
            write_programs(networks, settings, values.batch, updates, part)
        described = {"variant": update_rules.variant_of(updates), "weights_checksum": networks.checksum}
        described |= {"settings": dataclasses.asdict(settings), sealed.CHECKSUMS: sealed.sums(part)}
        record = {**described, **provenance.made_by()}
        (part / sealed.RECORD).write_text(json.dumps(record, indent=1) + "\n")
    for path in sorted(out.rglob("*")):
        if path.is_file():
            print(f"{path.stat().st_size / 1e6:8.2f} MB  {path}")


def console() -> None:
    """Runs the command from its command line."""
    define_flags(flags.FLAGS)
    command_line.run_main("export_model", lambda: export_model(flags.FLAGS))


if __name__ == "__main__":
    console()
