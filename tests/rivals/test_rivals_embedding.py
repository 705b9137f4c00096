import json

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.model_selection import StratifiedKFold
from transformers import AutoModel, AutoTokenizer

from babelgrid.base_files import read_base
from babelgrid.config.rivals import PretrainedEncoder
from babelgrid.errors import UserError
from babelgrid.mixture import Mixture
from babelgrid.posts.sample import read_train_posts, sample_posts
from babelgrid.rivals.embed import Recipe, embed, embed_posts, recipe_of
from babelgrid.rivals.files import prefetch_encoder, read_recipe
from babelgrid.rivals.linear import STRENGTHS, Classifier, fit_classifier, predict_embedding, train_embedding
from babelgrid.rivals.load import load_encoder, tokens_of
from babelgrid.runtime.files import read_parquet, write_parquet
from babelgrid.runtime.usage import Usage
from encoders import write_encoder

LABELS = ["pro", "anti", "neutral"]
TEXTS = ["new families arrived", "ayer el equipo ganó el partido en el estadio", "a", "everyone is welcome here"]
MEAN = Recipe("", "mean", normalize=False, max_tokens=32)
SETTINGS = {"prefix": "", "max_tokens": 32}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_encoder(tmp_path_factory.mktemp("encoder") / "tiny")


@pytest.fixture(scope="module")
def loaded(folder):
    return load_encoder(AutoModel, folder, "cpu")[0], AutoTokenizer.from_pretrained(folder)


def by_hand(loaded, text):
    """Return the last hidden states of one text, without padding."""
    model, tokenizer = loaded
    with torch.no_grad():
        return model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].numpy()


def test_mean_pooling_equals_the_mean_over_tokens_whatever_the_batch(loaded):
    together = embed(*loaded, TEXTS, MEAN)
    for number, text in enumerate(TEXTS):
        expected = by_hand(loaded, text).mean(axis=0)
        assert together[number] == pytest.approx(expected, abs=1e-5)
        assert embed(*loaded, [text], MEAN)[0] == pytest.approx(expected, abs=1e-5)


def test_cls_pooling_length_one_and_prefix(loaded):
    vectors = embed(*loaded, TEXTS, Recipe("query: ", "cls", normalize=True, max_tokens=32))
    for vector, text in zip(vectors, TEXTS, strict=True):
        first = by_hand(loaded, f"query: {text}")[0]
        assert vector == pytest.approx(first / np.linalg.norm(first), abs=1e-5)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-6)
    assert not np.allclose(vectors, embed(*loaded, TEXTS, Recipe("", "cls", normalize=True, max_tokens=32)))


def test_posts_are_truncated_and_cannot_contain_special_tokens(loaded):
    model, tokenizer = loaded
    long, special = tokens_of(["a " * 500, "[SEP] a"], tokenizer, model.config, 1000)["input_ids"]
    assert len(long) == 32
    assert special.count(tokenizer.sep_token_id) == 1
    assert len(tokens_of(["a " * 500], tokenizer, model.config, 10)["input_ids"][0]) == 10


