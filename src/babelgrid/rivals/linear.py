"""Classify embeddings with logistic regression whose penalty is chosen by cross-validation."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.model_selection import StratifiedKFold

from babelgrid.errors import UserError
from babelgrid.mixture import Mixture
from babelgrid.model.predictions import predictions_of
from babelgrid.posts.sample import read_train_posts, sample_posts
from babelgrid.runtime.files import provenance, read_parquet, write_parquet
from babelgrid.runtime.usage import Usage, working
from babelgrid.types import Floats

log = logging.getLogger(__name__)

FOLDS = 5
STRENGTHS = tuple(float(value) for value in np.logspace(-4, 4, 9))
"""Values of C (the inverse of the penalty) among which cross-validation chooses."""
MAX_STEPS = 1000


@dataclass(frozen=True)
class Classifier:
    """A fitted logistic regression; log-probabilities are those of a softmax over its classes."""

    labels: tuple[str, ...]
    weights: Floats
    """Shape (classes, dimensions)."""
    intercepts: Floats
    """Shape (classes,)."""
    strength: float
    """The chosen C, or NaN if there is one class only."""

    def log_probabilities(self, vectors: Floats, labels: Sequence[str]) -> Floats:
        """Return the natural log-probability of each label, shape (posts, labels); -inf for labels without a post."""
        own = log_softmax(vectors @ self.weights.T + self.intercepts, axis=1)
        scores = np.full((len(vectors), len(labels)), -np.inf)
        scores[:, [labels.index(label) for label in self.labels]] = own
        return scores

    def to_frame(self) -> pd.DataFrame:
        """Return one row per class: label, strength, intercept, weights."""
        described = {"label": self.labels, "strength": self.strength, "intercept": self.intercepts}
        return pd.DataFrame({**described, "weights": list(self.weights)})

    @classmethod
    def from_frame(cls, frame: pd.DataFrame) -> Self:
        """Return the classifier in a table from `to_frame`."""
        weights = np.stack(frame["weights"].to_list())
        return cls(tuple(frame["label"]), weights, frame["intercept"].to_numpy(float), float(frame["strength"].iloc[0]))


def train_embedding(
    posts: Mapping[str, Path],
    embeddings: Mapping[str, Path],
    *,
    mixture: Mixture,
    labels: Sequence[str],
    seed: int,
    budget: int | None,
    out: Path,
    usage: Usage,
) -> None:
    """Fit a classifier on the posts that the adapter of the same (mixture, seed) is trained on, and write it.

    posts, embeddings: the posts file of each of the mixture's languages, and the embeddings of its train posts.
    """
    sample = sample_posts(read_train_posts(posts), mixture, seed, budget)
    vectors = vectors_of(sample["id"].tolist(), embeddings)
    with working(usage):
        classifier = fit_classifier(vectors, sample["label"].tolist(), labels, seed)
    usage.posts = len(sample)
    record = {"mixture": mixture.name, "seed": seed, "budget": budget, "labels": list(labels)}
    write_parquet(out, classifier.to_frame(), provenance(record, [*posts.values(), *embeddings.values()]))


def vectors_of(ids: Sequence[str], embeddings: Mapping[str, Path]) -> Floats:
    """Return the vectors of posts in this order, as float64; `UserError` if a post has none."""
    tables = [read_parquet(path, ["id", "embedding"]) for path in embeddings.values()]
    known = pd.concat(tables).set_index("id")["embedding"]
    missing = [post for post in ids if post not in known.index]
    if missing:
        raise UserError(
            f"embeddings: {len(missing)} train posts have none, for example {missing[0]!r}. Delete "
            f"{', '.join(str(path) for path in embeddings.values())} and run again"
        )
    return np.stack(known.loc[list(ids)].to_list()).astype(np.float64)


def fit_classifier(vectors: Floats, gold: Sequence[str], labels: Sequence[str], seed: int) -> Classifier:
    """Fit a multinomial logistic regression with an L2 penalty (lbfgs, intercept not penalised).

    The penalty is the one with the best log-likelihood in stratified cross-validation: five folds, or as many as the
    rarest class has posts, shuffled by the seed. With a single post in a class, C is 1. With one class, the answer is
    always that class.
    """
    counts = {label: gold.count(label) for label in labels if label in gold}
    if len(counts) == 1:
        return Classifier(tuple(counts), np.zeros((1, vectors.shape[1])), np.zeros(1), float("nan"))
    rarest = min(counts, key=lambda label: counts[label])
    folds = min(FOLDS, counts[rarest])
    if folds < 2:
        log.warning("the label %s has one train post, so the penalty is not cross-validated: C = 1", rarest)
        model = LogisticRegression(C=1.0, max_iter=MAX_STEPS).fit(vectors, gold)
        strength = 1.0
    else:
        model = LogisticRegressionCV(
            Cs=STRENGTHS,
            l1_ratios=(0.0,),
            cv=StratifiedKFold(folds, shuffle=True, random_state=seed),
            scoring="neg_log_loss",
            max_iter=MAX_STEPS,
            use_legacy_attributes=False,
        ).fit(vectors, gold)
        strength = float(model.C_)
    log.info("%d posts, %d folds, C = %g", len(gold), folds, strength)
    # With two classes there is one row of weights, for the second class.
    weights, intercepts = model.coef_, model.intercept_
    if len(weights) == 1:
        weights, intercepts = np.vstack([np.zeros_like(weights), weights]), np.concatenate([[0.0], intercepts])
    return Classifier(tuple(model.classes_), weights, intercepts, strength)


def predict_embedding(
    classifier_path: Path,
    embeddings: Mapping[str, Path],
    outputs: Mapping[str, Path],
    *,
    labels: Sequence[str],
    settings: Mapping[str, Any],
    usage: Usage,
) -> None:
    """Write the predictions for each language's test posts, in the form of `model.predict`.

    embeddings: test language -> embeddings of its test posts. settings: those of the embeddings, for the record.
    """
    record = {"rivals": {"embedding": settings}}
    classifier = Classifier.from_frame(read_parquet(classifier_path))
    for language, path in embeddings.items():
        posts = read_parquet(path)
        with working(usage):
            vectors = np.stack(posts["embedding"].to_list()).astype(np.float64)
            scores = classifier.log_probabilities(vectors, labels)
        table = predictions_of(posts, scores, labels)
        write_parquet(outputs[language], table, provenance(record, [classifier_path, path]))
        usage.posts += len(posts)
        log.info("%s: %d posts", language, len(posts))
