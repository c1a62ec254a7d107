"""Micro-benchmarks of the checks, by pytest-benchmark. They pass and fail nothing: see bench/README.md."""
