"""UAV20L as a TFDS data set."""
