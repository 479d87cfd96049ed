"""Runs trackers over sequences, alone or shared among processes, and keeps what they found. It scores by `scoring`."""
