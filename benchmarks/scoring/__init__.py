"""Scoring side by side: babelgrid, lm-evaluation-harness, and `generate`."""
