"""Measure transfer between languages (donors, doses) and plan labelling from it."""
