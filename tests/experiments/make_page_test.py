"""The command's file, what it tells of folders and commands, and its errors."""

import json
import shutil

import cv2
import numpy as np
import pytest

from experiments import make_page


@pytest.fixture
def copy(otb_runs, tmp_path):
    """Returns a copy of `otb_runs` to change."""
    return shutil.copytree(otb_runs, tmp_path / "copy")


@pytest.fixture
def make(run_binary, copy, tmp_path, capsys):
    """Returns a function that runs the command; it returns the error, None without one, and the page's text."""

    def run(*words, **options):
        given = {"dataset": "otb2015", "data_dir": copy / "OTB", "out": tmp_path / "page.html"}
        given["results_dir"] = f"{copy / 'ours'},{copy / 'others'}"
        given = {flag: value for flag, value in {**given, **options}.items() if value is not None}
        try:
            run_binary(make_page, *words, **given)
            error = None
        except SystemExit as caught:
            error = caught.code
        path = tmp_path / "page.html"
        return error, path.read_text() if path.is_file() else None

    return run


def test_page_has_frames_unless_refused(make):
    error, text = make()
    assert error is None and text.count("data:image/jpeg") == 16 and text.count("data:image/png") == 2
    error, text = make("--no_frames")
    assert error is None and text.count("data:image/jpeg") == 0 and text.count("data:image/png") == 2


def test_own_folder(make):
    error, text = make(dataset=None, layout="otb")
    assert error is None and "Evaluation on OTB</h1>" in text and "all 4 targets" in text


def test_folders_are_shown_by_their_last_name(make, copy, tmp_path):
    command = "python -m experiments.evaluate --data_dir=OTB --out ours --config=tau=0.5,memory=8"
    summary = {"ope": {"command": command, "commit": "beef", "date": "2020-02-02"}}
    (copy / "ours" / "mlt" / "summary.json").write_text(json.dumps(summary))
    config = {"weights_checksum": "abc123", "settings": {"tau": 0.5}}
    (copy / "ours" / "mlt" / "config.json").write_text(json.dumps(config))
    _, text = make("--no_frames")
    assert "python -m experiments.make_page --no_frames" in text and "--results_dir=ours,others" in text
    assert "python -m experiments.evaluate --data_dir=OTB --out ours --config=tau=0.5,memory=8" in text
    assert "beef" in text and "abc123" in text and "tau=0.5" in text
    assert str(tmp_path) not in text


def test_thumbnails_show_truth_and_box(compare):
    compared = compare()
    compared.boxes["mlt"]["Deer"][:] = [8, 20, 16, 12]
    shots = make_page.make_thumbnails(compared, "mlt")
    assert set(shots) == set(compared.sequences)
    numbers, pictures = zip(*shots["Deer"])
    assert numbers == (4, 7, 9, 12)
    picture = cv2.imdecode(np.frombuffer(pictures[3], np.uint8), cv2.IMREAD_COLOR)[..., ::-1].astype(int)
    assert picture.shape == (360, 480, 3)
    np.testing.assert_allclose(picture[int(25 * 7.5), int(8 * 7.5)], (255, 0, 0), atol=40)  # The tracker's left edge.
    np.testing.assert_allclose(picture[int(12 * 7.5), int(26 * 7.5)], (255, 255, 255), atol=40)  # The truth's.
    np.testing.assert_allclose(picture[int(15 * 7.5), int(55 * 7.5)], (120, 120, 120), atol=12)  # Neither.


@pytest.mark.parametrize(("named", "trackers", "focus"), [(None, "DSST,mlt", "mlt"), ("DSST", "mlt,DSST", "DSST")])
def test_focus(compare, named, trackers, focus):
    assert make_page.choose_focus(compare(trackers=trackers), named) == focus
    assert make_page.choose_focus(compare(trackers="Newcomer"), None) == "Newcomer"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"focus": "KCF"}, "--focus: no tracker KCF; there are mlt, DSST, Newcomer"),
        ({"out": "/dev/null/page.html"}, "cannot write /dev/null/page.html: "),
        ({"results_dir": "/nowhere"}, "/nowhere: no such folder"),
        ({"dataset": None}, "give --dataset, or --layout=otb"),
    ],
)
def test_bad_input_ends_in_one_line(make, options, message):
    error, text = make(**options)
    assert error.startswith("make_page: error: ") and message in error and "\n" not in error and text is None


def test_missing_frames_are_said(make, copy):
    shutil.rmtree(copy / "OTB" / "Deer" / "img")
    error, text = make()
    assert "0001.jpg: no such frame; give --data_dir with the frames, or --no_frames" in error and text is None
    assert make("--no_frames")[0] is None


def test_damaged_record_is_said(make, copy):
    (copy / "ours" / "mlt" / "summary.json").write_text("{")
    assert "summary.json: not readable as JSON" in make()[0]


@pytest.mark.parametrize("text", ["[]", '{"ope": 7}', '{"settings": [1]}', "[" * 9999])
def test_record_of_wrong_types_is_said(make, copy, text):
    (copy / "ours" / "mlt" / "summary.json").write_text(text)
    error = make()[0]
    assert "summary.json" in error and "evaluate again, or move it away" in error and error.count("\n") <= 1
