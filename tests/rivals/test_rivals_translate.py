"""Test rows that read posts translated into one language: their settings, their posts, and the lab's translations."""

from pathlib import Path

import pandas as pd
import pytest

from babelgrid.config.load import load_experiment, read_experiment
from babelgrid.config.posts import Columns, LabPosts, Posts
from babelgrid.config.prompt import Label
from babelgrid.config.rivals import Translate
from babelgrid.errors import UserError
from babelgrid.grid import build_grid, needs_of
from babelgrid.lab.compose import TRANSLATABLE, Content, Turn, chance, draw_content
from babelgrid.lab.lexicon import load_lexicons
from babelgrid.lab.posts import translate, write_lab_posts
from babelgrid.mixture import Mixture, Needs, Translations
from babelgrid.operations.status import describe_status, read_rows
from babelgrid.posts.check import check_counts, count_labels
from babelgrid.posts.extract import extract_posts
from babelgrid.posts.prepare import prepare_posts
from babelgrid.runtime.files import read_json, read_parquet

LABELS = {"pro": Label(answer=" pro"), "anti": Label(answer=" anti")}
TINY = read_experiment(Path(__file__).parents[1] / "grid/tiny.yaml").model_dump(mode="json")


def tiny(**changes):
    return load_experiment(TINY | changes)


def rivals_of(mixtures="all", **translate):
    return {"rivals": {"translate": {"lab": True, **translate}, "mixtures": mixtures}}


def test_rows_read_translations_of_test_posts_or_of_all_posts():
    experiment = tiny(**rivals_of())
    grid = build_grid(experiment)
    # A mixture whose posts are all in the pivot has no row of its own in translation.
    assert list(grid.mixtures)[3:] == ["translate_test.en", "translate_test.en+hu@4", "translate_train.en+hu@4"]
    assert grid.adapters == [("en", 0), ("en+hu@4", 0), ("translate_train.en+hu@4", 0)]
    assert needs_of(grid, experiment).translations == Translations("translation", "en", ("hu",), ("hu", "ko"))
    assert needs_of(build_grid(tiny()), tiny()).translations is None


def test_only_test_posts_need_translations_without_translate_train():
    experiment = tiny(**rivals_of(train=False, pivot="es"))
    assert needs_of(build_grid(experiment), experiment).translations.train == ()
    assert needs_of(build_grid(experiment), experiment).translations.test == ("en", "hu", "ko")


def test_nothing_to_translate_is_a_mistake():
    with pytest.raises(UserError, match=r"all posts of en are in the pivot.*set rivals.translate.test to true"):
        build_grid(tiny(**rivals_of(mixtures=["en"], test=False)))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (rivals_of(column="english"), "exactly one of column, lab; found both"),
        (rivals_of(lab=False), "exactly one of column, lab; found none"),
        (rivals_of(test=False, train=False), "test and train are both false"),
        (rivals_of(lab=False, column="english"), "use lab: true instead of column"),
        (rivals_of(pivot="sw"), "no lexicon for 'sw'"),
        ({**rivals_of(), "posts": {"files": ["a.csv"]}}, "it needs posts.lab"),
        (
            {**rivals_of(lab=False, column="text"), "posts": {"files": ["a.csv"]}},
            "'text' is already the column of posts.columns.text",
        ),
        (
            {
                **rivals_of(pivot="de"),
                "prompt": {"language": "native", "template": dict.fromkeys(["en", "hu", "es", "ko"], "{text}=")},
            },
            "native also needs templates for de",
        ),
    ],
)
def test_mistake_in_the_settings_is_explained(changes, words):
    with pytest.raises(UserError, match=words):
        tiny(**changes)


ROWS = (
    "lang,part,text,label,english\n"
    "en,train,Welcome &amp; stay,pro,ignored\nen,train,Go home,anti,\nen,test,A test,pro,\n"
    "hu,train,Isten hozott,pro,  You are&amp;welcome \nhu,train,Menj haza,anti,\nhu,test,Egy teszt,pro,A test\n"
)
TRANSLATE = Translate(column="english")


@pytest.fixture
def prepared(tmp_path):
    """Prepare the rows with and without their translations, and count them."""
    (tmp_path / "posts.csv").write_text(ROWS, encoding="utf-8")
    settings = Posts(files=[str(tmp_path / "posts.csv")], columns=Columns(language="lang", part="part"))
    for name, setting in (("with", TRANSLATE), ("without", None)):
        out = tmp_path / name
        prepare_posts(settings, LABELS, {}, 1, out / "all.parquet", out / "dropped.csv", setting)
        count_labels(out / "all.parquet", Needs((), (), (), (), None), out / "counts")
    return tmp_path


def test_translations_are_cleaned_and_posts_in_the_pivot_are_their_own(prepared):
    posts = pd.read_parquet(prepared / "with/all.parquet").set_index("text")["translation"]
    assert posts[["Welcome & stay", "Go home"]].tolist() == ["Welcome & stay", "Go home"]
    assert posts["Isten hozott"] == "You are&welcome"
    assert pd.isna(posts["Menj haza"])
    assert "translation" not in pd.read_parquet(prepared / "without/all.parquet")


