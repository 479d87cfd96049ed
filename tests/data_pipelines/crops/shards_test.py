"""Tests of reading single records from many shards."""

import concurrent.futures
import io
import os
import pathlib
import resource

import numpy as np
import pytest

from data_pipelines.crops import crop_store, shards
from mlt_tf.errors import InputError


@pytest.fixture
def made(tmp_path):
    """Returns paths of 40 shards of three records, and what is in them: [(shard, offset, length)] and the data."""
    paths, places, data = [], [], []
    for shard in range(40):
        paths.append(str(tmp_path / f"{shard}.tfrecord"))
        records = [bytes([shard, number]) * (50 + number) for number in range(3)]
        lengths = crop_store.write_shard(paths[-1], records)
        places += [(shard, *place) for place in zip(crop_store.offsets(lengths).tolist(), lengths)]
        data += records
    return tuple(paths), places, data


def descriptors():
    return len(os.listdir("/proc/self/fd"))


def read(paths, place):
    shard, offset, length = place
    return shards.read(paths[shard], offset, length)


def test_threads_get_their_records_and_leave_no_file_open(made):
    paths, places, data = made
    before = descriptors()
    order = np.random.default_rng(0).integers(0, len(places), 2000).tolist()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda record: (read(paths, places[record]), descriptors()), order))
    assert [got for got, _ in found] == [data[record] for record in order]
    assert max(count for _, count in found) <= before + 8 + 8  # Each look opens a descriptor, too.
    assert descriptors() <= before


def test_store_of_more_shards_than_a_process_may_open(made):
    paths, places, data = made
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors() + 20, hard))
    try:
        assert [read(paths, place) for place in places] == data
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_no_descriptor_left_is_told_with_the_right_advice(made):
    paths, places, _ = made
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        with pytest.raises(InputError, match="Too many open files; see that it can be opened .*ulimit -n"):
            read(paths, places[0])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ((0, 0, 99), "has a record of 100 bytes for 99"),
        ((0, 1, 100), "corrupted record at 1"),
        ((0, 10**9, 100), "it ends within the record at 1000000000"),
    ],
)
def test_wrong_place_is_told(made, place, message):
    with pytest.raises(InputError, match=f"0.tfrecord.*{message}.*; prepare the crops again"):
        read(made[0], place)


@pytest.mark.parametrize(("place", "told"), [(3, "corrupted record at 0"), (40, "corrupted record at 0")])
def test_damage_to_length_and_data_is_found(made, place, told):
    path = pathlib.Path(made[0][0])
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=told):
        read(made[0], made[1][0])


def test_record_alone_is_read(made, monkeypatch):
    """TensorFlow's own reader fills 16 MB for each record."""
    sizes = []

    class Watched(io.FileIO):
        def read(self, size):
            sizes.append(size)
            return super().read(size)

    monkeypatch.setattr(shards, "open", lambda path, mode, buffering: Watched(path), raising=False)
    assert read(made[0], made[1][4]) == made[2][4] and sizes == [12 + made[1][4][2] + 4]
