"""Measures the engine from outside: `make bench`."""
