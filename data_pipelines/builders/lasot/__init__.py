"""LaSOT as a TFDS data set."""
