"""What a change reruns, and what it leaves alone, in Snakemake's own words."""

import os

import pytest

pytestmark = pytest.mark.grid

MATRICES = {f"draw_{name}_matrix": 2 for name in ("transfer", "clustered", "gap", "gain")}
FIGURES = {**MATRICES} | dict.fromkeys(
    ["draw_exposure_bias", "draw_gain", "draw_confusion", "draw_doses", "draw_calibration"], 2
)
REPORT = {"write_report": 1, "write_printed_matrix": 2}
OTHERS = ("resample_cells", "summarize_scores", "compare_cells", "tabulate_confusions")
TABLES = {"score_cells": 1, "build_transfer_matrix": 1} | dict.fromkeys(OTHERS, 1)


@pytest.fixture
def edited(checkout):
    """Append a constant, or other code, to source files for one test."""
    before = {}

    def edit(name, code=b"EDITED = True\n"):
        path = checkout.folder / name
        before[path] = path.read_bytes(), path.stat()
        path.write_bytes(path.read_bytes() + code)

    yield edit
    for path, (content, stat) in before.items():
        path.write_bytes(content)
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def test_a_finished_grid_has_nothing_to_do(checkout):
    assert checkout.planned() == {}


def test_touching_every_source_reruns_nothing(checkout):
    for folder in ("src", "workflow", "config"):
        for path in (checkout.folder / folder).rglob("*"):
            if path.is_file():
                path.touch()
    (checkout.folder / "Snakefile").touch()
    assert checkout.planned() == {}


def test_a_git_round_trip_reruns_nothing(checkout, edited):
    checkout.git("checkout", "-qb", "elsewhere")
    for path in (checkout.folder / "src").rglob("*.py"):
        path.write_bytes(path.read_bytes() + b"ELSEWHERE = True\n")
    checkout.git("commit", "-qam", "another state of every module")
    checkout.git("checkout", "-q", "-")
    checkout.git("branch", "-qD", "elsewhere")
    assert checkout.planned() == {}


@pytest.mark.parametrize("name", ["src/babelgrid/model/finetune.py", "src/babelgrid/terminal.py"])
def test_an_edit_of_prose_reruns_nothing(checkout, edited, name):
    edited(name, b'# a comment\n\n"""A string that does nothing."""\n')
    assert checkout.planned() == {}


def test_a_plotting_edit_redraws_those_figures_only(checkout, edited):
    edited("src/babelgrid/figures/matrix.py")
    assert checkout.planned() == MATRICES


def test_an_edit_of_the_style_redraws_all_figures_and_the_report_alone(checkout, edited):
    edited("src/babelgrid/figures/style.py")
    assert checkout.planned() == {**FIGURES, "draw_curves": 1, "draw_cost": 1, **REPORT}


def test_an_edit_of_the_scores_trains_nothing(checkout, edited):
    edited("src/babelgrid/analysis/metrics.py")
    planned = checkout.planned()
    assert planned["score_cells"] == 1
    assert not {"finetune", "predict", "pretrain_base", "prepare_posts"} & set(planned)


def test_an_edit_of_the_training_code_trains_all_again(checkout, edited):
    edited("src/babelgrid/model/finetune.py")
    planned = checkout.planned()
    assert planned["finetune"] == 2
    assert not {"pretrain_base", "prepare_posts"} & set(planned)


def test_how_often_training_saves_and_whom_it_tells_trains_nothing_again(checkout):
    changed = "finetune: {checkpoint_minutes: 3, checkpoint_steps: 50, report_to: [tensorboard]}"
    assert checkout.planned(overlays=[checkout.overlay(changed)]) == {"write_report": 1}


def test_another_learning_rate_trains_all_again(checkout):
    planned = checkout.planned(overlays=[checkout.overlay("finetune: {learning_rate: 0.01}")])
    assert planned["finetune"] == 2
    assert planned["predict"] == 2
    assert not {"pretrain_base", "prepare_posts", "count_tokens", "fit_baselines"} & set(planned)


def test_another_dose_trains_its_own_adapters_only(checkout):
    overlay = checkout.overlay("mixtures: {doses: [{base: en, add: [hu], sizes: [4, 6]}]}")
    planned = checkout.planned(overlays=[overlay])
    assert (planned["finetune"], planned["predict"], planned["fit_baselines"]) == (1, 1, 1)
    assert "pretrain_base" not in planned


def test_one_more_test_language_trains_nothing(checkout):
    planned = checkout.planned(overlays=[checkout.overlay("languages: {test: [en, hu, ko, tr]}")])
    assert planned["predict"] == 3
    assert planned["extract_posts"] == 1
    assert not {"finetune", "pretrain_base", "prepare_posts"} & set(planned)


def test_one_more_seed_trains_that_seed_only(checkout):
    planned = checkout.planned(overlays=[checkout.overlay("seeds: [0, 7]")])
    assert (planned["finetune"], planned["predict"]) == (2, 2)
    assert not {"pretrain_base", "prepare_posts", "extract_posts"} & set(planned)


def test_a_deleted_prediction_costs_one_scoring_job_and_the_cheap_steps(checkout):
    path = checkout.folder / "results/tiny" / "predictions/en/seed0/hu.parquet"
    kept = path.with_suffix(".kept")
    path.rename(kept)
    try:
        planned = checkout.planned()
    finally:
        kept.rename(path)
    assert planned.items() >= {"predict": 1, **TABLES, **FIGURES}.items()
    assert not {"finetune", "fit_baselines", "prepare_posts", "pretrain_base"} & set(planned)


def test_another_score_touches_tables_and_figures_only(checkout):
    planned = checkout.planned(overlays=[checkout.overlay("score: {metric: accuracy}")])
    assert not {"finetune", "predict", "pretrain_base", "prepare_posts", "fit_baselines"} & set(planned)
    assert planned["draw_transfer_matrix"] == 2


def test_the_figures_target_never_touches_a_model(checkout):
    for path in (checkout.folder / "results/tiny" / "figures").iterdir():
        path.unlink()
    result = checkout.snakemake("figures")
    assert result.returncode == 0, result.stderr[-3000:]
    log = result.stdout + result.stderr
    assert "rule draw_transfer_matrix" in log
    assert "rule predict" not in log
    assert "rule finetune" not in log
