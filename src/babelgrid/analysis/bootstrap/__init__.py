"""Uncertainty: resampled posts and seeds, intervals and paired comparisons."""
