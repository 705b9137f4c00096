"""Test the content of the report page without a browser."""

import base64
import gzip
import json
import re

import numpy as np
import pandas as pd
import pytest

from babelgrid.report.answer import answer, spearman_interval
from babelgrid.report.families import families_of
from babelgrid.report.sections import provenance_table
from babelgrid.runtime.files import write_csv
from synthetic import LANGUAGES, MANY


@pytest.mark.grid
def test_twelve_thousand_cells_fit_in_five_megabytes(large_report):
    payload = _payload(large_report)
    assert len(payload["mixtures"]) * len(payload["languages"]) >= 12_000
    assert large_report.stat().st_size < 5_000_000


def _payload(path):
    text = path.read_text(encoding="utf-8")
    packed = re.search(r'<script type="application/gzip" id="data">(.*?)</script>', text)[1]
    return json.loads(gzip.decompress(base64.b64decode(packed)))


@pytest.mark.slow
def test_the_same_tables_give_the_same_page(make_report, report, tmp_path):
    def without_paths(path):
        return path.read_text(encoding="utf-8").replace(str(path.parent), "")

    assert without_paths(make_report(tmp_path)) == without_paths(report)


@pytest.mark.slow
def test_page_contains_no_folder_of_this_machine(make_report, tmp_path):
    config = {"posts": {"files": ["/home/alice_private/posts.csv"]}, "base": {"folder": "~/alice_private/base"}}
    page = make_report(tmp_path, ["en", "all"], config=config).read_text(encoding="utf-8")
    assert "alice_private" not in page
    assert str(tmp_path) not in page
    assert "posts.csv" in page


@pytest.mark.slow
def test_intervals_and_ranks_come_from_the_joint_bootstrap(make_report, tmp_path):
    keys = [(view, mixture, code) for view in ("topic", "stance") for mixture in ("en", "all") for code in LANGUAGES]
    scores = pd.DataFrame(keys, columns=["view", "mixture", "test_language"])
    scores = scores.assign(low=0.111, high=0.999, ranked=scores["test_language"] != "ko")
    write_csv(tmp_path / "scores.csv", scores)
    payload = _payload(make_report(tmp_path, ["en", "all"], extra={"scores": tmp_path / "scores.csv"}))
    view = payload["views"][0]
    assert set(view["metrics"]["macro_f1"]["low"]) == {11100}
    assert set(view["metrics"]["accuracy"]["low"]) != {11100}
    assert [payload["languages"][cell % len(LANGUAGES)]["code"] for cell in view["unranked"]] == ["ko", "ko"]


def test_page_contains_no_post_texts_by_default(report):
    assert len(_payload(report)["mixtures"]) == len(MANY)
    assert "text" not in json.dumps(_payload(report))


def _grid(scores, held):
    """Return cells.csv and exposure.csv for scores by mixture, one list each in the order of `LANGUAGES`."""
    cells, exposure = [], []
    for mixture, row in scores.items():
        for code, score in zip(LANGUAGES, row, strict=False):
            key = {"mixture": mixture, "seed": 0, "test_language": code, "view": "topic", "n": 100}
            bounds = {"macro_f1_low": score - 0.1, "macro_f1_high": score + 0.1}
            cells.append({**key, "macro_f1": score, **bounds, "majority_macro_f1": 0.3, "ngram_macro_f1": 0.5})
            place = LANGUAGES.index(code)
            seen = code in held[mixture]
            exposure.append({"mixture": mixture, "language": code, "seen": seen, "share_llama2": 20.0 - place})
    return pd.DataFrame(cells), pd.DataFrame(exposure)


def test_answer_is_generated_from_the_numbers():
    scores = {
        "en": [0.9, 0.6, 0.4, 0.4, 0.4, 0.4],
        "es": [0.6, 0.9, 0.8, 0.8, 0.6, 0.6],
        "all": [0.95, 0.9, 0.85, 0.8, 0.75, 0.7],
    }
    held = {"en": ["en"], "es": ["es"], "all": LANGUAGES[:6]}
    sentences = answer(*_grid(scores, held), None, None, metric="macro_f1", table="llama2", seed=0)["topic"]
    # The mean of `all` is .825, a middle.
    assert sentences[0] == "3 mixtures of languages were tested on 6 languages with 100 posts each, over 1 seed."
    assert "Spanish (es) gives most to the others (mean Macro-F1 .70 over 4 languages" in sentences[1]
    assert "English (en) least (.40)" in sentences[1]
    assert "6 of 10 cells for languages outside the mixture and in 8 of 8 cells" in sentences[2]
    assert "that of all, .82; its weakest language is German (de) with .70" in sentences[3]
    assert "In the mixture all the score goes up with" in sentences[4]
    assert "is 1.00" in sentences[4]


