"""Test how rows of rivals are named, declared and kept apart from the base."""

from pathlib import Path

import pandas as pd
import pytest
from pydantic import ValidationError

from babelgrid.analysis.bootstrap.compare import MODEL, pairs_of
from babelgrid.analysis.exposure.exposure import exposure_of_languages, measure_exposure, seen_cells
from babelgrid.analysis.scores.cells import score_cells
from babelgrid.analysis.tables import read_table
from babelgrid.analysis.transfer.rivals import EVERY, measure_rivals, rival_rows
from babelgrid.analysis.transfer.warnings import warn_about_sizes
from babelgrid.config.analysis import Score
from babelgrid.config.finetune import Lora
from babelgrid.config.load import load_experiment, read_experiment
from babelgrid.config.rivals import Encoder
from babelgrid.cost.tables import Assumptions, tabulate_cost
from babelgrid.display.order import group_mixtures
from babelgrid.errors import UserError
from babelgrid.grid import build_grid, find_row, needs_of
from babelgrid.mixture import Mixture, is_rival, split_row
from babelgrid.model.lora import lora_arguments
from babelgrid.operations.status import describe_status, read_rows
from babelgrid.report.other_systems import NOTHING, describe_rivals
from babelgrid.runtime.files import write_json
from sampled import replicates, sampled

LAB = read_experiment(Path(__file__).parents[2] / "config" / "config.yaml").model_dump(mode="json")
EMBEDDING = {"embedding": {"folder": "encoder"}}


def experiment_of(rivals, **changes):
    return load_experiment({**LAB, "rivals": rivals, **changes})


def test_name_of_a_row_names_system_and_mixture():
    assert split_row("embedding.en+hu@25") == ("embedding", "en+hu@25")
    for name in ("none", "all-hu", "en+hu@25", "v1.few", "api-0shot", "embedding"):
        assert split_row(name) == ("", name)
        assert not is_rival(name)
    assert Mixture("embedding.en", ("en",)).system == "embedding"


def test_every_trained_mixture_gets_a_row_after_the_grids():
    mixtures = {"monolingual": ["en"], "doses": [{"base": "en", "add": ["hu"], "sizes": [5]}]}
    grid = build_grid(experiment_of(EMBEDDING, mixtures=mixtures))
    own = ["none", "en", "all", "en+hu@5"]
    assert list(grid.own) == own
    assert list(grid.mixtures) == [*own, "embedding.en", "embedding.all", "embedding.en+hu@5"]
    assert grid.mixtures["embedding.en+hu@5"].all_languages == ("en", "hu")
    assert grid.rivals == [(f"embedding.{name}", seed) for name in own[1:] for seed in grid.seeds]
    assert {name for name, _ in grid.adapters} == set(own[1:])
    assert [cell for cell in grid.cells if cell[0] == "embedding.en"]


def test_rivals_of_some_mixtures_and_no_new_needs():
    experiment = experiment_of({**EMBEDDING, "mixtures": ["all"]}, mixtures={"monolingual": ["en"]})
    grid = build_grid(experiment)
    assert {name for name, _ in grid.rivals} == {"embedding.all"}
    plain = load_experiment({**LAB, "mixtures": {"monolingual": ["en"]}})
    assert needs_of(grid, experiment) == needs_of(build_grid(plain), plain)


@pytest.mark.parametrize("name", ["none", "al", "api-0shot", "embedding.all"])
def test_rivals_need_a_trained_mixture(name):
    api = {"model": "m", "budget": 1}
    with pytest.raises(UserError, match=rf"rivals.mixtures: there is no trained mixture '{name}'.*Allowed: "):
        build_grid(experiment_of({**EMBEDDING, "mixtures": [name]}, api=api))


