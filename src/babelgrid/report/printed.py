"""Write the transfer matrix for a paper, as LaTeX (booktabs) and Markdown, with marks of significance."""

from pathlib import Path

import pandas as pd
from tabulate import LATEX_ESCAPE_RULES

from babelgrid.analysis.scores.metrics import Metric
from babelgrid.analysis.tables import read_table
from babelgrid.display.order import language_name
from babelgrid.display.text import plain
from babelgrid.figures.picture import GridTables, Picture, collect_cells
from babelgrid.figures.style import METRIC_NAMES, decimal
from babelgrid.runtime.files import write_text

AGAINST_NONE, AGAINST_BASELINES = "*", "\N{DAGGER}"
LEVEL = 0.05

Place = tuple[str, str]


def write_printed_matrix(
    tables: GridTables,
    comparisons_path: str | Path,
    *,
    view: str,
    metric: Metric,
    table: str,
    latex: str | Path,
    markdown: str | Path,
) -> None:
    """Write mixtures by test languages with their mean score over seeds, in the order of the figures.

    comparisons_path: comparisons.csv. table: the share table that languages are ordered by. A score with * differs from
    that of the untuned base; one with a dagger is better than every baseline of its cell. Both use exact McNemar tests
    at 5%, Holm-adjusted within the view and kind. The best ranked score of a language is bold. Scores from too few
    posts are in brackets and never the best. LaTeX needs the package booktabs.
    """
    cells = collect_cells(tables, Picture(view, metric, table, ""))
    marks = significance_marks(read_table(comparisons_path), view)
    shown, best = _shown(cells, marks), _best(cells)
    caption = _caption(view, metric, cells, marks)
    write_text(latex, _latex(shown, best, caption, f"tab:transfer-{_slug(view)}"))
    write_text(markdown, f"{plain(caption)}\n\n{_markdown(shown, best)}\n")


def significance_marks(comparisons: pd.DataFrame, view: str) -> dict[Place, str]:
    """Return (mixture, test language) -> marks, from the comparisons of one view."""
    own = comparisons[comparisons["view"] == view]
    sure = own["p_holm"] < LEVEL
    with_none = own[(own["kind"] == "none") & sure]
    marks = dict.fromkeys(zip(with_none["mixture"], with_none["test_language"], strict=True), AGAINST_NONE)
    beside = own[own["kind"] == "baseline"]
    is_better = (sure & (own["difference"] > 0))[beside.index]
    beats_all = is_better.groupby([beside["mixture"], beside["test_language"]]).all()
    for cell in beats_all.index[beats_all]:
        marks[cell] = marks.get(cell, "") + AGAINST_BASELINES
    return marks


def _shown(cells: pd.DataFrame, marks: dict[Place, str]) -> pd.DataFrame:
    """Return the matrix as text: scores with their marks, in brackets if not ranked."""
    texts = []
    for cell in cells.itertuples():
        score = float(cell.score)  # type: ignore[arg-type]
        text = "\N{EN DASH}" if pd.isna(score) else decimal(score)
        texts.append(text + marks.get((str(cell.mixture), str(cell.test_language)), ""))
    bracketed = [text if ranked else f"({text})" for text, ranked in zip(texts, cells["ranked"], strict=True)]
    return _across(cells.assign(text=bracketed), "text")


def _best(cells: pd.DataFrame) -> pd.DataFrame:
    """Return which ranked scores are the best of their language, including ties."""
    ranked = cells["score"].where(cells["ranked"])
    return _across(cells.assign(best=ranked == ranked.groupby(cells["test_language"]).transform("max")), "best")


def _across(cells: pd.DataFrame, column: str) -> pd.DataFrame:
    rows, columns = (cells[name].drop_duplicates() for name in ("mixture", "test_language"))
    matrix = cells.set_index(["mixture", "test_language"])[column].unstack("test_language")
    return matrix.loc[rows, columns].rename_axis(index=None, columns=None)


def _caption(view: str, metric: Metric, cells: pd.DataFrame, marks: dict[Place, str]) -> str:
    used = "".join(marks.values())
    names = ", ".join(f"{code} {language_name(code)}" for code in cells["test_language"].drop_duplicates())
    sentences = [
        f"{METRIC_NAMES[metric]} in the view {view}: training mixture (rows) by test language (columns), means over "
        f"seeds.",
        "Bold: best in a language.",
        *(["In brackets: too few posts to be ranked."] if not cells["ranked"].all() else []),
        *([f"{AGAINST_NONE}: differs from the untuned base."] if AGAINST_NONE in used else []),
        *([f"{AGAINST_BASELINES}: better than every baseline of the cell."] if AGAINST_BASELINES in used else []),
        *([f"Exact McNemar tests at {LEVEL:.0%}, Holm-adjusted."] if used else []),
        f"{names}.",
    ]
    return " ".join(sentences)


def _latex(shown: pd.DataFrame, best: pd.DataFrame, caption: str, label: str) -> str:
    bold = best.map(lambda is_best: "textbf:--rwrap;" if is_best else "")
    styler = (
        shown.style.format(escape="latex").format_index(escape="latex", axis=0).format_index(escape="latex", axis=1)
    )
    words = caption.translate(str.maketrans(LATEX_ESCAPE_RULES))
    text: str = styler.apply(lambda _: bold, axis=None).to_latex(
        hrules=True,
        column_format="l" + "r" * shown.shape[1],
        caption=words,
        label=label,
        position="t",
        position_float="centering",
    )
    # LaTeX supports the other non-ASCII characters in the table.
    return text.replace("\N{MINUS SIGN}", "$-$")


def _markdown(shown: pd.DataFrame, best: pd.DataFrame) -> str:
    bold = shown.where(~best.astype(bool), "**" + shown + "**")
    named = bold.rename(index=plain, columns=plain).rename_axis("mixture").reset_index()
    return named.to_markdown(index=False, disable_numparse=True, colalign=["left", *["right"] * shown.shape[1]])


def _slug(view: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in view.lower())
