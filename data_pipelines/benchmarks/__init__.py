"""Readers of the benchmarks in their own file layouts; each one's quirks are handled in its reader, nowhere else."""

from data_pipelines.benchmarks.registry import BENCHMARKS, Benchmark, Counts, read_benchmark

__all__ = ["BENCHMARKS", "Benchmark", "Counts", "read_benchmark"]