@pytest.mark.parametrize(
    ("rivals", "words"),
    [
        ({}, "name at least one of embedding"),
        ({"embedding": {}}, "give exactly one of hub, folder, lab; found none"),
        ({"embedding": {"folder": "a", "hub": "a/b"}}, "found hub and folder"),
        ({"embedding": {"hub": "a/b"}}, "an encoder on the Hub needs its revision"),
        ({"embedding": {"folder": "a", "revision": "0" * 40}}, "revision can only be used with hub"),
        ({"encoder": {"folder": "a", "lab": True}}, "found folder and lab"),
        ({"embeding": {"folder": "a"}}, "unknown key 'embeding' (did you mean 'embedding'?)"),
        ({**EMBEDDING, "mixtures": []}, "rivals.mixtures"),
    ],
)
def test_mistakes_in_the_block(rivals, words):
    with pytest.raises(UserError, match="rivals") as refusal:
        experiment_of(rivals)
    assert words in str(refusal.value)


def test_labs_encoder_needs_the_labs_base():
    assert experiment_of({"encoder": {"lab": True}}).rivals.encoder.lab
    with pytest.raises(UserError, match=r"rivals\.encoder\.lab: .* needs base\.lab"):
        experiment_of({"encoder": {"lab": True}}, base={"folder": "somewhere"})


@pytest.mark.parametrize("name", ["embedding.en", "Embedding.few"])
def test_sets_leave_the_names_of_rivals(name):
    with pytest.raises(UserError, match="is taken"):
        experiment_of(None, mixtures={"sets": {name: ["en", "es"]}})


def test_row_of_a_rival_is_found_by_name():
    grid = build_grid(experiment_of(EMBEDDING, mixtures={"monolingual": ["en"]}))
    assert find_row(grid, "embedding.en/seed1", "x") == ("embedding.en", 1)


def test_rivals_meet_their_mixture_alone():
    rows = [(name, MODEL) for name in ("none", "en", "es", "embedding.en", "embedding.es")]
    pairs = [(pair.mixture, pair.rival, pair.kind) for pair in pairs_of([*rows, ("en", "ngram")])]
    assert pairs == [
        *((name, ("none", MODEL), "none") for name in ("en", "es", "embedding.en", "embedding.es")),
        *((name, ("en", "ngram"), "baseline") for name in ("en", "embedding.en")),
        ("en", ("embedding.en", MODEL), "rival"),
        ("es", ("embedding.es", MODEL), "rival"),
        ("en", ("es", MODEL), "mixture"),
    ]


def test_baselines_of_a_rival_are_those_of_its_mixture(tmp_path):
    answers = pd.DataFrame(
        {"id": ["a", "b"], "gold": ["pro", "anti"], "logp_pro": [-0.1, -0.1], "logp_anti": [-2.4, -2.4]}
    )
    answers.to_parquet(tmp_path / "answers.parquet")
    answers.assign(baseline="majority", language="en").to_parquet(tmp_path / "baselines.parquet")
    score_cells(
        {(name, 0, "en"): tmp_path / "answers.parquet" for name in ("en", "embedding.en")},
        {("en", 0): tmp_path / "baselines.parquet"},
        views={"label": {"pro": ["pro"], "anti": ["anti"]}},
        score=Score(bootstrap=100),
        seed=1,
        cells_path=tmp_path / "cells.csv",
        classes_path=tmp_path / "classes.csv",
    )
    cells = read_table(tmp_path / "cells.csv")
    assert cells["majority_accuracy"].tolist() == [0.5, 0.5]


SCORES = {
    ("en", "en"): 0.8, ("en", "hu"): 0.6, ("es", "en"): 0.5, ("es", "hu"): 0.5,
    ("embedding.en", "en"): 0.9, ("embedding.en", "hu"): 0.8, ("embedding.es", "en"): 0.4, ("embedding.es", "hu"): 0.6,
}  # fmt: skip


