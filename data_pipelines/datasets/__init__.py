"""Reads data sets as they lie on disk: annotations, trajectories, sequences, videos; and checks them."""