def test_means_have_intervals_over_posts_and_seeds():
    scores, held = {"en": [0.9, 0.6, 0.4], "es": [0.6, 0.9, 0.8]}, {"en": ["en"], "es": ["es"]}
    index = [("topic", mixture, code) for mixture in scores for code in LANGUAGES[:3]]
    drawn = pd.DataFrame(
        {"seeds": 1, "n": 100, "score": 0.5, "r0": 0.5, "r1": 0.5, "r2": 0.7}, pd.MultiIndex.from_tuples(index)
    )
    drawn.index.names = ["view", "mixture", "test_language"]
    sentences = answer(*_grid(scores, held), None, drawn, metric="macro_f1", table="llama2", seed=0)["topic"]
    assert "that of es, .77 [.50, .69]" in sentences[3]
    assert "(mean Macro-F1 .80 [.50, .69] over 1 language" in sentences[1]


def test_cells_with_too_few_posts_are_not_compared():
    grid = _grid({"en": [0.9, 0.6], "es": [0.6, 0.95]}, {"en": ["en"], "es": ["es"]})
    ranked = pd.DataFrame([("topic", "en", "en", True), ("topic", "en", "es", True)])
    ranked.columns = ["view", "mixture", "test_language", "ranked"]
    ranked = ranked.assign(low=0.1, high=0.9)
    sentences = answer(*grid, ranked, None, metric="macro_f1", table="llama2", seed=0)["topic"]
    assert "that of en, .75" in sentences[3]
    nothing = answer(*grid, ranked.assign(ranked=False), None, metric="macro_f1", table="llama2", seed=0)["topic"]
    assert "no cell has enough posts" in nothing[3]
    assert "no cell has enough posts" in nothing[4]


def test_answer_states_what_a_small_grid_cannot_determine():
    sentences = answer(
        *_grid({"en": [0.9, 0.5]}, {"en": ["en"]}), None, None, metric="macro_f1", table="llama2", seed=0
    )["topic"]
    assert len(sentences) == 5
    assert "cannot be determined" in sentences[1]
    assert "known for 2 languages only" in sentences[4]


def test_correlation_interval_contains_zero_without_correlation():
    generator = np.random.default_rng(3)
    low, high = spearman_interval(generator.normal(size=13), generator.normal(size=13), generator)
    assert low < 0 < high
    assert spearman_interval(np.arange(13.0), np.arange(13.0), generator)[0] == pytest.approx(1)


def test_page_uses_the_order_of_the_clusters_table(report):
    payload = _payload(report)
    names = [language["code"] for language in payload["languages"]]
    rows = [mixture["name"] for mixture in payload["mixtures"]]
    for view in payload["views"]:
        assert [names[place] for place in view["clusters"]["languages"]] == sorted(names)
        assert [rows[place] for place in view["clusters"]["rows"]] == sorted(rows)


def test_languages_have_a_family_or_are_not_listed():
    assert families_of(["hu", "no", "zh-Hant", "xx"]) == {
        "hu": "Uralic, Ugric",
        "no": "Indo-European, Germanic",
        "zh-Hant": "Sino-Tibetan",
        "xx": "not listed",
    }


def test_answer_leaves_out_merged_rows():
    scores = {"en": [0.9, 0.6, 0.4], "es": [0.6, 0.9, 0.8], "en~es": [0.99, 0.99, 0.99]}
    held = {"en": ["en"], "es": ["es"], "en~es": ["en", "es"]}
    trained = {name: row for name, row in scores.items() if name != "en~es"}
    settings = {"metric": "macro_f1", "table": "llama2", "seed": 0}
    assert answer(*_grid(scores, held), None, None, **settings) == answer(*_grid(trained, held), None, None, **settings)


def test_base_from_gguf_is_shown_with_its_rounding():
    source = {"file": "a.gguf", "revision": "c0", "sha256": "d1", "tensors_by_type": {"F32": 2, "Q4_K": 27}}
    base = {"name": "a.gguf", "revision": None, "sha256": {}, "gguf": source}
    rows = dict(provenance_table(base, {"git_commit": None, "versions": {}}).rows)
    assert rows["revision of the base"] == "c0"
    assert rows["tensors of the GGUF file by type (results are those of these rounded weights)"] == "F32 2, Q4_K 27"
    assert rows["SHA-256 of a.gguf"] == "d1"
