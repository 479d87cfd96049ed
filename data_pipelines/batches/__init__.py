"""Batches of training, each a function of (seed, step): what is drawn, how it is changed, how it is put together."""
