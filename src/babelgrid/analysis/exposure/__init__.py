"""Measure how scores depend on the base's pre-training."""
