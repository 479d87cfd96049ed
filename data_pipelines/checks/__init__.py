"""Looks at whole data sets: is a copy complete and undamaged? And stand-ins of the benchmarks, to try readers on."""
