"""Reads single records of TFRecord shards, from any of them at any time, each checked against its own checksums.

The reader is TensorFlow's for random access, which checks the masked CRC-32C of a record's length and of its data.
"""

import collections
import threading

import tensorflow as tf
from tensorflow.python.lib.io import tf_record  # Its random access has no other door.

from mlt_tf.errors import InputError

OPEN_FILES = 128  # Well below the least limit that systems set (`ulimit -n`): other parts need descriptors too.


class Shards:
    """Some shards, of which the last ones used are open; safe to use from several threads."""

    def __init__(self, paths: tuple[str, ...], open_files: int = OPEN_FILES):
        """Opens none yet.

        Args:
          paths: The files.
          open_files: How many stay open. Each thread may hold one more for as long as it reads.
        """
        self.paths = paths
        self._limit, self._lock = open_files, threading.Lock()
        self._readers = collections.OrderedDict()  # Shard to (reader, lock), the last used at the end.

    def read(self, shard: int, offset: int, length: int) -> bytes:
        """Returns the data of a record.

        Args:
          shard: Its place among the paths.
          offset: Where it starts in the file.
          length: Of its data, in bytes.

        Raises:
          InputError: The shard is gone or damaged, or has another record there.
        """
        path = self.paths[shard]
        try:
            reader, lock = self._reader(shard)
            with lock:  # A reader has one position.
                data, _ = reader.read(offset)
        except (tf.errors.NotFoundError, tf.errors.DataLossError, IndexError) as error:
            what = "No such file or directory" if isinstance(error, tf.errors.NotFoundError) else error
            raise InputError(f"cannot read {path}: {what}; prepare the crops again") from error
        except tf.errors.OpError as error:
            raise InputError(
                f"cannot read {path}: {error.message}; see that it can be opened (its rights, `ulimit -n`)"
            ) from error
        if len(data) != length:
            raise InputError(f"{path} has a record of {len(data)} bytes for {length}; prepare the crops again")
        return data

    def _reader(self, shard):
        with self._lock:
            found = self._readers.pop(shard, None)
            if found is None:
                while len(self._readers) >= self._limit:
                    self._readers.popitem(last=False)  # Closed as soon as no thread reads from it.
                found = tf_record.tf_record_random_reader(self.paths[shard]), threading.Lock()
            self._readers[shard] = found
            return found
