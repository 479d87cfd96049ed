"""TColor-128 as a TFDS data set."""
