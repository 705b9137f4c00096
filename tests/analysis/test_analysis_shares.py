import json

import pytest

from babelgrid.analysis.exposure.shares import load_shares
from babelgrid.errors import UserError


def test_shipped_tables_have_published_numbers():
    assert load_shares("llama2").values["en"] == 89.70
    assert load_shares("commoncrawl_2023_50").values["hi"] == 0.17
    assert load_shares("fineweb2").values["de"] == 262.3


@pytest.mark.parametrize(("table", "unlisted"), [("llama2", ["ar", "hi", "tr"]), ("fineweb2", ["en"])])
def test_missing_language_is_unknown_not_zero(table, unlisted):
    values = load_shares(table).values
    assert all(language not in values for language in unlisted)
    assert all(value > 0 for value in values.values())


def test_gigawords_are_not_percentages():
    assert load_shares("fineweb2").column == "gigawords_fineweb2"
    assert not load_shares("fineweb2").is_percentage
    assert load_shares("llama2").column == "share_llama2"


def test_lab_table_has_exact_shares(tmp_path):
    (tmp_path / "exposure.json").write_text(json.dumps({"tokens": {"en": 300, "hu": 100}, "total": 400}))
    assert load_shares("lab", tmp_path / "exposure.json").values == {"en": 75, "hu": 25}
    with pytest.raises(UserError, match="this base is a different one"):
        load_shares("lab")


def test_custom_table_is_read(tmp_path):
    (tmp_path / "mine.csv").write_text("# from my paper\nlanguage,share\nen,80\nsw,0.5\n")
    table = load_shares(str(tmp_path / "mine.csv"))
    assert (table.column, dict(table.values)) == ("share_mine", {"en": 80, "sw": 0.5})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("language,percent\nen,1\n", "needs the columns language and share; found language, percent"),
        ("language,share\nen,1\nen,2\n", "'en' appears twice"),
        ("language,share\nin,1\n", "write the language 'in' as 'id'"),
        ("language,share\nenglish!,1\n", "not a language code"),
        ("language,share\nen,\n", "share of 'en' is ''"),
        ("language,share\nen,nan\n", "share of 'en' is 'nan'"),
        ("language,share\nen,-1\n", "a number from 0 to 100"),
        ("language,share\nen,80\nde,70\n", "add up to 150"),
        ("", "cannot be read as CSV"),
    ],
)
def test_invalid_table_names_file(tmp_path, text, message):
    (tmp_path / "mine.csv").write_text(text)
    with pytest.raises(UserError, match=message) as error:
        load_shares(str(tmp_path / "mine.csv"))
    assert "mine.csv" in str(error.value)


def test_unknown_table_suggests_nearest_name():
    with pytest.raises(UserError, match="did you mean 'llama2'"):
        load_shares("llama-2")
