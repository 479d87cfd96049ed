"""Checkpoints that survive: a kill at any moment leaves the last one whole, and what is wrong with one is said."""

import os
import re
import shutil

import tensorflow as tf

from mlt_tf.errors import InputError

LATER = ("minutes",)  # What checkpoints of the first runs do not hold.


class Checkpoints:
    """The newest checkpoints of a run, `ckpt-<step>.data-*` and `.index`, in a folder of their own.

    A checkpoint counts once its .index has its name, which is the last thing that saving does.
    """

    def __init__(self, folder: str, keep: int = 3, **trackables):
        """Names what a checkpoint holds; nothing is read or written yet.

        Args:
          folder: Where the checkpoints lie.
          keep: How many of the newest are kept.
          **trackables: What a checkpoint holds.
        """
        self._folder, self._keep, self._trackables = folder, keep, trackables
        self._checkpoint = tf.train.Checkpoint(**trackables)

    @property
    def paths(self) -> list[str]:
        """The whole checkpoints, without their suffixes, oldest first."""
        names = os.listdir(self._folder) if os.path.isdir(self._folder) else []
        found = [re.fullmatch(r"ckpt-(\d+)\.index", name) for name in names]
        steps = sorted(int(match[1]) for match in found if match)
        return [os.path.join(self._folder, f"ckpt-{step}") for step in steps]

    @property
    def going_on(self) -> str:
        """Says where the same command goes on."""
        return f"the same command goes on from {self.paths[-1]}" if self.paths else "the same command begins anew"

    def restore(self) -> str | None:
        """Restores the newest checkpoint.

        Returns:
          Its path; None where there is none.

        Raises:
          InputError: It is damaged, or holds other variables.
        """
        if not self.paths:
            return None
        path = self.paths[-1]
        held = {name.split("/")[0] for name in self._read(path)}
        parts = {name: part for name, part in self._trackables.items() if name not in LATER or name in held}
        try:
            status = tf.train.Checkpoint(**parts).restore(path)
            status.expect_partial()  # Else TensorFlow warns of what the next line refuses.
            status.assert_consumed()
        except (AssertionError, ValueError) as error:
            raise InputError(f"checkpoint {path} does not fit: {reason(error)}; choose another --run_dir") from error
        return path

    def _read(self, path):
        """Returns the names in a checkpoint after reading all of it: its checksums tell whether it is whole."""
        try:
            reader = tf.train.load_checkpoint(path)
            names = list(reader.get_variable_to_shape_map())
            for name in names:
                reader.get_tensor(name)
        except (tf.errors.OpError, IndexError, MemoryError, RuntimeError, ValueError) as error:
            raise InputError(f"checkpoint {path} is damaged: {reason(error)}; {self._way_out()}") from error
        return names

    def save(self, step: int) -> None:
        """Writes the checkpoint `ckpt-<step>`, and removes those that are older than the newest.

        Raises:
          InputError: It could not be written; those before are as they were.
        """
        part, path = os.path.join(self._folder, "part"), os.path.join(self._folder, f"ckpt-{step}")
        self._checkpoint.save_counter.assign_add(1)  # `restore` asks for it.
        try:
            self._checkpoint.write(os.path.join(part, "ckpt"))
            for name in sorted(os.listdir(part)):  # ckpt.data-*, then ckpt.index.
                os.replace(os.path.join(part, name), path + name.removeprefix("ckpt"))
        except (OSError, tf.errors.OpError) as error:
            self.clear()
            raise self.cannot_write(path, error) from error
        for old in self.paths[: -self._keep]:
            os.remove(old + ".index")
        self.clear()

    def clear(self) -> None:
        """Removes what belongs to no whole checkpoint: a process was killed while it saved."""
        whole = {os.path.basename(path) for path in self.paths}
        for name in os.listdir(self._folder) if os.path.isdir(self._folder) else ():
            stem = re.match(r"ckpt-\d+|part$", name)
            if stem and stem[0] not in whole:
                path = os.path.join(self._folder, name)
                shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)

    def cannot_write(self, what: str, error: Exception) -> InputError:
        """Makes the error that ends a run for which there is no room."""
        why = reason(error).rpartition("; ")[2]  # TensorFlow's begins with the file.
        return InputError(f"cannot write {what}: {why}; make room: {self.going_on}")

    def _way_out(self):
        *older, path = self.paths
        if not older:
            return "there is no older one: choose another --run_dir"
        names = ", ".join(os.path.basename(other) for other in older)
        return f"to go on from an older one ({names}), delete {path}.* and run the same command again"


def reason(error: Exception) -> str:
    """Returns the first line of an error, without the names of TensorFlow's operations."""
    text = getattr(error, "strerror", None) or getattr(error, "message", None) or str(error)
    return re.sub(r"\{\{.*?\}\} ?| ?\[Op:\w+\]", "", text.splitlines()[0]) if text else type(error).__name__
