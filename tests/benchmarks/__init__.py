"""Benchmarks: `python -m tests.benchmarks [P1 P4 ...] [--peers PYTHON] [--quick]`. They report, they never fail."""
