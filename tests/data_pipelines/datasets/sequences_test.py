import pathlib

import cv2
import numpy as np
import pytest

from data_pipelines.datasets import sequences, video
from mlt_tf.errors import InputError


def write_frames(folder, names):
    folder.mkdir(parents=True)
    for i, name in enumerate(names):
        cv2.imwrite(str(folder / name), np.full((6, 8, 3), (i, 0, 0), np.uint8))


def write_otb(root, name, truth="3,4,10,20\n5,6,11,21\n", frames=("0001.jpg", "0002.jpg"), file="groundtruth_rect.txt"):
    if not (root / name).is_dir():
        write_frames(root / name / "img", frames)
    (root / name / file).write_text(truth)


@pytest.mark.parametrize("separator", [",", "\t", " ", ", "])
def test_otb_boxes_become_zero_based_whatever_the_separator(tmp_path, separator):
    write_otb(tmp_path, "David", truth="3,4,10,20\n5.5,6,11,21\n\n".replace(",", separator))
    (sequence,) = sequences.load_sequences(tmp_path)
    assert (sequence.name, sequence.origin) == ("David", 1)
    assert sequence.boxes_xywh.dtype == np.float32
    np.testing.assert_array_equal(sequence.boxes_xywh, [[2, 3, 10, 20], [4.5, 5, 11, 21]])


def test_frames_come_in_numeric_order_from_any_first_number_and_other_files_are_ignored(tmp_path):
    write_otb(tmp_path, "David", truth="3,4,10,20\n" * 3, frames=("1000.jpg", "300.jpg", "301.JPG"))
    (tmp_path / "David" / "img" / "Thumbs.db").write_text("")
    (sequence,) = sequences.load_sequences(tmp_path)
    assert [path.rsplit("/", 1)[1] for path in sequence.frame_paths] == ["300.jpg", "301.JPG", "1000.jpg"]
    assert sequence.frame_numbers.tolist() == [300, 301, 1000]


def test_images_of_the_same_number_are_refused(tmp_path):
    write_otb(tmp_path, "David", frames=("0001.jpg", "1.png"))
    with pytest.raises(InputError, match="img: 1 images repeat another's number"):
        sequences.load_sequences(tmp_path)


def test_a_video_is_named_after_its_one_target():
    boxes = np.ones((1, 4), np.float32)
    assert sequences.Sequence("David", ("1.jpg",), boxes, origin=1).video == "David"
    assert sequences.Sequence("Jogging-1", ("1.jpg",), boxes, origin=1, video="Jogging").video == "Jogging"


def test_numbered_ground_truths_are_targets_of_one_video(tmp_path):
    write_otb(tmp_path, "Jogging", file="groundtruth_rect.1.txt")
    write_otb(tmp_path, "Jogging", truth="9,9,9,9\n9,9,9,9\n", file="groundtruth_rect.2.txt")
    first, second = sequences.load_sequences(tmp_path)
    assert (first.name, second.name) == ("Jogging-1", "Jogging-2")
    assert first.frame_paths == second.frame_paths
    np.testing.assert_array_equal(second.boxes_xywh[0], [8, 8, 9, 9])


def test_names_choose_and_order_the_sequences_and_others_are_not_read(tmp_path):
    for name in ("A", "B", "C"):
        write_otb(tmp_path, name)
    write_otb(tmp_path, "Broken", truth="no numbers")
    assert [s.name for s in sequences.load_sequences(tmp_path, names=["C", "A"])] == ["C", "A"]
    with pytest.raises(InputError, match="no sequence D, E; it has A, B, Broken, C"):
        sequences.load_sequences(tmp_path, names=["A", "D", "E"])
    with pytest.raises(InputError, match="named twice"):
        sequences.load_sequences(tmp_path, names=["A", "A"])


def test_vot_polygons_become_the_boxes_around_them_and_keep_their_coordinates(tmp_path):
    write_frames(tmp_path / "ball" / "color", ["00000001.jpg", "00000002.jpg"])
    (tmp_path / "ball" / "groundtruth.txt").write_text("0,5,3,1,8,6,4,9\n1,2,1,4,5,4,5,2\n")
    (tmp_path / "list.txt").write_text("ball\n")
    (sequence,) = sequences.load_sequences(tmp_path, "vot")
    assert sequence.origin == 0
    np.testing.assert_array_equal(sequence.boxes_xywh, [[0, 1, 8, 8], [1, 2, 4, 2]])
    np.testing.assert_array_equal(sequence.polygons, [[0, 5, 3, 1, 8, 6, 4, 9], [1, 2, 1, 4, 5, 4, 5, 2]])


def test_vot_boxes_stay_as_they_are(tmp_path):
    write_frames(tmp_path / "ball" / "color", ["00000001.jpg"])
    (tmp_path / "ball" / "groundtruth.txt").write_text("1,2,3,4\n")
    np.testing.assert_array_equal(sequences.load_sequences(tmp_path, "vot")[0].boxes_xywh, [[1, 2, 3, 4]])


def test_differing_counts_are_named(tmp_path):
    write_otb(tmp_path, "David", truth="3,4,10,20\n" * 5)
    with pytest.raises(InputError, match="5 lines, but 2 frames"):
        sequences.load_sequences(tmp_path)


def test_a_malformed_ground_truth_is_named_with_its_line(tmp_path):
    write_otb(tmp_path, "David", truth="1,2,3,4\nnan,nan,3,nan\n")
    with pytest.raises(InputError, match="groundtruth_rect.txt:2: 'nan,nan,3,nan' is no box"):
        sequences.load_sequences(tmp_path)


