import numpy as np
import pandas as pd
import pytest

from babelgrid.analysis.exposure.intervention import measure_intervention, sample_slopes
from babelgrid.analysis.tables import read_table
from babelgrid.errors import UserError
from babelgrid.runtime.files import write_csv
from sampled import replicates

LANGUAGES = ["en", "es", "de", "fr", "hi", "hu"]
SKEWED = pd.Series([1000, 100, 100, 100, 10, 1], index=LANGUAGES)
UNIFORM = pd.Series(100, index=LANGUAGES)
EFFECT = 0.1


def _measure(tmp_path, languages=LANGUAGES, noise=0.002, skewed=SKEWED):
    ratio = np.log10(UNIFORM / skewed)
    for name, tokens, effect in (("uniform", UNIFORM, EFFECT), ("lab", skewed, 0.0)):
        scores = {("en", language): 0.5 + effect * ratio[language] for language in languages}
        scores |= {(name, language): 0.3 for language in languages for name in ("none", "api-0shot")}
        replicates(scores, noise, seed=len(name)).to_parquet(tmp_path / f"{name}.parquet")
        exposure = [{"mixture": "en", "language": name, "pretraining_tokens": count} for name, count in tokens.items()]
        write_csv(tmp_path / f"{name}.csv", pd.DataFrame(exposure))
    return _set_against(tmp_path, "uniform.parquet")


def _set_against(tmp_path, here):
    measure_intervention(
        replicates_path=tmp_path / here,
        against_replicates=tmp_path / "lab.parquet",
        exposure_path=tmp_path / "uniform.csv",
        against_exposure=tmp_path / "lab.csv",
        trained=["en"],
        min_posts=50,
        seed=1,
        out=tmp_path / "cells.csv",
        slopes_path=tmp_path / "slopes.csv",
    )
    return read_table(tmp_path / "cells.csv"), read_table(tmp_path / "slopes.csv").set_index("mixture")


def test_planted_exposure_effect_is_recovered(tmp_path):
    cells, slopes = _measure(tmp_path)
    cell = cells.set_index(["mixture", "test_language"]).loc[("en", "hu")]
    assert cell["log10_ratio"] == pytest.approx(2)
    assert cell["difference"] == pytest.approx(2 * EFFECT)
    assert cell["low"] < 2 * EFFECT < cell["high"]
    for mixture in ("en", "trained"):
        assert slopes.loc[mixture, "slope"] == pytest.approx(EFFECT)
        assert slopes.loc[mixture, "low"] < EFFECT < slopes.loc[mixture, "high"]
    assert slopes.loc["none", "slope"] == pytest.approx(0)


def test_few_languages_have_differences_but_no_slope(tmp_path):
    cells, slopes = _measure(tmp_path, LANGUAGES[:4])
    assert len(cells) == 12
    assert slopes.empty


@pytest.mark.slow
def test_equal_exposure_has_differences_but_no_slope(tmp_path):
    cells, slopes = _measure(tmp_path, skewed=UNIFORM)
    assert len(cells) == 18
    assert slopes.empty


@pytest.mark.slow
def test_different_numbers_of_resamples_raise(tmp_path):
    _measure(tmp_path)
    few = replicates({("en", "hu"): 0.5}, resamples=100)
    few.to_parquet(tmp_path / "few.parquet")
    with pytest.raises(UserError, match="100 replicates, the other experiment 200"):
        _set_against(tmp_path, "few.parquet")


def test_draw_without_variation_has_no_slope():
    slopes = sample_slopes(np.array([0.0, 1.0]), np.tile([0.2, 0.5], (201, 1)), seed=1)
    assert 50 < len(slopes) < 201
    assert slopes == pytest.approx(0.3)
