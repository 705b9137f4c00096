"""Report on the preparation of the posts: rows read, kept and dropped, leaks, label balance and tokens."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from babelgrid.display.text import plain
from babelgrid.errors import UserError
from babelgrid.posts.rejects import COLUMNS, EXACT_COPIES, Reason
from babelgrid.posts.schema import PARTS
from babelgrid.runtime.files import read_csv, read_parquet, write_json, write_text


def report_posts(
    posts_path: Path,
    dropped_path: Path,
    tokens_path: Path,
    labels: Sequence[str],
    report_json: Path,
    report_markdown: Path,
) -> None:
    """Write the report on the posts as JSON and Markdown, without the text of any post.

    tokens_path: Parquet with id, language, text_tokens, prompt_tokens, truncated, counted with the base's own
    tokenizer; posts that are not in it (of languages outside the grid) have no token statistics.
    """
    posts = read_parquet(posts_path)
    dropped = _read_dropped(dropped_path)
    tokens = read_parquet(tokens_path)
    report = {
        "rows": {"read": len(posts) + len(dropped), "kept": len(posts), "dropped": len(dropped)},
        "dropped": _count_reasons(dropped),
        "leaks": _count_leaks(dropped),
        "copies_with_another_label": _count_conflicts(posts, dropped),
        "languages": _rows_by_language(posts, dropped),
        "balance": _balance(posts, labels),
        "tokens": _token_statistics(posts, tokens),
    }
    write_json(report_json, report)
    write_text(report_markdown, _markdown(report))


def _read_dropped(path: Path) -> pd.DataFrame:
    dropped = read_csv(path, COLUMNS)
    if list(dropped.columns) != COLUMNS:
        raise UserError(f"{path}: the columns must be {', '.join(COLUMNS)}. Delete the file and run again")
    return dropped.fillna("")


def _count_reasons(dropped: pd.DataFrame) -> dict[str, int]:
    counts = dropped["reason"].value_counts()
    return {reason.value: int(counts[reason]) for reason in Reason if reason in counts}


def _count_leaks(dropped: pd.DataFrame) -> dict[str, int]:
    """Count leaks on both sides: the dropped train or dev rows, and the test rows with an exact copy among them.

    Identical test rows are all counted, although only one of them is kept.
    """
    leaks = dropped[dropped["reason"].isin([reason for reason in Reason if reason.is_leak])]
    exact = set(leaks.loc[leaks["reason"] == Reason.COPY_OF_TEST, "twin_id"])
    repeated = dropped[(dropped["reason"] == Reason.DUPLICATE) & dropped["twin_id"].isin(exact)]
    return {"rows": len(leaks), "test_rows_with_an_exact_train_copy": len(exact) + len(repeated)}


def _count_conflicts(posts: pd.DataFrame, dropped: pd.DataFrame) -> int:
    """Count exact copies whose label differs from that of the post that was kept instead."""
    copies = dropped[dropped["reason"].isin(EXACT_COPIES)]
    kept = posts.set_index("id")["label"]
    return int((copies["label"] != copies["twin_id"].map(kept)).sum())


def _rows_by_language(posts: pd.DataFrame, dropped: pd.DataFrame) -> dict[str, dict[str, int]]:
    kept, lost = posts["language"].value_counts(), dropped["language"].replace("", "unknown").value_counts()
    return {
        language: {"kept": int(kept.get(language, 0)), "dropped": int(lost.get(language, 0))}
        for language in sorted({*kept.index, *lost.index})
    }


def _balance(posts: pd.DataFrame, labels: Sequence[str]) -> dict[str, dict[str, dict[str, int]]]:
    """Count posts by language, part and label."""
    counts = posts.groupby(["language", "split", "label"]).size()
    return {
        language: {part: {label: int(counts.get((language, part, label), 0)) for label in labels} for part in PARTS}
        for language in sorted(posts["language"].unique())
    }


def _token_statistics(posts: pd.DataFrame, tokens: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Return token statistics of each language, over the tokens of the posts' text without the prompt.

    Fertility is given twice: tokens per white-space separated word (of little use for languages written without
    spaces) and tokens per character (Unicode code point).
    """
    counted = tokens.drop(columns="language").merge(posts[["id", "language", "text"]], on="id", validate="one_to_one")
    counted["words"] = counted["text"].map(lambda text: len(text.split()))
    counted["characters"] = counted["text"].str.len()
    return {str(language): _describe(group) for language, group in counted.groupby("language")}


def _describe(group: pd.DataFrame) -> dict[str, Any]:
    total = int(group["text_tokens"].sum())
    return {
        "posts": len(group),
        "mean": round(float(group["text_tokens"].mean()), 2),
        "median": float(group["text_tokens"].median()),
        "max": int(group["text_tokens"].max()),
        "prompt_mean": round(float(group["prompt_tokens"].mean()), 2),
        "per_word": round(total / int(group["words"].sum()), 3),
        "per_character": round(total / int(group["characters"].sum()), 3),
        "truncated": int(group["truncated"].sum()),
    }


def _markdown(report: dict[str, Any]) -> str:
    rows, leaks = report["rows"], report["leaks"]
    reasons = pd.DataFrame(report["dropped"].items(), columns=["why", "rows"])
    languages = pd.DataFrame(report["languages"]).T.rename_axis("language").reset_index()
    balance = pd.DataFrame(
        {"language": language, "part": part, **counts, "all": sum(counts.values())}
        for language, parts in report["balance"].items()
        for part, counts in parts.items()
        if sum(counts.values())
    )
    tokens = pd.DataFrame(report["tokens"]).T.rename_axis("language").reset_index()
    sections = [
        "# Posts",
        f"{rows['read']} rows were read, {rows['kept']} kept and {rows['dropped']} dropped. {leaks['rows']} of the "
        f"dropped rows were leaks: train posts with a twin in test or dev, or dev posts with a twin in test. "
        f"{leaks['test_rows_with_an_exact_train_copy']} test rows had an exact copy in train (or dev). "
        f"{report['copies_with_another_label']} exact copies had a different label from the post that was kept.",
        "## Why rows were dropped",
        _table(reasons) if len(reasons) else "No rows were dropped.",
        "## Languages",
        _table(languages),
        "## Labels",
        _table(balance),
        "## Tokens of a post's text",
        "Counted with the base's own tokenizer. `per_word`: tokens per white-space separated word; `per_character`: "
        "tokens per Unicode character; `prompt_mean`: tokens including the prompt; `truncated`: posts longer than the "
        "limit.",
        _table(tokens),
    ]
    return "\n\n".join(sections) + "\n"


def _table(frame: pd.DataFrame) -> str:
    words = frame.select_dtypes(["object", "str"]).map(lambda value: plain(value) if isinstance(value, str) else value)
    return frame.assign(**words).rename(columns=plain).to_markdown(index=False, disable_numparse=[0], floatfmt="g")
