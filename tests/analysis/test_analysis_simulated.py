"""Intervals and tests on simulated cells whose truth is known (benchmarks/intervals/run.py measures more of them)."""

import pytest

from babelgrid.config.analysis import Score
from benchmarks.intervals.simulate import Cell, coverage, rejections


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1"])
def test_the_interval_of_a_large_cell_holds_the_truth_in_95_percent_of_1000_simulations(metric):
    assert 0.94 <= coverage(Cell(posts=1000), metric, simulations=1000, resamples=500, seed=1) <= 0.96


def test_ten_seeds_that_differ_are_not_taken_for_certain():
    """Posts alone would leave the doubt about seeds out: with a large spread, the interval would be far too short."""
    cell = Cell(posts=300, seeds=10, spread=0.1)
    assert coverage(cell, "accuracy", simulations=200, resamples=300, seed=1) >= 0.88


def test_what_is_not_there_is_found_in_5_percent_at_most_and_what_is_there_is_found():
    score = Score(metric="accuracy", bootstrap=300)
    null = rejections(100, 0.0, score, simulations=300, seed=1)
    assert null["p_mcnemar"] <= 0.05
    assert null["p_bootstrap"] <= 0.08
    planted = rejections(300, 0.2, score, simulations=50, seed=1)
    assert min(planted.values()) > 0.95
