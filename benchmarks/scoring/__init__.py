"""Compare the scoring of babelgrid, lm-evaluation-harness and `generate`."""
