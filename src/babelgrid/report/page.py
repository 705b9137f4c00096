"""Write the report page."""

import base64
import gzip
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
import vl_convert

from babelgrid.analysis.bootstrap.replicates import read_replicates
from babelgrid.analysis.scores.metrics import Metric
from babelgrid.analysis.tables import read_table
from babelgrid.config.analysis import View
from babelgrid.config.report import Report
from babelgrid.report.answer import answer
from babelgrid.report.charts import CHARTS, VEGA_LITE
from babelgrid.report.other_systems import describe_rivals
from babelgrid.report.payload import build_payload
from babelgrid.report.sections import cost, data_sheet, hashes_table, ledger, provenance_table, table_of
from babelgrid.runtime.files import git_commit, provenance, read_json, read_parquet, write_text
from babelgrid.runtime.places import public_settings

FURTHER = {
    "donors": "Donor and recipient languages",
    "contrasts": "Asymmetry, second languages, and the cost of leaving a language out",
    "merged": "Rows merged without training, compared with rows trained on the same languages",
    "merged_cells": "Merged and trained rows of the same languages, cell by cell",
    "dose_fits": "Doses: fitted curves, and the number of posts that reaches 95% of the in-language score",
    "regression": "Exposure and correctness: regression over posts",
    "intervention": "Intervention: the same grid on two bases",
    "plan": "Which languages to label next",
    "label_bias": "Which classes are predicted too often",
    "calibration": "Calibration before and after temperature scaling",
    "rivals": "Other systems minus the fine-tuned base, by mixture",
    "transfer": "Gap and gain of every cell",
    "comparisons": "Paired comparisons",
    "classes": "Precision, recall and F1 of every class",
    "cost_ratios": "Speed and price ratios, with the numbers behind each ratio",
}
"""Optional tables of the page -> their titles."""
_MAX_ROWS = 400
"""Longer tables are listed by name but not shown."""

Tables = Mapping[str, Path]


def write_report(
    tables: Tables,
    *,
    posts: Mapping[str, Path],
    posts_report: Path | None,
    base: Path | None,
    benchmarks: Path,
    experiment: str,
    config: Mapping[str, Any],
    views: Mapping[str, View],
    metric: Metric,
    share_table: str,
    settings: Report,
    note: str,
    seed: int,
    out: Path,
) -> None:
    """Write the report as one HTML page that loads no other file.

    tables: name -> file; cells and exposure are required, the others are shown if given. posts: test language ->
    Parquet of its posts, read only if texts are shown. posts_report: posts/report.json; base: base.json; benchmarks:
    the folder of Snakemake's benchmark files. Each may be missing, for example with predictions made elsewhere.
    config: the experiment, shown without the folders of this machine. note: what is constructed in the data, or "".
    """
    record = provenance({}, [*tables.values(), *(path for path in (posts_report, base) if path)])
    record["git_commit"] = git_commit()
    grid = _of_grid(tables, views=views, metric=metric, share_table=share_table, seed=seed)
    if settings.show_texts:
        grid["payload"]["texts"] = read_texts(posts, grid["payload"]["posts"])
    content = {
        "experiment": experiment,
        "note": note,
        "charts": CHARTS,
        "data_sheet": data_sheet(read_json(posts_report)) if posts_report else [],
        "cost": cost(benchmarks),
        "provenance": [provenance_table(read_json(base) if base else {}, record), hashes_table(record)],
        "config": public_settings(config),
    }
    write_text(out, render(content | grid | _of_tables(tables, metric, views)))


def _of_grid(
    tables: Tables, *, views: Mapping[str, View], metric: Metric, share_table: str, seed: int
) -> dict[str, Any]:
    """Return the sentences of the answer and the data for the page's script."""
    cells, exposure, scores = read_table(tables["cells"]), read_table(tables["exposure"]), _read("scores", tables)
    replicates = read_replicates(tables["replicates"]) if "replicates" in tables else None
    confusions = read_parquet(tables["confusions"]) if "confusions" in tables else None
    return {
        "answer": answer(cells, exposure, scores, replicates, metric=metric, table=share_table, seed=seed),
        "has_intervals": replicates is not None,
        "payload": build_payload(
            cells,
            exposure,
            views=views,
            metric=metric,
            table=share_table,
            scores=scores,
            clusters=_read("clusters", tables),
            confusions=confusions,
        ),
    }


def _of_tables(tables: Tables, metric: Metric, views: Iterable[str]) -> dict[str, Any]:
    """Return the tables of results that the page shows, as far as they exist, and the sentences about rivals."""
    costs = _read("cost", tables)
    rivals = _read("rivals", tables)
    return {
        "rivals": {} if rivals is None else describe_rivals(rivals, metric, views),
        "claims": _results("claims", "The original study's claims, checked on this experiment", tables),
        "warnings": _results("warnings", "What to keep in mind", tables),
        "further": [_further(name, title, tables[name]) for name, title in FURTHER.items() if name in tables],
        "ledger": [] if costs is None else ledger(costs),
    }


def render(content: Mapping[str, Any]) -> str:
    """Fill the template.

    Everything from the data is escaped by Jinja2 or packed as base64, which cannot contain markup.
    """
    folder = resources.files("babelgrid.report")
    vega = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=VEGA_LITE)
    scripts = [vega, (folder / "report.js").read_text(encoding="utf-8")]
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("babelgrid.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # Scripts and styles belong to the page and are inserted unescaped; the policy lets no other script run.
    return environment.get_template("report.html.j2").render(
        content,
        scripts=scripts,
        packed=_pack(content["payload"]),
        script_hashes=[_hash(script) for script in scripts],
        style=(folder / "report.css").read_text(encoding="utf-8"),
    )


def read_texts(posts: Mapping[str, Path], ids: Mapping[str, Sequence[str]]) -> dict[str, list[str | None]]:
    """Return the text of each post in `ids` (language -> ids), in the same order; None if the post is not available."""
    texts: dict[str, list[str | None]] = {}
    for language, wanted in ids.items():
        known: dict[str, str] = {}
        if language in posts:
            frame = read_parquet(posts[language], columns=["id", "text"])
            known = dict(zip(frame["id"], frame["text"], strict=True))
        texts[language] = [known.get(post) for post in wanted]
    return texts


def _pack(payload: Any) -> str:
    """Return the payload as JSON, gzipped and in base64; the page's script unpacks it."""
    text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


def _hash(script: str) -> str:
    """Return the hash by which a Content-Security-Policy allows an inline script."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _read(name: str, tables: Tables) -> pd.DataFrame | None:
    return read_table(tables[name]) if name in tables else None


def _further(name: str, title: str, path: Path) -> dict[str, Any]:
    """Return the title, file and row count of a table, and the table itself unless it is empty or too long."""
    frame = read_table(path)
    shown = 0 < len(frame) <= _MAX_ROWS
    return {
        "title": title,
        "file": f"tables/{path.name}",
        "rows": len(frame),
        "table": table_of(frame, title) if shown else None,
    }


def _results(name: str, caption: str, tables: Tables) -> Any:
    frame = _read(name, tables)
    return None if frame is None else table_of(frame, caption)
