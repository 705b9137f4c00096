"""Estimate uncertainty: resampled posts and seeds, intervals, paired comparisons."""
