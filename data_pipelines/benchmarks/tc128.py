"""Reads TColor-128: Liang, Blasch, Ling, "Encoding Color Information for Visual Tracking", TIP 2015.

`<name>/img/0001.jpg`, `<name>/<name>_gt.txt` of 1-based x, y, w, h, and `<name>/<name>_frames.txt` with the numbers of
the first and the last frame used, without which they are taken to start at 1; or a folder of annotations alone,
`<name>.txt`.
"""

import pathlib
import re

from data_pipelines.benchmarks import layouts
from data_pipelines.datasets import annotations
from data_pipelines.datasets.sequences import Sequence
from mlt_tf.errors import InputError

# The literature's 128 sequences are videos. There are 129 folders, each a target with its own copy of the frames:
# Jogging1 and Jogging2 are the two people of one video. Skating2 is here with one of its two.
_NAMES = """
Airport_ce Baby_ce Badminton_ce1 Badminton_ce2 Ball_ce1 Ball_ce2 Ball_ce3 Ball_ce4 Basketball Basketball_ce1
Basketball_ce2 Basketball_ce3 Bee_ce Bicycle Bike_ce1 Bike_ce2 Biker Bikeshow_ce Bird Board Boat_ce1 Boat_ce2 Bolt Boy
Busstation_ce1 Busstation_ce2 Carchasing_ce1 Carchasing_ce3 Carchasing_ce4 CarDark CarScale Charger_ce Coke Couple
Crossing Cup Cup_ce David David3 Deer Diving Doll Eagle_ce Electricalbike_ce Face_ce Face_ce2 FaceOcc1 Fish_ce1 Fish_ce2
Football1 Girl Girlmov Guitar_ce1 Guitar_ce2 Gym Hand Hand_ce1 Hand_ce2 Hurdle_ce1 Hurdle_ce2 Iceskater Ironman Jogging1
Jogging2 Juice Kite_ce1 Kite_ce2 Kite_ce3 Kobe_ce Lemming Liquor Logo_ce Matrix Messi_ce Michaeljackson_ce
Microphone_ce1 Microphone_ce2 Motorbike_ce MotorRolling MountainBike Panda Plane_ce2 Plate_ce1 Plate_ce2 Pool_ce1
Pool_ce2 Pool_ce3 Railwaystation_ce Ring_ce Sailor_ce Shaking Singer1 Singer2 Singer_ce1 Singer_ce2 Skating1 Skating2
Skating_ce1 Skating_ce2 Skiing Skiing_ce Skyjumping_ce Soccer Spiderman_ce Subway Suitcase_ce Sunshade SuperMario_ce
Surf_ce1 Surf_ce2 Surf_ce3 Surf_ce4 TableTennis_ce Tennis_ce1 Tennis_ce2 Tennis_ce3 TennisBall_ce Thunder_ce Tiger1
Tiger2 Torus Toyplane_ce Trellis Walking Walking2 Woman Yo-yos_ce1 Yo-yos_ce2 Yo-yos_ce3
"""
_VIDEOS = {"Jogging1": "Jogging", "Jogging2": "Jogging"}
_RANGE = re.compile(r"(\d+)[,\s]+(\d+)")


def targets(data_dir: str) -> tuple[str, ...]:
    """Names the 129 targets, wherever they lie."""
    return tuple(_NAMES.split())


def read(data_dir: str, target: str, check_frames: bool = True) -> Sequence:
    """Reads one target.

    Args:
      data_dir: The folder of the sequences, or of annotations alone.
      target: E.g. "Airport_ce".
      check_frames: Whether to see to it that every frame is there.

    Returns:
      The sequence; frames outside of the range that the benchmark uses are ignored.

    Raises:
      InputError: A file is missing or malformed, or rows and frames differ in number.
    """
    candidates = (f"{target}/{target}_gt.txt", f"{target}.txt")
    truth_path = layouts.find(data_dir, f"ground truth of {target}", candidates)
    rows = annotations.read_truth(truth_path)
    folder = pathlib.Path(data_dir) / target
    range_path = _find_range(folder)
    if range_path is None:
        frames = layouts.whole_video(folder / "img", 4, truth_path, len(rows), check_frames)
    else:
        first = _read_first(range_path, truth_path, len(rows))
        frames = layouts.frame_range(folder / "img", 4, first, len(rows), check_frames)
    return Sequence(
        name=target,
        frame_paths=frames.paths,
        boxes_xywh=annotations.to_zero_based(rows, 1),
        origin=1,
        video=_VIDEOS.get(target, target),
        frame_numbers=frames.numbers,
    )


def _find_range(folder: pathlib.Path) -> pathlib.Path | None:
    """Finds the file of the first and last frame; its name's letters differ in case from the folder's for some."""
    wanted = f"{folder.name}_frames.txt".lower()
    found = sorted(path for path in folder.iterdir() if path.name.lower() == wanted) if folder.is_dir() else []
    return found[0] if found else None


def _read_first(path: pathlib.Path, truth_path: pathlib.Path, rows: int) -> int:
    """Reads the number of the first frame, and sees to it that there is a row for each frame up to the last."""
    text = path.read_text(encoding="utf-8-sig", errors="replace").strip()
    match = _RANGE.fullmatch(text)
    if not match:
        raise InputError(f"{path}:1: {text!r} is no range; expected the first and the last frame, like 1,725")
    first, last = int(match[1]), int(match[2])
    if last - first + 1 != rows:
        raise InputError(f"{truth_path}: {rows} rows, but {path.name} says frames {first}-{last}; unpack both again")
    return first