@pytest.mark.parametrize(
    ("config", "pooling"),
    [
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, "cls"),
        ({"pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}, "mean"),
        ({"pooling_mode": "mean"}, "mean"),
        ({"pooling_mode": ["cls"]}, "cls"),
    ],
)
def test_recipe_follows_the_folder_of_sentence_transformers(tmp_path, config, pooling):
    written = write_encoder(tmp_path / "st", modules=["Pooling", "Normalize"], pooling=config)
    (written / "sentence_bert_config.json").write_text('{"max_seq_length": 16}', encoding="utf-8")
    assert read_recipe(written) == {"pooling": pooling, "normalize": True, "max_tokens": 16}
    assert recipe_of(read_recipe(written), {"prefix": "q ", "max_tokens": 20}) == ("q ", pooling, True, 16)


def test_plain_folder_takes_the_mean(folder):
    assert read_recipe(folder) == {"pooling": "mean", "normalize": False, "max_tokens": None}


@pytest.mark.parametrize(
    ("modules", "config", "words"),
    [
        (["Pooling", "Dense"], {"pooling_mode": "mean"}, "the step 'Dense' in '2_Dense' is not supported"),
        (["Pooling"], {"pooling_mode_max_tokens": True}, "this pooling is not supported"),
        (["Pooling"], {"pooling_mode_max_tokens": True, "pooling_mode_mean_tokens": True}, "not supported"),
        (["Pooling"], {"pooling_mode": "mean", "include_prompt": False}, "not supported"),
        (["Normalize"], {}, "lists no Pooling"),
    ],
)
def test_unknown_steps_are_refused(tmp_path, modules, config, words):
    written = write_encoder(tmp_path / "st", modules=modules, pooling=config)
    with pytest.raises(UserError, match=words):
        read_recipe(written)


def test_encoder_is_recorded_and_a_pickle_is_refused(folder, tmp_path):
    prefetch_encoder("rivals.embedding", PretrainedEncoder(folder=str(folder)), tmp_path / "embedding.json")
    record = read_base(tmp_path / "embedding.json")
    assert record["name"] == "tiny"
    assert {"model.safetensors", "tokenizer.json", "config.json"} <= set(record["sha256"])
    assert record["sentence"]["pooling"] == "mean"
    other = tmp_path / "pickled"
    other.mkdir()
    (other / "config.json").write_text("{}", encoding="utf-8")
    (other / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(UserError, match="Pickled weights are not supported"):
        prefetch_encoder("rivals.embedding", PretrainedEncoder(folder=str(other)), tmp_path / "other.json")


def test_encoder_that_lacks_a_layer_is_refused(tmp_path):
    written = write_encoder(tmp_path / "short")
    config = json.loads((written / "config.json").read_text(encoding="utf-8"))
    (written / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 3}), encoding="utf-8")
    with pytest.raises(UserError, match=r"they lack bert\.encoder\.layer\.2"):
        load_encoder(AutoModel, written, "cpu")
    (written / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 1}), encoding="utf-8")
    with pytest.raises(UserError, match=r"they also contain bert\.encoder\.layer\.1"):
        load_encoder(AutoModel, written, "cpu")


def planted(posts, classes=3, seed=0):
    """Return vectors with a weak trace of the label in each, and the labels."""
    generator = np.random.default_rng(seed)
    gold = [LABELS[number % classes] for number in range(posts)]
    vectors = generator.normal(size=(posts, 8))
    vectors[np.arange(posts), [LABELS.index(label) for label in gold]] += 1.5
    return vectors, gold


@pytest.mark.slow
@pytest.mark.parametrize("classes", [2, 3])
def test_classifier_equals_sklearn(classes):
    vectors, gold = planted(60, classes)
    classifier = fit_classifier(vectors, gold, LABELS, seed=3)
    folds = StratifiedKFold(5, shuffle=True, random_state=3)
    search = LogisticRegressionCV(
        Cs=STRENGTHS, cv=folds, scoring="neg_log_loss", max_iter=1000, l1_ratios=(0,), use_legacy_attributes=False
    ).fit(vectors, gold)
    assert classifier.strength == pytest.approx(float(search.C_))
    new = planted(20, classes, seed=1)[0]
    scores = classifier.log_probabilities(new, LABELS)
    own = [LABELS.index(label) for label in search.classes_]
    assert scores[:, own] == pytest.approx(search.predict_log_proba(new), abs=1e-9)
    assert np.isneginf(scores[:, [n for n in range(3) if n not in own]]).all()


@pytest.mark.slow
def test_rare_classes_lower_the_folds_and_a_single_post_fixes_the_penalty(caplog):
    vectors, gold = planted(30, 2)
    with caplog.at_level("INFO"):
        fit_classifier(vectors[:23], [*gold[:21], "neutral", "neutral"], LABELS, seed=0)
    assert "23 posts, 2 folds" in caplog.text
    alone = [*gold[:21], "neutral"]
    classifier = fit_classifier(vectors[:22], alone, LABELS, seed=0)
    assert classifier.strength == 1
    expected = LogisticRegression(C=1, max_iter=1000).fit(vectors[:22], alone)
    own = [LABELS.index(label) for label in expected.classes_]
    assert classifier.log_probabilities(vectors, LABELS)[:, own] == pytest.approx(
        expected.predict_log_proba(vectors), abs=1e-9
    )


def test_one_class_is_always_the_answer():
    classifier = fit_classifier(planted(6)[0], ["anti"] * 6, LABELS, seed=0)
    again = Classifier.from_frame(classifier.to_frame())
    assert again.log_probabilities(np.ones((2, 8)), LABELS).tolist() == [[-np.inf, 0, -np.inf]] * 2


