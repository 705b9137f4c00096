"""Fit baselines that answer the same posts without a language model."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from babelgrid.analysis.scores.views import LOGP
from babelgrid.errors import UserError
from babelgrid.mixture import Mixture
from babelgrid.posts.sample import read_train_posts, sample_posts
from babelgrid.runtime.files import provenance, read_parquet, write_parquet
from babelgrid.types import Floats


def write_baselines(
    train: Mapping[str, Path],
    test: Mapping[str, Path],
    *,
    mixture: Mixture,
    labels: Sequence[str],
    seed: int,
    budget: int | None,
    out: Path,
) -> None:
    """Fit the baselines of a (mixture, seed) on its adapter's train posts and write their answers.

    A merged row's train posts are those of all its parents.

    train, test: posts files by language. The untuned base has no train posts; its only baseline is the majority class
    over `train`, which then contains all train languages.
    """
    train_posts = read_train_posts(train)
    posts = {language: read_parquet(path) for language, path in test.items()}
    test_posts = {language: rows[rows["split"] == "test"].reset_index(drop=True) for language, rows in posts.items()}
    if mixture.has_adapter:
        answers = fit_baselines(sample_posts(train_posts, mixture, seed, budget), test_posts, labels)
    else:
        answers = fit_majority(pd.concat(train_posts.values()), test_posts, labels)
    settings = {"mixture": mixture.name, "seed": seed, "budget": budget}
    write_parquet(out, answers, provenance(settings, sorted({*train.values(), *test.values()})))


def fit_baselines(train: pd.DataFrame, test: Mapping[str, pd.DataFrame], labels: Sequence[str]) -> pd.DataFrame:
    """Answer every test post with the majority class and with character n-grams, both fitted on the same train posts.

    train: the mixture's posts, columns text and label. test: language -> posts, columns id, text, label.
    Returns the columns baseline ('majority' or 'ngram'), language, id, gold, predicted and logp_<label>…, which are
    natural log-probabilities, -inf for a label without train posts.
    """
    return pd.concat([fit_majority(train, test, labels), fit_ngrams(train, test, labels)], ignore_index=True)


def fit_majority(train: pd.DataFrame, test: Mapping[str, pd.DataFrame], labels: Sequence[str]) -> pd.DataFrame:
    """Answer every test post with the label shares of the train posts (for the columns, see `fit_baselines`).

    The most probable class of any view is then the majority class. This is the only baseline of the untuned base, for
    which no n-gram model can be trained.
    """
    _check_train(train, labels)
    shares = train["label"].value_counts(normalize=True).reindex(list(labels), fill_value=0.0).to_numpy(float)
    tables = [
        _answer("majority", language, posts, np.tile(shares, (len(posts), 1)), labels)
        for language, posts in test.items()
    ]
    return pd.concat(tables, ignore_index=True)


def fit_ngrams(train: pd.DataFrame, test: Mapping[str, pd.DataFrame], labels: Sequence[str]) -> pd.DataFrame:
    """Answer every test post with logistic regression on character n-grams (for the columns, see `fit_baselines`).

    Features are sublinear TF-IDF values of n-grams of 1 to 4 characters within words that occur in at least two train
    posts. Regularisation is weak (C = 10, fixed in advance), which suits short texts.
    """
    _check_train(train, labels)
    known = [label for label in labels if (train["label"] == label).any()]
    if len(known) == 1 or len(train) < 2:
        return fit_majority(train, test, labels).assign(baseline="ngram")
    vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4), min_df=2, sublinear_tf=True, dtype=np.float32)
    model = LogisticRegression(C=10, max_iter=500).fit(vectorizer.fit_transform(train["text"]), train["label"])
    columns = [labels.index(label) for label in model.classes_]
    tables = []
    for language, posts in test.items():
        probability = np.zeros((len(posts), len(labels)))
        if len(posts):
            probability[:, columns] = model.predict_proba(vectorizer.transform(posts["text"]))
        tables.append(_answer("ngram", language, posts, probability, labels))
    return pd.concat(tables, ignore_index=True)


def _answer(
    baseline: str, language: str, posts: pd.DataFrame, probability: Floats, labels: Sequence[str]
) -> pd.DataFrame:
    with np.errstate(divide="ignore"):
        logp = np.log(probability)
    return pd.DataFrame(
        {
            "baseline": baseline,
            "language": language,
            "id": posts["id"].to_numpy(),
            "gold": posts["label"].to_numpy(),
            "predicted": np.array(labels, dtype=object)[probability.argmax(axis=1)],
            **{f"{LOGP}{label}": logp[:, number] for number, label in enumerate(labels)},
        }
    )


def _check_train(train: pd.DataFrame, labels: Sequence[str]) -> None:
    if train.empty:
        raise UserError("baselines: no train posts; even the untuned base needs them for its majority baseline")
    unknown = sorted(set(train["label"]) - set(labels))
    if unknown:
        raise UserError(f"baselines: {unknown[0]!r} is not a label. Allowed: {', '.join(labels)}")
