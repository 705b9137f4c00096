"""Test which jobs a change reruns and which it does not, according to Snakemake."""

import json
import os
import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from babelgrid.runtime.files import PROVENANCE_KEY

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
    """Return a function that appends a constant or other code to a source file, for one test."""
    before = {}

    def edit(name, code=b"EDITED = True\n"):
        path = checkout.folder / name
        before[path] = path.read_bytes(), path.stat()
        path.write_bytes(path.read_bytes() + code)

    yield edit
    for path, (content, stat) in before.items():
        path.write_bytes(content)
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def test_finished_grid_has_nothing_to_do(checkout):
    assert checkout.planned() == {}


def test_touching_every_source_reruns_nothing(checkout):
    for folder in ("src", "workflow", "config"):
        for path in (checkout.folder / folder).rglob("*"):
            if path.is_file():
                path.touch()
    (checkout.folder / "Snakefile").touch()
    assert checkout.planned() == {}


def test_git_round_trip_reruns_nothing(checkout, edited):
    checkout.git("checkout", "-qb", "elsewhere")
    for path in (checkout.folder / "src").rglob("*.py"):
        path.write_bytes(path.read_bytes() + b"ELSEWHERE = True\n")
    checkout.git("commit", "-qam", "another state of every module")
    checkout.git("checkout", "-q", "-")
    checkout.git("branch", "-qD", "elsewhere")
    assert checkout.planned() == {}


@pytest.mark.parametrize("name", ["src/babelgrid/model/finetune.py", "src/babelgrid/runtime/progress.py"])
def test_edit_of_comments_reruns_nothing(checkout, edited, name):
    edited(name, b'# a comment\n\n"""A string that does nothing."""\n')
    assert checkout.planned() == {}


def test_plotting_edit_redraws_only_those_figures(checkout, edited):
    edited("src/babelgrid/figures/matrix.py")
    assert checkout.planned() == MATRICES


def test_style_edit_redraws_only_figures_and_report(checkout, edited):
    edited("src/babelgrid/figures/style.py")
    assert checkout.planned() == {**FIGURES, "draw_curves": 1, "draw_cost": 1, **REPORT}


def test_edit_of_scores_trains_nothing(checkout, edited):
    edited("src/babelgrid/analysis/scores/metrics.py")
    planned = checkout.planned()
    assert planned["score_cells"] == 1
    assert not {"finetune", "predict", "pretrain_base", "prepare_posts"} & set(planned)


def test_edit_of_training_code_retrains_everything(checkout, edited):
    edited("src/babelgrid/model/finetune.py")
    planned = checkout.planned()
    assert planned["finetune"] == 2
    assert not {"pretrain_base", "prepare_posts"} & set(planned)


def test_checkpoint_and_tracker_settings_retrain_nothing(checkout):
    changed = "finetune: {checkpoint_minutes: 3, checkpoint_steps: 50, report_to: [tensorboard]}"
    assert checkout.planned(overlays=[checkout.overlay(changed)]) == {"write_report": 1}


def test_new_learning_rate_retrains_everything(checkout):
    planned = checkout.planned(overlays=[checkout.overlay("finetune: {learning_rate: 0.01}")])
    assert planned["finetune"] == 2
    assert planned["predict"] == 2
    assert not {"pretrain_base", "prepare_posts", "count_tokens", "fit_baselines"} & set(planned)


def test_changed_default_plans_what_it_touches(checkout, edited):
    name = "src/babelgrid/config/finetune.py"
    edited(name)
    path = checkout.folder / name
    code = path.read_text(encoding="utf-8").removesuffix("EDITED = True\n")
    assert "epochs: Number = Field(default=5," in code
    path.write_text(code.replace("epochs: Number = Field(default=5,", "epochs: Number = Field(default=6,"))
    assert checkout.planned() == {}  # the config sets the number of epochs
    assert "warmup: Number = Field(default=0.03," in code
    path.write_text(code.replace("warmup: Number = Field(default=0.03,", "warmup: Number = Field(default=0.04,"))
    planned = checkout.planned()
    assert (planned["finetune"], planned["predict"]) == (2, 2)  # `none` is not scored again
    assert not {"pretrain_base", "prepare_posts", "fit_baselines"} & set(planned)