def test_mean_differences_by_mixture_and_over_all():
    rows = {row["mixture"]: row for row in rival_rows(sampled(SCORES))}
    assert list(rows) == [EVERY, "en", "es"]
    assert rows["en"]["difference"] == pytest.approx(0.15)
    assert rows["es"]["difference"] == pytest.approx(0.0)
    assert rows[EVERY]["difference"] == pytest.approx(0.075)
    assert (rows[EVERY]["cells"], rows[EVERY]["languages"]) == (4, 2)
    assert rows["en"]["score_of_base"] == pytest.approx(0.7)
    assert (rows["en"]["low"], rows["en"]["high"]) == pytest.approx((0.15, 0.15), abs=1e-6)


def test_cells_without_a_partner_do_not_count():
    scores = {key: value for key, value in SCORES.items() if key not in {("en", "hu"), ("es", "en"), ("es", "hu")}}
    rows = {row["mixture"]: row for row in rival_rows(sampled(scores))}
    assert list(rows) == [EVERY, "en"]
    assert rows["en"]["cells"] == 1
    assert list(rival_rows(sampled({("en", "en"): 0.5}))) == []


def sentences(tmp_path, gap, noise=0.0):
    scores = {
        ("en", "en"): 0.5,
        ("en", "hu"): 0.5,
        ("embedding.en", "en"): 0.5 + gap,
        ("embedding.en", "hu"): 0.5 + gap,
    }
    replicates(scores, noise).to_parquet(tmp_path / "replicates.parquet")
    measure_rivals(tmp_path / "replicates.parquet", min_posts=50, out=tmp_path / "rivals.csv")
    return describe_rivals(read_table(tmp_path / "rivals.csv"), "macro_f1", ["topic"])["topic"]


def test_sentence_says_to_use_a_clear_winner(tmp_path):
    [sentence] = sentences(tmp_path, 0.2)
    assert sentence.startswith("Use the frozen embedding with logistic regression: its mean Macro-F1 is .20 above")
    assert "that of the fine-tuned base on the same posts, mixtures and seeds" in sentence
    assert "(95% interval of the difference: .20 to .20; 2 cells, 2 test languages)" in sentence


def test_sentence_for_a_loser_and_for_no_clear_difference(tmp_path):
    [sentence] = sentences(tmp_path, -0.2)
    assert sentence.startswith("The mean Macro-F1 of the frozen embedding with logistic regression is .20 below")
    [sentence] = sentences(tmp_path, 0.01, noise=0.1)
    assert sentence.startswith("No clear difference: the mean")


def test_report_says_so_if_no_cell_is_ranked():
    empty = pd.DataFrame(columns=["view", "system", "mixture", "difference"])
    assert describe_rivals(empty, "macro_f1", ["topic"]) == {"topic": [NOTHING]}


def test_rivals_have_a_group_of_rows_at_the_end():
    seen = {(name, "en") for name in ("en", "embedding.en", "en+hu@5", "embedding.en+hu@5")}
    groups = group_mixtures(["none", "en", "embedding.en", "en+hu@5", "embedding.en+hu@5"], seen)
    assert list(groups.items())[-1] == ("Embedding and regression", ["embedding.en", "embedding.en+hu@5"])
    assert groups["One language"] == ["en"]


def test_exposure_of_rivals_has_posts_and_no_tokens_of_the_base(tmp_path):
    ids = [f"en-{number}" for number in range(4)]
    pd.DataFrame({"id": ids, "text": "x", "label": "pro", "split": "train"}).to_parquet(tmp_path / "en.parquet")
    pd.DataFrame({"id": ids, "text_tokens": 3, "prompt_tokens": 5}).to_parquet(tmp_path / "tokens.parquet")
    measure_exposure(
        posts={"en": tmp_path / "en.parquet"},
        tokens_path=tmp_path / "tokens.parquet",
        mixtures=[Mixture("en", ("en",)), Mixture("embedding.en", ("en",))],
        seeds=[0],
        budget=None,
        epochs=2,
        tables=["llama2"],
        lab_exposure=None,
        pretraining_tokens=1e12,
        languages=["en", "hu"],
        out=tmp_path / "exposure.csv",
    )
    table = read_table(tmp_path / "exposure.csv")
    assert seen_cells(table) == {("en", "en"), ("embedding.en", "en")}
    rival = table[table["mixture"] == "embedding.en"].set_index("language")
    assert rival["finetune_posts"].tolist() == [4, 0]
    tokens = [name for name in table.columns if "tokens" in name or "share" in name or name.endswith("pretraining")]
    assert rival[tokens].isna().all(axis=None)
    assert exposure_of_languages(table, "llama2")["en"] > 80
    assert list(warn_about_sizes(table)) == []