def test_counts_and_posts_of_the_base_are_the_same_bytes_with_translations(prepared):
    for language in ("en", "hu"):
        made = []
        for name in ("with", "without"):
            counts = prepared / name / f"counts/{language}.json"
            extract_posts(prepared / name / "all.parquet", counts, language, prepared / name / f"{language}.parquet")
            made.append((counts.read_bytes(), (prepared / name / f"{language}.parquet").read_bytes()))
        assert made[0] == made[1]
    assert not (prepared / "without/counts/translated").exists()


def test_posts_in_translation_are_extracted(prepared):
    counts = prepared / "with/counts/translated/hu.json"
    assert read_json(counts)["missing"] == {"train": 1, "dev": 0, "test": 0}
    extract_posts(prepared / "with/all.parquet", counts, "hu", prepared / "hu.parquet", translated=True)
    posts = read_parquet(prepared / "hu.parquet")
    assert posts["text"].tolist() == ["You are&welcome", "A test"]
    assert list(posts.columns) == ["id", "text", "label", "split", "group", "source_id"]


def test_missing_translation_of_a_needed_post_is_one_clear_error(prepared):
    def needs(train):
        mixture = Mixture("hu", ("hu",))
        return Needs(("hu",), ("hu",), ("pro",), (mixture,), None, Translations("english", "en", train, ("hu",)))

    check_counts(prepared / "with/counts", needs(train=()))
    words = r"1 train posts in 'hu' have no translation into 'en' \(column 'english'"
    with pytest.raises(UserError, match=words) as caught:
        check_counts(prepared / "with/counts", needs(train=("hu",)))
    assert "Menj" not in str(caught.value)
    with pytest.raises(UserError, match=words):
        count_labels(prepared / "with/all.parquet", needs(train=("hu",)), prepared / "again")


def test_missing_column_is_named_except_in_files_of_the_pivot(tmp_path):
    for language in ("en", "hu"):
        (tmp_path / f"{language}.csv").write_text(
            "part,text,label\ntrain,a post,pro\ntest,a test,pro\n", encoding="utf-8"
        )
    settings = Posts(files=[str(tmp_path / "{language}.csv")], columns=Columns(language=None, part="part"))

    def prepare(files):
        chosen = settings.model_copy(update={"files": [str(tmp_path / files)]})
        prepare_posts(chosen, LABELS, {}, 1, tmp_path / "all.parquet", tmp_path / "dropped.csv", TRANSLATE)

    with pytest.raises(UserError, match=r"hu.csv: no column 'english'.*rivals.translate.column"):
        prepare("{language}.csv")
    (tmp_path / "hu.csv").unlink()
    prepare("{language}.csv")
    assert pd.read_parquet(tmp_path / "all.parquet")["translation"].tolist() == ["a post", "a test"]


def test_lab_translates_one_meaning_from_every_language_alike():
    lexicons = load_lexicons()
    content = draw_content(chance(1, "test"), "pro", lexicons["hu"], TRANSLATABLE)
    said = {translate(content, source, lexicons["en"]) for source in lexicons.values()}
    assert said == {translate(content, lexicons["en"], lexicons["en"])}


def test_lab_translates_an_idiom_as_an_idiom_of_the_same_stance():
    hu, en = (load_lexicons()[name] for name in ("hu", "en"))
    shared = hu.themes["anti"].shared
    content = Content("anti", (Turn(0, 0, 0, (shared + 1,)),), None, None, ())
    text = translate(content, hu, en)
    assert en.themes["anti"].remarks[en.themes["anti"].shared + 1].lower() in text.lower()
    assert hu.themes["anti"].remarks[shared + 1].lower() not in text.lower()


def test_lab_adds_a_column_and_changes_nothing_else(tmp_path):
    settings = LabPosts(train=4, dev=0, test=4)
    write_lab_posts(settings, 3, tmp_path / "plain.csv")
    for name in ("one", "two"):
        write_lab_posts(settings, 3, tmp_path / f"{name}.csv", "en")
    plain, translated = (pd.read_csv(tmp_path / f"{name}.csv") for name in ("plain", "one"))
    assert translated.drop(columns="translation").equals(plain)
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()
    english = translated[translated["language"] == "en"]
    assert english["translation"].equals(english["text"])


def test_status_shows_the_adapter_that_a_row_waits_for_once(tmp_path):
    rows = read_rows([("en", 0), ("translate_test.en", 0), ("translate_train.en", 0)], [], ["hu"], tmp_path, False)
    assert [row.finetune.name for row in rows] == ["finetune en/seed0"] * 2 + ["finetune translate_train.en/seed0"]
    assert "left: at least 2 finetune jobs" in describe_status(rows, ["hu"], tmp_path / "benchmarks")
