"""Tests of reading records from many shards, of which few are open."""

import concurrent.futures
import os
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


def test_few_files_are_open_and_threads_get_their_records(made):
    paths, places, data = made
    opened, before = shards.Shards(paths, open_files=5), descriptors()
    order = np.random.default_rng(0).integers(0, len(places), 2000).tolist()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda record: (opened.read(*places[record]), descriptors()), order))
    assert [got for got, _ in found] == [data[record] for record in order]
    assert max(count for _, count in found) <= before + 5 + 8 + 8  # Each look opens a descriptor, too.
    assert descriptors() <= before + 5


def test_store_of_more_shards_than_a_process_may_open(made):
    paths, places, data = made
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    opened = shards.Shards(paths, open_files=5)
    resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors() + 20, hard))
    try:
        assert [opened.read(*place) for place in places] == data
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_no_descriptor_left_is_told_with_the_right_advice(made):
    paths, places, _ = made
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        with pytest.raises(InputError, match="Too many open files; see that it can be opened .*ulimit -n"):
            shards.Shards(paths).read(*places[0])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ((0, 0, 99), "has a record of 100 bytes for 99"),
        ((0, 1, 100), "corrupted record at 1"),
        ((0, 10**9, 100), "Out of range"),
    ],
)
def test_wrong_place_is_told(made, place, message):
    with pytest.raises(InputError, match=f"0.tfrecord.*{message}.*; prepare the crops again"):
        shards.Shards(made[0]).read(*place)
