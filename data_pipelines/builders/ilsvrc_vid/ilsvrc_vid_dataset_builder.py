"""ILSVRC VID: one example a video, with every object of every frame."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from absl import logging

from data_pipelines.builders import base
from data_pipelines.datasets import trajectories

FOLDERS = {"2015": "ILSVRC2015", "2017": "ILSVRC"}  # What each edition's archive unpacks to.


class Builder(tfds.core.GeneratorBasedBuilder):
    """Builds ILSVRC VID from the folder that its archive unpacks to."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First version."}
    BUILDER_CONFIGS = [
        tfds.core.BuilderConfig(name=edition, description=f"The edition of {edition}, unpacked to {folder}/.")
        for edition, folder in FOLDERS.items()
    ]
    MANUAL_DOWNLOAD_INSTRUCTIONS = """
    Register at https://image-net.org, download ILSVRC2015_VID.tar.gz (configuration 2015) or ILSVRC2017_VID.tar.gz
    (2017), and unpack it in manual_dir, so that manual_dir/ILSVRC2015 (2015) or manual_dir/ILSVRC (2017) holds
    Annotations/VID/{train,val}/.../<video>/000000.xml and Data/VID/{train,val}/.../<video>/000000.JPEG.
    """

    def _info(self) -> tfds.core.DatasetInfo:
        items = tfds.features.Sequence(
            {
                "trackid": tfds.features.Text(),
                "name": tfds.features.Text(),
                "box_xywh": tfds.features.Tensor(shape=(4,), dtype=np.float32),
                "occluded": np.bool_,
                "generated": np.bool_,
            }
        )
        frames = tfds.features.Dataset({"image": base.image_feature(), "frame_number": np.int32, "objects": items})
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict({"video": tfds.features.Text(), "frames": frames}),
            homepage="https://image-net.org/challenges/LSVRC/",
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator]:
        folder = FOLDERS[self.builder_config.name]
        root = base.manual_folder(dl_manager.manual_dir, folder, self.MANUAL_DOWNLOAD_INSTRUCTIONS)
        videos = {split: trajectories.list_videos(root, split) for split in trajectories.SPLITS}
        for listed in videos.values():
            for video, annotations in listed.items():  # What is missing shows before hours go into the first videos.
                base.check_frames(video, map(trajectories.image_path, annotations))
        return {split: self._generate_examples(listed) for split, listed in videos.items()}

    def _generate_examples(self, videos: dict[str, list[str]]) -> Iterator:
        examples = (_example(video, annotations) for video, annotations in videos.items())
        return base.in_order(examples, len(videos))


def _example(video: str, annotations: list[str]) -> dict[str, Any]:
    """Returns a video as TFDS takes it; objects that no one should learn from are left out."""
    skipped = trajectories.Skipped()
    frames = []
    for path, number in zip(annotations, trajectories.frame_numbers(annotations), strict=True):
        items = []
        for item in trajectories.read_objects(path):
            if item.fault:
                skipped.add(item.fault, path)
            else:
                items.append({key: value for key, value in item._asdict().items() if key != "fault"})
        frames.append({"image": trajectories.image_path(path), "frame_number": number, "objects": items})
    if skipped.counts:
        logging.warning("%s: %s", video, skipped.summary())
    return {"video": video, "frames": frames}