@pytest.fixture
def row(folder, tmp_path):
    """Return posts and embeddings of two languages, and the record of the encoder."""
    encoder = tmp_path / "embedding.json"
    prefetch_encoder("rivals.embedding", PretrainedEncoder(folder=str(folder)), encoder)
    posts, embedded = {}, {}
    for language in ("en", "es"):
        numbers = range(48)
        table = pd.DataFrame(
            {
                "id": [f"{language}-{number}" for number in numbers],
                "text": [f"{TEXTS[number % 4]} {number} {LABELS[number % 3]}" for number in numbers],
                "label": [LABELS[number % 3] for number in numbers],
                "split": ["test" if number % 4 == 3 else "train" for number in numbers],
            }
        )
        posts[language] = tmp_path / f"{language}.parquet"
        write_parquet(posts[language], table)
        for part in ("train", "test"):
            embedded[language, part] = tmp_path / language / f"{part}.parquet"
            embed_posts(posts[language], part, encoder, SETTINGS, embedded[language, part], Usage())
    return posts, embedded


def train(row, folder, mixture, seed=0, budget=18):
    posts, embedded = row
    languages = mixture.all_languages
    train_embedding(
        {name: posts[name] for name in languages},
        {name: embedded[name, "train"] for name in languages},
        mixture=mixture,
        labels=LABELS,
        seed=seed,
        budget=budget,
        out=folder / "classifier.parquet",
        usage=Usage(),
    )
    return folder / "classifier.parquet"


@pytest.mark.slow
def test_embeddings_hold_the_posts_of_one_part(row):
    posts, embedded = row
    table = read_parquet(embedded["en", "test"])
    own = read_parquet(posts["en"]).query("split == 'test'")
    assert table["id"].tolist() == own["id"].tolist()
    assert table["label"].tolist() == own["label"].tolist()
    assert table["embedding"].iloc[0].dtype == np.float32


@pytest.mark.slow
def test_row_learns_from_the_sample_of_the_adapter(row, tmp_path):
    posts, embedded = row
    mixture = Mixture("embedding.en+es", ("en", "es"))
    written = train(row, tmp_path, mixture, seed=4)
    sample = sample_posts(read_train_posts(posts), Mixture("en+es", ("en", "es")), 4, 18)
    vectors = pd.concat(read_parquet(embedded[name, "train"]) for name in posts).set_index("id")["embedding"]
    expected = fit_classifier(
        np.stack(vectors[sample["id"]].to_list()).astype(float), sample["label"].tolist(), LABELS, seed=4
    )
    found = Classifier.from_frame(read_parquet(written))
    assert len(sample) == 18
    assert found.labels == expected.labels
    assert np.array_equal(found.weights, expected.weights)


@pytest.mark.slow
@pytest.mark.grid
def test_same_row_gives_the_same_bytes(row, tmp_path):
    mixture = Mixture("embedding.en", ("en",))
    first = train(row, tmp_path, mixture).read_bytes()
    assert train(row, tmp_path, mixture).read_bytes() == first
    assert train(row, tmp_path, mixture, seed=1).read_bytes() != first


@pytest.mark.slow
def test_predictions_have_the_form_of_an_adapters(row, tmp_path):
    posts, embedded = row
    classifier = train(row, tmp_path, Mixture("embedding.en", ("en",)))
    outputs = {name: tmp_path / "predictions" / f"{name}.parquet" for name in posts}
    usage = Usage()
    tests = {name: embedded[name, "test"] for name in posts}
    predict_embedding(classifier, tests, outputs, labels=LABELS, settings=SETTINGS, usage=usage)
    for name, path in outputs.items():
        table = read_parquet(path)
        test = read_parquet(posts[name]).query("split == 'test'")
        assert table.columns.tolist() == ["id", "gold", "predicted", *(f"logp_{label}" for label in LABELS)]
        assert table["id"].tolist() == test["id"].tolist()
        assert table["gold"].tolist() == test["label"].tolist()
        scores = table[[f"logp_{label}" for label in LABELS]].to_numpy()
        assert np.exp(scores).sum(axis=1) == pytest.approx(1)
        assert table["predicted"].tolist() == [LABELS[number] for number in scores.argmax(axis=1)]
    assert usage.posts == 24


def test_posts_without_an_embedding_are_an_error(row, tmp_path):
    posts, embedded = row
    with pytest.raises(UserError, match="36 train posts have none"):
        train(
            (posts, {**embedded, ("en", "train"): embedded["es", "train"]}),
            tmp_path,
            Mixture("en", ("en",)),
            budget=None,
        )
