"""VOT-2016 as a TFDS data set."""
