"""Measure how often the tables' intervals and tests are correct, on simulated cells with a known truth."""
