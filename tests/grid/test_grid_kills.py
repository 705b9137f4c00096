"""Test jobs killed under real Snakemake: after a restart, the grid has the same bytes as an undisturbed one."""

import pytest

from kills import kill_job

pytestmark = pytest.mark.grid

LONGER = "finetune: {epochs: 60, checkpoint_steps: 5}"


def test_killed_training_job_resumes_to_the_same_adapter(checkout, tmp_path):
    adapter = "results/tiny/adapters/en/seed0/adapter_model.safetensors"
    whole, killed = checkout.copy(tmp_path / "whole"), checkout.copy(tmp_path / "killed")
    assert whole.snakemake(adapter, overlays=[whole.overlay(LONGER)]).returncode == 0
    results = killed.folder / "results/tiny"
    state, log = results / "checkpoints/en/seed0", results / "logs/finetune/en/seed0.log"
    longer = killed.overlay(LONGER)
    assert kill_job(killed, longer, adapter, log, lambda: any(state.glob("checkpoint-*"))) != 0
    assert not (killed.folder / adapter).exists()
    again = killed.snakemake(adapter, overlays=[longer])
    assert again.returncode == 0, again.stdout[-3000:] + again.stderr[-3000:]
    assert "resuming from" in log.read_text(encoding="utf-8")
    for name in (adapter, adapter.replace("adapter_model.safetensors", "training.csv")):
        assert (killed.folder / name).read_bytes() == (whole.folder / name).read_bytes(), name


def test_only_the_killed_predict_job_is_rerun(checkout, tmp_path):
    killed = checkout.copy(tmp_path / "killed")
    results = killed.folder / "results/tiny"
    cells = sorted((results / "predictions/en/seed0").iterdir())
    before = {path: path.read_bytes() for path in cells}
    log = results / "logs/predict/en/seed0.log"
    for path in [*cells, log]:
        path.unlink()
    targets = [str(path.relative_to(killed.folder)) for path in cells]
    assert kill_job(killed, killed.overlay("{}"), targets[0], log, lambda: True) != 0
    assert not any(path.exists() for path in cells)
    assert set(killed.planned(*targets)) == {"predict"}
    again = killed.snakemake(*targets)
    assert again.returncode == 0, again.stdout[-3000:] + again.stderr[-3000:]
    assert {path: path.read_bytes() for path in cells} == before


def test_edited_result_is_kept_and_later_steps_rerun(checkout, tmp_path):
    edited = checkout.copy(tmp_path / "edited")
    cells = edited.folder / "results/tiny/tables/cells.csv"
    cells.write_text(cells.read_text(encoding="utf-8").replace("0.5", "0.6"), encoding="utf-8")
    planned = edited.planned()
    assert planned["build_transfer_matrix"] == 1
    assert not {"score_cells", "predict", "finetune"} & set(planned)