def test_new_dose_trains_only_its_own_adapter(checkout):
    overlay = checkout.overlay("mixtures: {doses: [{base: en, add: [hu], sizes: [4, 6]}]}")
    planned = checkout.planned(overlays=[overlay])
    assert (planned["finetune"], planned["predict"], planned["fit_baselines"]) == (1, 1, 1)
    assert "pretrain_base" not in planned


def test_one_more_test_language_trains_nothing(checkout):
    planned = checkout.planned(overlays=[checkout.overlay("languages: {test: [en, hu, ko, tr]}")])
    assert planned["predict"] == 3
    assert planned["extract_posts"] == 1
    assert not {"finetune", "pretrain_base", "prepare_posts"} & set(planned)


# A check that has to rerun must not hide the jobs that depend on it; only the config has changed.


def test_new_template_retrains_on_the_same_posts(checkout):
    planned = checkout.planned(overlays=[checkout.overlay('prompt: {template: "{text}\\n:"}')])
    assert planned.items() >= {"check_answers": 1, "finetune": 2, "predict": 3, **TABLES, **FIGURES, **REPORT}.items()
    assert not {"pretrain_base", "prepare_posts", "extract_posts", "count_labels", "fit_baselines"} & set(planned)


def test_changed_label_reruns_everything_except_the_base(checkout):
    planned = checkout.planned(overlays=[checkout.overlay('labels: {anti: {answer: " against"}}')])
    assert planned.items() >= {"prepare_posts": 1, "check_answers": 1, "finetune": 2, "predict": 3, **REPORT}.items()
    assert not {"pretrain_base", "prefetch_base", "generate_posts"} & set(planned)


def test_new_base_retrains_on_the_same_posts(checkout):
    planned = checkout.planned(overlays=[checkout.overlay("base: {lab: {tokens: 40000}}")])
    assert planned.items() >= {"pretrain_base": 1, "check_answers": 1, "finetune": 2, "predict": 3, **REPORT}.items()
    assert not {"prepare_posts", "extract_posts", "count_labels", "fit_baselines"} & set(planned)


def test_one_more_mixture_trains_only_its_own_adapter(checkout):
    overlay = checkout.overlay("mixtures: {monolingual: [en, es]}")
    planned = checkout.planned(overlays=[overlay])
    assert planned.items() >= {"check_posts": 1, "finetune": 1, "predict": 1, "fit_baselines": 1}.items()
    assert not {"pretrain_base", "prepare_posts", "count_labels", "check_answers"} & set(planned)
    asked = "results/tiny/adapters/es/seed0/adapter_model.safetensors"
    assert checkout.planned(asked, overlays=[overlay]) == {"finetune": 1}


def test_one_more_train_language_trains_nothing(checkout):
    planned = checkout.planned(overlays=[checkout.overlay("languages: {train: [en, hu, es, tr]}")])
    assert not {"finetune", "predict", "prepare_posts", "count_labels"} & set(planned)


def test_no_input_is_ancient():
    for rules in Path(__file__).parents[2].glob("workflow/**/*.smk"):
        assert not re.search(r"\bancient\(", rules.read_text(encoding="utf-8")), rules


@pytest.fixture(scope="module")
def edited_grid(checkout, tmp_path_factory):
    """Return a copy in which Snakemake was called once after editing the template and adding a mixture."""
    copied = checkout.copy(tmp_path_factory.mktemp("edited") / "copy")
    overlay = copied.overlay('{prompt: {template: "{text}\\n:"}, mixtures: {monolingual: [en, es]}}')
    result = copied.snakemake(overlays=[overlay])
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    return copied


