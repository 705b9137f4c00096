"""Make the tables of the page: claims, warnings, data sheet, cost and provenance."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from babelgrid.display.order import language_name
from babelgrid.display.text import duration
from babelgrid.figures.style import decimal

Row = list[str]


@dataclass(frozen=True)
class Table:
    """A table of the page: all cells are text, which the template escapes."""

    caption: str
    head: Row
    rows: list[Row]
    numeric: list[bool]
    """Whether each column is right-aligned."""


def table_of(frame: pd.DataFrame, caption: str) -> Table:
    """Return a table of results, with numbers rounded to three digits and missing values as a dash."""
    numeric = [bool(pd.api.types.is_numeric_dtype(dtype) and dtype.kind != "b") for dtype in frame.dtypes]
    columns = [[_show(value) for value in frame[name]] for name in frame.columns]
    return Table(caption, [name.replace("_", " ") for name in frame.columns], _across(columns), numeric)


def data_sheet(report: Mapping[str, Any]) -> list[Table]:
    """Return tables of what happened to the user's rows (posts/report.json), without any post texts."""
    rows, leaks = report["rows"], report["leaks"]
    counts = [
        ("rows read", rows["read"]),
        ("posts kept", rows["kept"]),
        ("rows dropped", rows["dropped"]),
        *((f"dropped: {reason}", number) for reason, number in report["dropped"].items()),
        ("leaks removed from train or dev", leaks["rows"]),
        ("exact copies whose label differs from that of the post kept", report["copies_with_another_label"]),
    ]
    return [
        _table("Rows", ["what", "number"], ((name, f"{number:,}") for name, number in counts)),
        _balance(report["balance"]),
        *([_tokens(report["tokens"])] if report["tokens"] else []),
    ]


def _balance(balance: Mapping[str, Mapping[str, Mapping[str, int]]]) -> Table:
    labels = list(next(iter(next(iter(balance.values())).values()))) if balance else []
    rows = (
        [f"{language_name(language)} ({language})", part, *map(str, counts.values()), str(sum(counts.values()))]
        for language, parts in balance.items()
        for part, counts in parts.items()
        if sum(counts.values())
    )
    return _table("Posts by language, part and label", ["language", "part", *labels, "all"], rows, words=2)


def _tokens(tokens: Mapping[str, Mapping[str, Any]]) -> Table:
    names = {
        "mean": "mean tokens",
        "median": "median",
        "max": "longest",
        "per_word": "tokens per word",
        "per_character": "tokens per character",
        "truncated": "truncated posts",
    }
    rows = (
        [f"{language_name(language)} ({language})", *(_show(found.get(key)) for key in names)]
        for language, found in tokens.items()
    )
    caption = "Tokens of a post's text, by the base's tokenizer"
    return _table(caption, ["language", *names.values()], rows)


def cost(benchmarks: Path) -> Table | None:
    """Sum up Snakemake's benchmarks by step; return None if there are no measurements."""
    rows = []
    for rule in sorted(path for path in benchmarks.glob("*") if path.is_dir() or path.suffix == ".tsv"):
        files = [rule] if rule.is_file() else sorted(rule.rglob("[!.]*.tsv"))
        if not files:
            continue
        measured = pd.concat([pd.read_csv(file, sep="\t", na_values=["-"]) for file in files])
        seconds, memory = measured["s"], measured["max_rss"].max()
        rows.append(
            [
                rule.stem,
                str(len(files)),
                duration(seconds.sum()),
                duration(seconds.max()),
                "\N{EN DASH}" if pd.isna(memory) else f"{memory / 1024:.2f} GiB",
            ]
        )
    if not rows:
        return None
    head = ["step", "jobs", "time, all jobs", "longest job", "peak memory of a job"]
    return _table("Time and memory, as measured by Snakemake", head, rows)


def ledger(costs: pd.DataFrame) -> list[Table]:
    """Return speed and price of each model (cost.csv) without empty columns, and the assumptions behind the prices."""
    known = costs.dropna(axis="columns", how="all").drop(columns="assumptions", errors="ignore")
    speeds = table_of(
        known.round({"start_seconds": 1, "train_seconds": 1})
        .rename(columns={"charged": "charged, or by list price"})
        .rename(columns=lambda name: name.replace("_per_second", "/s").replace("_mb", ", MB")),
        "Speed and price of each model (dollars per million posts, without start-up)",
    )
    assumed = costs.groupby("assumptions", sort=False)["model"].agg(", ".join).reset_index()[["model", "assumptions"]]
    return [speeds, table_of(assumed, "Assumptions behind the prices")] if len(assumed) else [speeds]


def provenance_table(base: Mapping[str, Any], record: Mapping[str, Any]) -> Table:
    """Return the base, git commit and versions; for a base from GGUF, also how its weights were rounded."""
    entries = [("base", base.get("name", "\N{EN DASH}"))]
    source = base.get("gguf") or {}
    revision = base.get("revision") or source.get("revision")
    entries += [("revision of the base", revision)] if revision else []
    if source:
        types = ", ".join(f"{name} {number}" for name, number in source["tensors_by_type"].items())
        entries += [("tensors of the GGUF file by type (results are those of these rounded weights)", types)]
        entries += [(f"SHA-256 of {source['file']}", source["sha256"])]
    entries += [
        (f"SHA-256 of {name}", digest)
        for name, digest in base.get("sha256", {}).items()
        if name.endswith(".safetensors")
    ]
    entries += [("git commit of babelgrid", record["git_commit"] or "unknown")]
    entries += [(name, version) for name, version in record["versions"].items()]
    return _table("Software and base of these results", ["what", "which"], entries, words=2)


def hashes_table(record: Mapping[str, Any]) -> Table:
    """Return the input files of the page with their hashes."""
    return _table("Input files of this page", ["file", "SHA-256"], record["inputs"].items(), words=2)


def _table(caption: str, head: Row, rows: Iterable[Sequence[Any]], words: int = 1) -> Table:
    """Return a table whose first `words` columns contain text and whose other columns contain numbers."""
    texts = [[str(value) for value in row] for row in rows]
    return Table(caption, head, texts, [number >= words for number in range(len(head))])


def _across(columns: list[Row]) -> list[Row]:
    return [list(row) for row in zip(*columns, strict=True)]


def _show(value: Any) -> str:
    if pd.isna(value):
        return "\N{EN DASH}"
    if isinstance(value, float) and not value.is_integer():
        if abs(value) >= 1000:
            return f"{value:,.0f}"
        return decimal(value, 3) if 0.001 <= abs(value) < 10 else f"{value:.3g}"
    return f"{int(value):,}" if isinstance(value, float | int) and not isinstance(value, bool) else str(value)
