from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from babelgrid.analysis.bootstrap.label_bias import measure_label_bias
from babelgrid.analysis.tables import read_table
from babelgrid.config.analysis import Score
from babelgrid.config.load import read_experiment
from babelgrid.errors import UserError

CONFIG = Path(__file__).parents[2] / "config" / "config.yaml"
VIEWS = {"stance": {"pro": ["pro"], "anti": ["anti"], "neutral": ["neutral"]}}
SCORE = Score(bootstrap=200, opposites={"stance": ["pro", "anti"]})


def _measure(tmp_path, answered, score=SCORE):
    """Return the table by class; answered: {seed: [(gold, predicted), ...]} of the mixture en in hu."""
    paths = {}
    for seed, pairs in answered.items():
        gold, predicted = zip(*pairs, strict=True)
        logp = {f"logp_{label}": np.where(np.array(predicted) == label, -0.1, -3.0) for label in VIEWS["stance"]}
        path = tmp_path / f"seed{seed}.parquet"
        pd.DataFrame({"id": [f"hu-{n}" for n in range(len(gold))], "gold": gold, **logp}).to_parquet(path)
        paths["en", seed, "hu"] = path
    measure_label_bias(paths, {}, views=VIEWS, score=score, seed=1, out=tmp_path / "bias.csv")
    return read_table(tmp_path / "bias.csv").set_index("class")


PLANTED = [("pro", "pro")] * 6 + [("pro", "anti")] * 4 + [("anti", "anti")] * 10 + [("neutral", "anti")] * 20


def test_bias_is_predicted_minus_gold_share(tmp_path):
    table = _measure(tmp_path, {0: PLANTED})
    assert table["gold_share"].to_dict() == pytest.approx({"pro": 0.25, "anti": 0.25, "neutral": 0.5})
    assert table["bias"].to_dict() == pytest.approx({"pro": -0.1, "anti": 0.6, "neutral": -0.5})
    assert ((table["low"] < table["bias"]) & (table["bias"] < table["high"])).all()


def test_flips_are_a_share_of_the_class(tmp_path):
    table = _measure(tmp_path, {0: PLANTED})
    assert table.loc["pro", ["opposite", "flipped"]].tolist() == ["anti", pytest.approx(0.4)]
    assert table.loc["anti", "flipped"] == 0
    assert pd.isna(table.loc["neutral", "flipped"])


def test_seeds_are_averaged_and_widen_the_interval(tmp_path):
    other = [(gold, "pro") for gold, _ in PLANTED]
    alike = _measure(tmp_path, {0: PLANTED, 1: PLANTED}).loc["pro"]
    table = _measure(tmp_path, {0: PLANTED, 1: other}).loc["pro"]
    assert table["bias"] == pytest.approx((-0.1 + 0.75) / 2)
    assert table["high"] - table["low"] > 2 * (alike["high"] - alike["low"])


@pytest.mark.parametrize("opposites", ["stance: [pro, pro]", "stance: [pro, for]", "stanse: [pro, anti]"])
def test_opposites_must_be_two_classes_of_view(opposites, tmp_path):
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text(f"score: {{opposites: {{{opposites}}}}}\n")
    with pytest.raises(UserError, match="opposites"):
        read_experiment(CONFIG, overlay)