def test_one_call_updates_everything_after_an_edit(edited_grid):
    results = edited_grid.folder / "results/tiny"
    assert edited_grid.planned(overlays=[edited_grid.folder / "overlay.yaml"]) == {}
    cells = sorted((results / "predictions").glob("*/seed0/*.parquet"))
    assert len(cells) == 4 * 3
    for path in cells:
        record = json.loads(pq.read_schema(path).metadata[PROVENANCE_KEY])
        assert record["settings"]["prompt"]["template"] == "{text}\n:", path
    assert (results / "adapters/es/seed0/adapter_model.safetensors").is_file()


def test_report_refuses_predictions_of_another_prompt(edited_grid):
    """If Snakemake is made to treat all files as up to date, an error prevents a page with mixed settings."""
    overlay = edited_grid.folder / "overlay.yaml"
    said = overlay.read_text(encoding="utf-8")
    page = edited_grid.folder / "results/tiny/report.html"
    page.unlink()
    try:
        edited_grid.overlay('{prompt: {template: "{text}\\n-"}, mixtures: {monolingual: [en, es]}}')
        asked = str(page.relative_to(edited_grid.folder))
        result = edited_grid.snakemake(asked, "--rerun-triggers", "mtime", overlays=[overlay])
    finally:
        overlay.write_text(said, encoding="utf-8")
    assert result.returncode != 0
    assert "was created with a different prompt.template than in the current config" in result.stdout + result.stderr
    assert not page.exists()


def test_mixture_without_enough_posts_is_refused_before_training(edited_grid):
    doses = "mixtures: {doses: [{base: en, add: [hu], sizes: [4, 6, 4000]}]}"
    bad = edited_grid.folder / "bad.yaml"
    bad.write_text(doses, encoding="utf-8")
    adapters = [f"results/tiny/adapters/en+hu@{size}/seed0/adapter_model.safetensors" for size in (6, 4000)]
    result = edited_grid.snakemake(
        *adapters, "results/tiny/posts/checked.json", overlays=[edited_grid.folder / "overlay.yaml", bad]
    )
    assert result.returncode != 0
    said = result.stdout + result.stderr
    assert "asks for 4000 train posts in 'hu'" in said
    assert "Traceback" not in said
    assert not any((edited_grid.folder / path).exists() for path in adapters)


def test_one_more_seed_trains_only_that_seed(checkout):
    planned = checkout.planned(overlays=[checkout.overlay("seeds: [0, 7]")])
    assert (planned["finetune"], planned["predict"]) == (2, 2)
    assert not {"pretrain_base", "prepare_posts", "extract_posts"} & set(planned)


def test_deleted_prediction_reruns_one_scoring_job(checkout):
    path = checkout.folder / "results/tiny" / "predictions/en/seed0/hu.parquet"
    kept = path.with_suffix(".kept")
    path.rename(kept)
    try:
        planned = checkout.planned()
    finally:
        kept.rename(path)
    assert planned.items() >= {"predict": 1, **TABLES, **FIGURES}.items()
    assert not {"finetune", "fit_baselines", "prepare_posts", "pretrain_base"} & set(planned)


def test_new_score_metric_reruns_only_tables_and_figures(checkout):
    planned = checkout.planned(overlays=[checkout.overlay("score: {metric: accuracy}")])
    assert not {"finetune", "predict", "pretrain_base", "prepare_posts", "fit_baselines"} & set(planned)
    assert planned["draw_transfer_matrix"] == 2


def test_figures_target_never_runs_a_model(checkout):
    for path in (checkout.folder / "results/tiny" / "figures").iterdir():
        if path.is_file():
            path.unlink()
    result = checkout.snakemake("figures")
    assert result.returncode == 0, result.stderr[-3000:]
    log = result.stdout + result.stderr
    assert "rule draw_transfer_matrix" in log
    assert "rule predict" not in log
    assert "rule finetune" not in log
