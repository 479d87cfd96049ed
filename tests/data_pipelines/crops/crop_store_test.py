"""Tests of the store of prepared crops: what is read is what was written, and what is damaged is told."""

import concurrent.futures
import json
import pathlib

import cv2
import numpy as np
import pytest
import tensorflow as tf

from data_pipelines.crops import crop_store
from data_pipelines.crops.crop_store import CropStore
from mlt_tf.errors import InputError
from tests.stores import Target, smooth_image, write_set


@pytest.fixture
def folder(tmp_path):
    """Returns a folder of two sets: three videos in two shards, and two stills."""
    videos = [
        Target(f"v{i}/0", f"g{i % 2}", [smooth_image(10 * i + j) for j in range(2 + i)], frame_numbers=range(5, 7 + i))
        for i in range(3)
    ]
    write_set(str(tmp_path / "vid_train"), videos, shards=2)
    stills = [Target(f"s{i}/0", f"s{i}", [smooth_image(100 + i)], still=True, target_wh=(20, 30)) for i in range(2)]
    write_set(str(tmp_path / "det_train"), stills)
    return str(tmp_path)


def decode(jpeg):
    return cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


def test_trajectories_of_all_sets_have_their_crops(folder):
    store = CropStore(folder, ["vid_train", "det_train"])
    assert len(store) == 9 + 2 and store.size == 383
    assert [t.name for t in store.videos] == ["vid_train/v0/0", "vid_train/v1/0", "vid_train/v2/0"]
    assert [t.group for t in store.videos] == ["g0", "g1", "g0"]
    assert [t.name for t in store.stills] == ["det_train/s0/0", "det_train/s1/0"]
    assert [len(t) for t in store.trajectories] == [2, 3, 4, 1, 1]
    assert [t.first for t in store.trajectories] == [0, 2, 5, 9, 10]
    assert store.videos[1].frame_numbers.tolist() == [5, 6, 7]
    seeds = [0, 1, 10, 11, 12, 20, 21, 22, 23, 100, 101]
    for seed, jpeg in zip(seeds, store.read(range(11)), strict=True):
        assert np.abs(decode(jpeg).astype(int) - smooth_image(seed)).mean() < 0.7
    np.testing.assert_array_equal(store.target_wh, [[60, 40]] * 9 + [[20, 30]] * 2)


def test_records_are_read_in_the_order_asked_for_and_from_threads(folder):
    store = CropStore(folder, ["vid_train", "det_train"])
    every = store.read(range(11))
    order = np.random.default_rng(0).integers(0, 11, [200, 4])
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for records, found in zip(order, pool.map(store.read, order)):
            assert found == [every[record] for record in records]


def test_shards_are_tfrecords(folder):
    store = CropStore(folder, ["vid_train"])
    paths = [f"{folder}/vid_train/crops-{i:05d}-of-00002.tfrecord" for i in range(2)]
    assert list(tf.data.TFRecordDataset(paths).as_numpy_iterator()) == store.read(range(9))


@pytest.mark.parametrize("sets", [["vid_validation"], ["vid_train", "vid_validation"]])
def test_a_set_that_is_not_there_is_told_with_what_makes_it(folder, sets):
    with pytest.raises(InputError, match="no prepared crops vid_validation in .*it has det_train, vid_train.*prepare_"):
        CropStore(folder, sets)


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(
        InputError, match=r"no prepared crops vid_train .*it has none.*prepare_crops .* --sets vid_train --out"
    ):
        CropStore(str(tmp_path / "nothing"), ["vid_train"])


def test_sets_of_different_sides_do_not_go_together(folder):
    path = f"{folder}/det_train/index.json"
    with open(path) as file:
        index = json.load(file)
    with open(path, "w") as file:
        json.dump({**index, "size": 319}, file)
    with pytest.raises(InputError, match="det_train has crops of 319 px, vid_train of 383"):
        CropStore(folder, ["vid_train", "det_train"])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("index.json", b"{", "index.json cannot be read"),
        ("index.json", b'{"format": 99, "size": 383}', "format 99, not 1"),
        ("records.npz", b"PK", "records.npz cannot be read"),
    ],
)
def test_damaged_index_is_told(folder, name, content, message):
    with open(f"{folder}/vid_train/{name}", "wb") as file:
        file.write(content)
    with pytest.raises(InputError, match=f"{message}.*prepare the crops again"):
        CropStore(folder, ["vid_train"])


