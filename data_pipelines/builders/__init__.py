"""TFDS builders of the training videos and of the benchmarks, a folder each."""
