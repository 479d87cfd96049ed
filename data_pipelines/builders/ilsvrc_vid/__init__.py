"""ILSVRC VID as a TFDS data set."""
