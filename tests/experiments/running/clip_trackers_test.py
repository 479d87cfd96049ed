"""Tests of which tracker a name on the command line means."""

import pytest

from experiments.running import clip_trackers, opencv_trackers
from mlt_tf.errors import InputError


@pytest.mark.parametrize(
    ("text", "name", "path"),
    [
        ("a=1/x.npz", "unadapted", "a=1/x.npz"),
        ("unadapted", "unadapted", None),
        ("unadapted=x.npz", "unadapted", "x.npz"),
        ("mlt", "mlt", None),
        ("mlt_mt_ft=x.npz", "mlt_mt_ft", "x.npz"),
    ],
)
def test_name_says_kind_and_file(text, name, path):
    spec = clip_trackers.parse(text, "tau=0.4")
    assert (spec.name, spec.weights, spec.overrides) == (name, path, (("tau", 0.4),))


def test_opencv_has_no_settings():
    spec = clip_trackers.parse("opencv_mil")
    assert (spec.name, spec.weights, spec.overrides) == ("opencv_mil", None, ())
    assert clip_trackers.identity(spec)["settings"]["algorithm"] == "mil"


def test_folder_of_model_files_is_asked_for_as_names_have_it(monkeypatch):
    monkeypatch.setattr(opencv_trackers.cv2, "TrackerNano", object, raising=False)
    with pytest.raises(InputError, match=r"opencv_nano needs model files .*: give their folder as opencv_nano=DIR$"):
        clip_trackers.identity(clip_trackers.parse("opencv_nano"))


@pytest.mark.parametrize("text", ["", "mltt", "mlt=", "x.h5"])
def test_unknown_tracker_is_refused(text):
    with pytest.raises(InputError, match="tracker .*: give a weight file, unadapted, mlt"):
        clip_trackers.parse(text)


def test_folder_is_of_kind_weights_and_settings(files):
    names = [clip_trackers.folder_name(clip_trackers.parse(text)) for text in (*files, f"mlt={files[1]}")]
    assert [name.partition("-")[0] for name in names] == ["unadapted", "unadapted", "mlt"]
    assert len(set(names)) == 3
    same = clip_trackers.parse(f"unadapted={files[0]}", "bfloat16=True,pyramid=exemplars")
    assert clip_trackers.folder_name(same) == names[0]
    assert clip_trackers.folder_name(clip_trackers.parse(files[0], "tau=0.4")) != names[0]
