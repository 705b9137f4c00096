import json

import pandas as pd
import pytest

from babelgrid.analysis.exposure.exposure import exposure_of_languages, measure_exposure, seen_cells
from babelgrid.analysis.tables import read_table
from babelgrid.errors import UserError
from babelgrid.mixture import Merge, Mixture

MIXTURES = [Mixture("none"), Mixture("en", ("en",)), Mixture("en+hu@2", ("en",), "hu", 2)]


@pytest.fixture
def settings(tmp_path):
    """Write ten train posts and one test post in English (3 tokens each) and Hungarian (5); prompts add 10 tokens."""
    posts, tokens = {}, []
    for language, length in [("en", 3), ("hu", 5)]:
        ids = [f"{language}-{number}" for number in range(11)]
        split = ["train"] * 10 + ["test"]
        label = ["pro", "anti"] * 5 + ["pro"]
        posts[language] = tmp_path / f"{language}.parquet"
        pd.DataFrame({"id": ids, "text": "x", "label": label, "split": split}).to_parquet(posts[language])
        tokens.append(pd.DataFrame({"id": ids, "text_tokens": length, "prompt_tokens": length + 10}))
    pd.concat(tokens).to_parquet(tmp_path / "tokens.parquet")
    return {
        "posts": posts,
        "tokens_path": tmp_path / "tokens.parquet",
        "mixtures": MIXTURES,
        "seeds": [0, 1],
        "budget": None,
        "epochs": 2.5,
        "tables": ["llama2", "fineweb2"],
        "lab_exposure": None,
        "pretraining_tokens": 9e12,
        "languages": ["en", "hu", "tr"],
        "out": tmp_path / "exposure.csv",
    }


def _measure(settings, **changes):
    measure_exposure(**{**settings, **changes})
    return read_table(settings["out"])


def test_finetuning_tokens_are_counted_unique_and_over_epochs(settings):
    exposure = _measure(settings).set_index(["mixture", "language"])
    assert len(exposure) == 3 * 3
    dose = exposure.loc[("en+hu@2", "hu")]
    assert dose["finetune_posts"] == 2
    assert (dose["finetune_text_tokens"], dose["finetune_text_tokens_seen"]) == (10, 25)
    assert (dose["finetune_prompt_tokens"], dose["finetune_prompt_tokens_seen"]) == (30, 75)
    assert exposure.loc[("en+hu@2", "en"), "finetune_posts"] == 10
    assert (exposure.loc["none", "finetune_text_tokens"] == 0).all()


def test_equal_budget_divides_posts(settings):
    exposure = _measure(settings, budget=8).set_index(["mixture", "language"])["finetune_posts"]
    assert (exposure["en", "en"], exposure["en+hu@2", "en"], exposure["en+hu@2", "hu"]) == (8, 6, 2)


def test_small_ratio_to_pretraining_is_not_rounded_to_zero(settings):
    exposure = _measure(settings).set_index(["mixture", "language"])
    assert exposure.loc[("en", "en"), "finetune_to_pretraining"] == pytest.approx(75 / 9e12, rel=1e-4)
    assert _measure(settings, pretraining_tokens=None)["finetune_to_pretraining"].isna().all()


def test_unknown_shares_are_empty(settings):
    exposure = _measure(settings)
    assert exposure_of_languages(exposure, "llama2").isna().to_dict() == {"en": False, "hu": False, "tr": True}
    assert exposure_of_languages(exposure, "fineweb2").isna().to_dict() == {"en": True, "hu": False, "tr": False}
    tokens = exposure.drop_duplicates("language").set_index("language")["pretraining_tokens"]
    assert tokens["hu"] == pytest.approx(0.0003 * 9e12)
    assert pd.isna(tokens["tr"])


def test_lab_gives_exact_pretraining_tokens(settings, tmp_path):
    path = tmp_path / "exposure.json"
    path.write_text(json.dumps({"tokens": {"en": 1500, "hu": 500}, "total": 2000}))
    exposure = _measure(settings, tables=["lab"], lab_exposure=path, pretraining_tokens=None)
    english = exposure.query("mixture == 'en' and language == 'en'").iloc[0]
    assert (english["share_lab"], english["pretraining_tokens"]) == (75, 1500)
    assert english["finetune_to_pretraining"] == pytest.approx(75 / 2000)


def test_seen_lists_languages_of_each_mixture(settings):
    assert seen_cells(_measure(settings)) == {("en", "en"), ("en+hu@2", "en"), ("en+hu@2", "hu")}


def test_errors_leave_no_file(settings, tmp_path):
    pd.DataFrame({"id": ["en-0"], "text_tokens": [1], "prompt_tokens": [1]}).to_parquet(tmp_path / "few.parquet")
    (tmp_path / "llama2.csv").write_text("language,share\nen,90\n")
    with pytest.raises(UserError, match="has no token count"):
        _measure(settings, tokens_path=tmp_path / "few.parquet")
    with pytest.raises(UserError, match="two tables are called 'llama2'"):
        _measure(settings, tables=["llama2", str(tmp_path / "llama2.csv")])
    with pytest.raises(UserError, match="this base is a different one"):
        _measure(settings, tables=["lab"])
    assert not settings["out"].exists()
    with pytest.raises(UserError, match="no column for the table 'commoncrawl_2023_50'"):
        exposure_of_languages(_measure(settings), "commoncrawl_2023_50")


def test_merged_row_has_the_posts_of_its_parents_and_saw_what_both_saw(settings):
    english, dosed = MIXTURES[1:]
    merged = Mixture("en~en+hu@2", ("en", "hu"), merge=Merge((english, dosed), (0.5, 0.5)))
    exposure = _measure(settings, mixtures=[*MIXTURES, merged]).set_index(["mixture", "language"])
    counted = ["finetune_posts", "finetune_text_tokens", "finetune_prompt_tokens"]
    seen = ["finetune_text_tokens_seen", "finetune_prompt_tokens_seen", "finetune_to_pretraining"]
    for language, times in (("en", 2), ("hu", 1)):
        own, parent = exposure.loc[(merged.name, language)], exposure.loc[("en+hu@2", language)]
        assert own["seen"]
        assert own[counted].tolist() == parent[counted].tolist()
        assert own[seen].astype(float).tolist() == pytest.approx(
            [times * value for value in parent[seen].astype(float)]
        )