def test_shortened_or_missing_shard_is_told(folder, tmp_path):
    path = tmp_path / "vid_train" / "crops-00000-of-00002.tfrecord"
    data = path.read_bytes()
    path.write_bytes(data[:-100])
    with pytest.raises(InputError, match="crops-00000-of-00002.tfrecord is shorter than its index says"):
        CropStore(folder, ["vid_train"]).read([0, 1])
    path.unlink()
    with pytest.raises(InputError, match="cannot read .*crops-00000-of-00002.tfrecord: No such file"):
        CropStore(folder, ["vid_train"]).read([0])


def test_interrupted_shard_leaves_nothing(tmp_path):
    def records():
        yield b"one"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        crop_store.write_shard(str(tmp_path / "shard"), records())
    assert not (tmp_path / "shard").exists()


def test_shard_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(InputError, match="cannot write .*shard: .*make room or choose another folder"):
        crop_store.write_shard(str(tmp_path / "file" / "shard"), [b"one"])


def test_full_disk_leaves_no_shard(tmp_path, monkeypatch):
    monkeypatch.setattr(crop_store.os.path, "getsize", lambda path: 10)  # Less arrived than was written.
    with pytest.raises(InputError, match="cannot write .*finished shards are kept"):
        crop_store.write_shard(str(tmp_path / "shard"), [b"one", b"two"])
    assert list(tmp_path.iterdir()) == []


WRONG = (None, True, -1, 10**30, 0.5, "x", [], [1], ["../x"], {}, {"a": 1})


def read_all_or_be_told(folder):
    """Says whether the store's records are read; where not, it must be by an InputError of one line."""
    try:
        assert len(CropStore(folder, ["vid_train"]).read(range(9))) == 9
        return True
    except InputError as error:
        assert "\n" not in str(error) and "prepare" in str(error)
        return False


@pytest.mark.parametrize("name", ["format", "size", "fingerprint", "shards", "made"])
def test_index_of_wrong_types_is_told(folder, name):
    path = pathlib.Path(folder, "vid_train", "index.json")
    index = json.loads(path.read_text())
    right = {"fingerprint": ["x"], "made": [True]}.get(name, [])
    for wrong in WRONG:
        path.write_text(json.dumps({**index, name: wrong}))
        assert read_all_or_be_told(folder) == (wrong in right and type(wrong) in map(type, right)), wrong
    index.pop(name, None)
    path.write_text(json.dumps(index))
    assert read_all_or_be_told(folder) == (name == "made")


@pytest.mark.parametrize("name", list(crop_store._COLUMNS))
def test_columns_of_wrong_shapes_or_types_are_told(folder, name):
    path = pathlib.Path(folder, "vid_train", "records.npz")
    with np.load(path) as file:
        records = dict(file)
    column = records[name]
    kind = "U" if column.dtype.kind != "U" else np.float64
    wrong = [column[:-1], column[None], column[0], np.zeros(column.shape, "M8[s]"), np.zeros(column.shape, kind)]
    if name in ("shard", "offset", "length", "first"):
        wrong += [column + 10**6, column - 10**6, column.astype(np.uint64) + np.uint64(2**63)]
    for bad in wrong:
        np.savez(path, **{**records, name: bad})
        assert not read_all_or_be_told(folder), bad
    np.savez(path, **{other: column for other, column in records.items() if other != name})
    assert not read_all_or_be_told(folder)


@pytest.mark.parametrize("name", ["index.json", "records.npz", "crops-00001-of-00002.tfrecord"])
def test_damage_anywhere_is_told_or_of_no_matter(folder, name):
    path = pathlib.Path(folder, "vid_train", name)
    whole, sound = path.read_bytes(), CropStore(folder, ["vid_train"]).read(range(9))
    rng = np.random.default_rng(0)
    for number in range(60):
        data = bytearray(whole)
        if number % 3 == 0:
            del data[int(rng.integers(len(data))) :]
        for place in rng.integers(len(whole), size=1 + number % 4):
            if place < len(data):
                data[place] ^= int(rng.integers(1, 256))
        path.write_bytes(data)
        if read_all_or_be_told(folder):
            assert name == "index.json" or CropStore(folder, ["vid_train"]).read(range(9)) == sound


def test_one_bit_in_a_record_is_told_by_its_checksum(folder):
    path = pathlib.Path(folder, "vid_train", "crops-00000-of-00002.tfrecord")
    data = bytearray(path.read_bytes())
    data[len(data) // 4] ^= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match="cannot read .*00000-of-00002.tfrecord: corrupted record at .*prepare"):
        CropStore(folder, ["vid_train"]).read(range(9))