def record(path, **changes):
    usage = {"device": "CPU", "posts": 100, "tokens": 0, "work_seconds": 1.0, "gpu_memory_mb": None}
    write_json(path, {**usage, "wall_seconds": 3.0, "peak_memory_mb": 900.0, "energy_kwh": None, **changes})
    return path


def test_cost_of_a_rival_adds_embedding_and_classification(tmp_path):
    own = record(tmp_path / "own.json", tokens=5000, work_seconds=20.0)
    scored = [record(tmp_path / f"{seed}.json") for seed in (0, 1)]
    embedded = [
        record(tmp_path / "e.json", posts=100, tokens=2000, work_seconds=3.0, wall_seconds=8.0, peak_memory_mb=950.0)
    ]
    trained = [record(tmp_path / "t.json", wall_seconds=7.0)]
    paths = tmp_path / "cost.csv", tmp_path / "ratios.csv"
    predicted = {"en": [own], "embedding.en": scored}
    assumptions = Assumptions(3.6, None, None, {})
    tabulate_cost(predicted, {"embedding.en": trained}, {}, assumptions, *paths, embedded={"embedding.en": embedded})
    cost, ratios = (read_table(path).set_index("model") for path in paths)
    row = cost.loc["embedding.en"]
    # 0.03 s to embed a post, and 0.01 s to classify it.
    assert (row["how"], row["posts_per_second"], row["tokens_per_post"]) == ("rival", 25.0, 20.0)
    assert (row["start_seconds"], row["train_seconds"], row["peak_memory_mb"]) == (7.0, 7.0, 950.0)
    assert row["rented"] == pytest.approx(0.04 * 1000)
    assert (cost.loc["en", "how"], cost.loc["en", "posts_per_second"]) == ("own", 5.0)
    assert ratios.loc["embedding.en", ["against", "ratio"]].tolist() == ["en", 5.0]


def test_status_follows_the_jobs_of_a_rival(tmp_path):
    log = tmp_path / "logs/train_embedding/embedding.en/seed0.log"
    log.parent.mkdir(parents=True)
    log.write_text("2026-11-25 08:00:00,000 failed: no posts\n", encoding="utf-8")
    rows = read_rows([("en", 0), ("embedding.en", 0)], [], ["en", "hu"], tmp_path, per_cell=True)
    words = describe_status(rows, ["en", "hu"], tmp_path / "benchmarks")
    assert "embedding.en seed0  !  !" in words
    assert "train_embedding embedding.en/seed0" in words


def test_variants_of_lora_reach_the_encoder_or_are_refused():
    lora = Lora(rank=4, use_dora=True, use_rslora=True, init_lora_weights="gaussian", targets=["query"])
    arguments = lora_arguments(lora)
    assert (arguments["use_dora"], arguments["use_rslora"], arguments["init_lora_weights"]) == (True, True, "gaussian")
    assert lora_arguments(Lora())["init_lora_weights"] is True
    for initial in ("pissa", "loftq"):
        with pytest.raises(ValidationError, match=f"{initial} is for the base"):
            Encoder(folder="x", tuning="lora", lora=Lora(init_lora_weights=initial))
