"""Typed settings of an experiment, checked against each other, with clear errors for mistakes."""
