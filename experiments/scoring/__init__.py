"""How good boxes are: metrics, the benchmarks' rules, result files, intervals. Nothing here runs a tracker."""