@pytest.mark.parametrize(
    "layout, images, file", [("otb", "img", "groundtruth_rect.txt"), ("vot", "color", "groundtruth.txt")]
)
def test_rows_of_nan_are_frames_without_the_target_but_for_the_first(tmp_path, layout, images, file):
    write_frames(tmp_path / "a" / images, ["1.png", "2.png", "3.png"])
    (tmp_path / "a" / file).write_text("1,2,3,4\nNaN,NaN,NaN,NaN\n5,6,7,8\n")
    (sequence,) = sequences.load_sequences(tmp_path, layout)
    assert sequence.absent.tolist() == [False, True, False] and np.isnan(sequence.boxes_xywh[1]).all()
    (tmp_path / "a" / file).write_text("NaN,NaN,NaN,NaN\n1,2,3,4\n5,6,7,8\n")
    with pytest.raises(InputError, match=f"{file}: NaN in the first row; begin with a frame"):
        sequences.load_sequences(tmp_path, layout)


@pytest.mark.parametrize(
    "names, numbers",
    [
        (["frame0009.jpg", "frame0010.jpg", "frame0100.jpg"], [9, 10, 100]),
        (["9.webp", "10.webp", "11.WEBP"], [9, 10, 11]),
        (["a_9.tif", "a_10.tif", "b_1.tif"], [1, 2, 3]),
        (["1_cam2.png", "2_cam2.png", "10_cam2.png"], [1, 2, 3]),
        (["a.png", "b.bmp", "c.ppm"], [1, 2, 3]),
    ],
)
def test_frames_are_those_that_mlt_track_reads_in_its_order(tmp_path, names, numbers):
    write_otb(tmp_path, "David", truth="3,4,10,20\n" * 3, frames=names)
    (tmp_path / "David" / "img" / "._1.png").write_text("")
    (sequence,) = sequences.load_sequences(tmp_path)
    assert [pathlib.Path(path).name for path in sequence.frame_paths] == names
    assert sequence.frame_numbers.tolist() == numbers
    with video.open_source(str(tmp_path / "David" / "img")) as source:
        for path, frame in zip(sequence.frame_paths, source.frames(), strict=True):
            assert path in frame.name
            np.testing.assert_array_equal(sequences.read_frame(path), frame.image)


def test_folder_without_frames_is_named(tmp_path):
    write_otb(tmp_path, "David", frames=())
    with pytest.raises(InputError, match="img: no images .* in it; put the frames there"):
        sequences.load_sequences(tmp_path)


def test_sequences_that_are_not_complete_can_be_left_out(tmp_path):
    for name, truth in (("A", "x"), ("B", "3,4,10,20\n5,6,11,21\n"), ("C", "1,2,3,4\n")):
        write_otb(tmp_path, name, truth=truth)
    refused = {}
    read = sequences.load_sequences(tmp_path, refuse=lambda name, error: refused.update({name: str(error)}))
    assert [sequence.name for sequence in read] == ["B"]
    assert "A/groundtruth_rect.txt:1: 'x' is not" in refused["A"] and "1 lines, but 2 frames" in refused["C"]
    with pytest.raises(InputError, match="A/groundtruth_rect.txt:1"):
        sequences.load_sequences(tmp_path, names=["A", "C"], refuse=lambda *_: None)


def test_a_wrong_folder_or_layout_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        sequences.load_sequences(tmp_path / "missing")
    with pytest.raises(InputError, match="no sequence in the otb layout"):
        sequences.load_sequences(tmp_path)
    with pytest.raises(InputError, match="layout 'got10k' is unknown; choose from otb, vot"):
        sequences.load_sequences(tmp_path, "got10k")


def test_read_frame_gives_rgb(tmp_path):
    bgr = np.zeros((4, 5, 3), np.uint8)
    bgr[..., 0] = 200
    cv2.imwrite(str(tmp_path / "1.png"), bgr)
    frame = sequences.read_frame(str(tmp_path / "1.png"))
    assert frame.shape == (4, 5, 3) and frame.dtype == np.uint8
    np.testing.assert_array_equal(frame[0, 0], [0, 0, 200])


def test_a_frame_that_does_not_decode_or_is_cut_short_is_refused(tmp_path):
    (tmp_path / "1.jpg").write_text("not an image")
    whole = cv2.imencode(".jpg", np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8))[1].tobytes()
    (tmp_path / "3.jpg").write_bytes(whole[:-200])
    for name, message in (("1.jpg", "does not decode"), ("2.jpg", "cannot be read"), ("3.jpg", "is cut short")):
        with pytest.raises(InputError, match=f"{name}' {message}"):
            sequences.read_frame(str(tmp_path / name))


def test_frames_of_16_bits_share_the_range_of_the_first(tmp_path):
    for number, low in ((1, 29000), (2, 29100)):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.uint16([[low, low + 100, low + 200]] * 4))
    first, second = (sequences.read_frame(str(tmp_path / f"{number}.png"))[0, :, 0].tolist() for number in (1, 2))
    assert first == [21, 128, 234] and second[:2] == first[1:] and second[2] == 255


def test_masks_among_the_frames_are_refused_and_the_other_sequences_read(tmp_path):
    write_otb(tmp_path, "David", truth="3,4,10,20\n" * 4, frames=("1.jpg", "2.jpg", "1_mask.png", "2_mask.png"))
    write_otb(tmp_path, "Girl")
    refused = []
    sequences.load_sequences(tmp_path, refuse=lambda name, error: refused.append((name, str(error))))
    assert refused[0][0] == "David" and "'*.jpg' and '*_mask.png'; keep the frames there" in refused[0][1]
