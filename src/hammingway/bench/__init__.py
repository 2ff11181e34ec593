"""Benchmarks: a plan in, exact truth, measured runs, an append-only file of records out."""
