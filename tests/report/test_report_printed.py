"""Test the printed transfer matrix."""

import pandas as pd
import pytest

from babelgrid.figures.picture import GridTables
from babelgrid.report.printed import significance_marks, write_printed_matrix
from babelgrid.runtime.files import write_csv
from synthetic import write_tables

COLUMNS = ["view", "test_language", "mixture", "against", "kind", "difference", "p_holm"]
COMPARED = [
    ("topic", "hu", "en", "none", "none", -0.1, 0.01),
    ("topic", "hu", "en", "majority", "baseline", 0.1, 0.01),
    ("topic", "hu", "en", "ngram", "baseline", 0.1, 0.2),
    ("topic", "es", "en", "none", "none", 0.2, 0.2),
    ("topic", "es", "en", "majority", "baseline", 0.3, 0.01),
    ("topic", "es", "en", "ngram", "baseline", 0.1, 0.04),
    ("topic", "de", "en", "majority", "baseline", -0.3, 0.01),
    ("stance", "fr", "en", "none", "none", 0.2, 0.01),
]


@pytest.fixture
def comparisons():
    return pd.DataFrame(COMPARED, columns=COLUMNS)


def test_marks_show_significant_differences(comparisons):
    assert significance_marks(comparisons, "topic") == {("en", "hu"): "*", ("en", "es"): "\N{DAGGER}"}


@pytest.fixture
def printed(comparisons, tmp_path):
    tables = write_tables(tmp_path, ["none", "en", "set_1|b"])
    write_csv(tmp_path / "comparisons.csv", comparisons)

    def write(view):
        latex, markdown = tmp_path / "matrix.tex", tmp_path / "matrix.md"
        write_printed_matrix(
            GridTables(tables["cells"], tables["scores"], tables["exposure"]),
            tmp_path / "comparisons.csv",
            view=view,
            metric="macro_f1",
            table="llama2",
            latex=latex,
            markdown=markdown,
        )
        return latex.read_text(encoding="utf-8"), markdown.read_text(encoding="utf-8")

    return write


@pytest.mark.slow
def test_latex_is_a_booktabs_table_with_escaped_names(printed):
    latex, _ = printed("topic")
    for line in (r"\toprule", r"\midrule", r"\bottomrule", r"\label{tab:transfer-topic}"):
        assert line in latex
    assert r"set\_1|b & " in latex
    assert r"at 5\%" in latex
    assert latex.count(r"\textbf{") >= 13


@pytest.mark.slow
def test_markdown_has_a_row_per_mixture_and_explains_marks(printed):
    _, markdown = printed("topic")
    rows = [line for line in markdown.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + 3
    assert len({line.replace(r"\|", "").count("|") for line in rows}) == 1
    assert "*: differs from the untuned base" in markdown
    assert "\N{DAGGER}: better than every baseline" in markdown


def test_scores_from_too_few_posts_are_bracketed_and_never_best(printed):
    latex, markdown = printed("stance")
    assert "In brackets: too few posts" in latex
    korean = [line.split("|")[9].strip() for line in markdown.replace(r"\|", "").splitlines() if line.startswith("|")]
    assert korean[0] == "ko"
    assert all(cell.startswith("(") and cell.endswith(")") for cell in korean[2:])
