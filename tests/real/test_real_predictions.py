"""Test the complete workflow on the study's released predictions, without a model."""

import pandas as pd
import pytest

from checkout import Checkout

pytestmark = pytest.mark.real


def test_study_predictions_run_without_a_model(shared_file, tmp_path):
    data = shared_file("data")
    checkout = Checkout(tmp_path, "config/published.yaml").fill()
    (tmp_path / "data").symlink_to(data)
    result = checkout.snakemake()
    assert result.returncode == 0, result.stdout[-5000:] + result.stderr[-5000:]
    results = tmp_path / "results/published"
    cells = pd.read_csv(results / "tables/cells.csv", keep_default_na=False, na_values=[""])
    assert len(cells) == 2 * 13 * 3
    assert cells.query("view == 'label'")["n"].sum() == 2 * (875 + 970)
    assert not list(results.rglob("*.safetensors"))
    assert checkout.planned() == {}
