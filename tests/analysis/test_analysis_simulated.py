"""Intervals and tests on simulated cells with a known truth (benchmarks/intervals/run.py measures more of them)."""

import pytest

from babelgrid.config.analysis import Score
from benchmarks.intervals.simulate import Cell, coverage, rejections

pytestmark = pytest.mark.grid


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1"])
def test_interval_of_large_cell_has_95_percent_coverage(metric):
    assert 0.94 <= coverage(Cell(posts=1000), metric, simulations=1000, resamples=500, seed=1) <= 0.96


def test_interval_covers_seed_variance():
    """Resampling only posts would ignore seed variance: with a large spread, the interval would be far too short."""
    cell = Cell(posts=300, seeds=10, spread=0.1)
    assert coverage(cell, "accuracy", simulations=200, resamples=300, seed=1) >= 0.88


def test_false_positive_rate_and_power_of_tests():
    score = Score(metric="accuracy", bootstrap=300)
    null = rejections(100, 0.0, score, simulations=300, seed=1)
    assert null["p_mcnemar"] <= 0.05
    assert null["p_bootstrap"] <= 0.08
    planted = rejections(300, 0.2, score, simulations=50, seed=1)
    assert min(planted.values()) > 0.95
