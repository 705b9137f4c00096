"""Measure exposure: how much of each language a model has seen in pre-training and in fine-tuning.

exposure.csv has one row for each mixture and language:
share_<table> (percent) or gigawords_<table>: pre-training exposure; empty if unknown.
pretraining_tokens: pre-training tokens in the language. Exact for the lab; otherwise the share in the first percentage
    table times the base's total pre-training tokens, which is an estimate unless that table describes this base. Empty
    if unknown.
finetune_posts, finetune_text_tokens, finetune_prompt_tokens: unique posts and their tokens, without and with the
    prompt; means over seeds. finetune_…_seen: tokens over all epochs. A merged row has the posts of its parents, and
    has seen what all of them have seen together.
finetune_to_pretraining: text tokens seen in fine-tuning divided by the base's total pre-training tokens in all
    languages.
seen: whether the mixture contains the language.
Rows of rivals have finetune_posts and seen only: the rest describes the base, its tokenizer and its training.
"""

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path

import pandas as pd

from babelgrid.analysis.exposure.shares import ShareTable, load_shares, table_name
from babelgrid.errors import UserError
from babelgrid.mixture import Mixture
from babelgrid.posts.sample import read_train_posts, sample_posts
from babelgrid.runtime.files import read_json, read_parquet, write_csv
from babelgrid.types import Row

Counted = dict[str, float]
_PASSED = ["text_tokens", "prompt_tokens"]
_COUNTED = ["posts", *_PASSED]
_COUNTS = [*_COUNTED, *(f"{kind}_passed" for kind in _PASSED)]
_NOTHING = dict.fromkeys(_COUNTS, 0.0)
_UNKNOWN = dict.fromkeys(_COUNTS, float("nan"))


def measure_exposure(
    *,
    posts: Mapping[str, str | Path],
    tokens_path: str | Path | None,
    mixtures: Sequence[Mixture],
    seeds: Sequence[int],
    budget: int | None,
    epochs: float,
    tables: Sequence[str],
    lab_exposure: str | Path | None,
    pretraining_tokens: float | None,
    languages: Sequence[str],
    out: str | Path,
) -> None:
    """Write exposure.csv: one row for each mixture and language, with fine-tuning counts averaged over seeds.

    languages: train and test languages. posts: train language -> Parquet with its posts.
    tokens_path: Parquet with id, text_tokens, prompt_tokens. None if the mixtures' train posts are not available
    (imported predictions); fine-tuning counts are then unknown.
    tables: share tables (see `shares.load_shares`). pretraining_tokens: total of the base's pre-training.
    """
    shares = [load_shares(table, lab_exposure) for table in tables]
    _refuse_namesakes(shares)
    known, whole = _pretraining(shares, lab_exposure, pretraining_tokens)
    train = read_train_posts(posts)
    tokens = None if tokens_path is None else _read_tokens(tokens_path)
    rows = []
    for mixture in mixtures:
        counts = {} if tokens is None else _count_finetuning(mixture, train, tokens, seeds, budget)
        for language in languages:
            row = {"mixture": mixture.name, "language": language, "seen": language in mixture.all_languages}
            uncounted = _UNKNOWN if tokens is None and mixture.is_trained else _NOTHING
            counted = counts.get(language, uncounted)
            if mixture.system:
                rows.append(row | {"finetune_posts": counted["posts"]})
                continue
            row |= {table.column: table.values.get(language) for table in shares}
            row["pretraining_tokens"] = known.get(language)
            rows.append(row | _finetuning_columns(counted, epochs, whole))
    write_csv(out, pd.DataFrame(rows))


def exposure_of_languages(exposure: pd.DataFrame, table: str) -> pd.Series:
    """Return the pre-training exposure by language from one table in exposure.csv; NaN where unknown.

    Raises `UserError` if exposure.csv was created without that table.
    """
    name = table_name(table)
    column = next((c for c in exposure.columns if c in {f"share_{name}", f"gigawords_{name}"}), None)
    if column is None:
        raise UserError(f"exposure.csv has no column for the table {table!r}; add it to exposure.tables")
    return exposure.drop_duplicates("language").set_index("language")[column].astype(float)


def seen_cells(exposure: pd.DataFrame) -> set[tuple[str, str]]:
    """Return the (mixture, language) pairs where the mixture contains the language."""
    seen = exposure[exposure["seen"].astype(bool)]
    return set(zip(seen["mixture"], seen["language"], strict=True))


def _refuse_namesakes(shares: Sequence[ShareTable]) -> None:
    names = [table.name for table in shares]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"exposure.tables: two tables are called {name!r}; rename one file")


def _pretraining(
    shares: Sequence[ShareTable], lab_exposure: str | Path | None, total: float | None
) -> tuple[Mapping[str, float], float | None]:
    """Return the known pre-training tokens by language, and the total."""
    if lab_exposure is not None:
        counts = read_json(lab_exposure)
        return counts["tokens"], counts["total"]
    percent = next((table.values for table in shares if table.is_percentage), None)
    if total is None or percent is None:
        return {}, total
    return {language: share / 100 * total for language, share in percent.items()}, total


def _read_tokens(path: str | Path) -> pd.DataFrame:
    return read_parquet(path, ["id", "text_tokens", "prompt_tokens"]).assign(posts=1).set_index("id")[_COUNTED]


def _count_finetuning(
    mixture: Mixture, train: Mapping[str, pd.DataFrame], tokens: pd.DataFrame, seeds: Sequence[int], budget: int | None
) -> dict[str, Counted]:
    """Return language -> posts, tokens in the mixture, and tokens that it passes in one epoch, as means over seeds."""
    if not mixture.has_adapter:
        return {}
    drawn = pd.concat([sample_posts(train, mixture, seed, budget)[["id", "language"]] for seed in seeds])
    counted = drawn.join(tokens, on="id")
    if counted["posts"].isna().any():
        first = counted.loc[counted["posts"].isna(), "id"].iloc[0]
        raise UserError(f"tokens: the post {first!r} has no token count; delete the tokens file and run again")
    means = counted.groupby("language")[_COUNTED].sum() / len(seeds)
    found = {
        str(language): dict(zip(_COUNTED, row, strict=True))
        for language, row in zip(means.index, means.to_numpy(), strict=True)
    }
    parents = mixture.merge.parents if mixture.merge else ()
    trained = [_count_finetuning(parent, train, tokens, seeds, budget) for parent in parents] or [found]
    for language, own in found.items():
        for kind in _PASSED:
            own[f"{kind}_passed"] = sum(each[language][kind] for each in trained if language in each)
    return found


def _finetuning_columns(counted: Counted, epochs: float, whole: float | None) -> Row:
    seen = counted["text_tokens_passed"] * epochs
    return {
        "finetune_posts": counted["posts"],
        "finetune_text_tokens": counted["text_tokens"],
        "finetune_text_tokens_seen": seen,
        "finetune_prompt_tokens": counted["prompt_tokens"],
        "finetune_prompt_tokens_seen": counted["prompt_tokens_passed"] * epochs,
        # Floats are written with six decimals, which would round a ratio such as 5e-9 to 0.
        "finetune_to_pretraining": None if whole is None or math.isnan(seen) else Decimal(f"{seen / whole:.6g}"),
    }
