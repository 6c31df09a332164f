"""One module per workload; each has `measure(bench) -> list[Figure]`."""
