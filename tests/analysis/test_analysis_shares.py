import json

import pytest

from babelgrid.analysis.exposure.shares import load_shares
from babelgrid.errors import UserError


def test_the_shipped_tables_hold_the_published_numbers():
    assert load_shares("llama2").values["en"] == 89.70
    assert load_shares("commoncrawl_2023_50").values["hi"] == 0.17
    assert load_shares("fineweb2").values["de"] == 262.3


@pytest.mark.parametrize(("table", "unlisted"), [("llama2", ["ar", "hi", "tr"]), ("fineweb2", ["en"])])
def test_what_a_table_does_not_list_is_unknown_and_not_zero(table, unlisted):
    values = load_shares(table).values
    assert all(language not in values for language in unlisted)
    assert all(value > 0 for value in values.values())


def test_words_are_no_percentage():
    assert load_shares("fineweb2").column == "gigawords_fineweb2"
    assert not load_shares("fineweb2").is_percentage
    assert load_shares("llama2").column == "share_llama2"


def test_the_lab_counts_exactly(tmp_path):
    (tmp_path / "exposure.json").write_text(json.dumps({"tokens": {"en": 300, "hu": 100}, "total": 400}))
    assert load_shares("lab", tmp_path / "exposure.json").values == {"en": 75, "hu": 25}
    with pytest.raises(UserError, match="this base is another one"):
        load_shares("lab")


def test_a_table_of_your_own_is_read(tmp_path):
    (tmp_path / "mine.csv").write_text("# from my paper\nlanguage,share\nen,80\nsw,0.5\n")
    table = load_shares(str(tmp_path / "mine.csv"))
    assert (table.column, dict(table.values)) == ("share_mine", {"en": 80, "sw": 0.5})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("language,percent\nen,1\n", "needs the columns language and share; found language, percent"),
        ("language,share\nen,1\nen,2\n", "'en' stands there twice"),
        ("language,share\nin,1\n", "write the language 'in' as 'id'"),
        ("language,share\nenglish!,1\n", "not a language code"),
        ("language,share\nen,\n", "share of 'en' is ''"),
        ("language,share\nen,nan\n", "share of 'en' is 'nan'"),
        ("language,share\nen,-1\n", "a number from 0 to 100"),
        ("language,share\nen,80\nde,70\n", "add up to 150"),
        ("", "cannot be read as CSV"),
    ],
)
def test_a_mistake_in_a_table_is_one_error_that_names_the_file(tmp_path, text, message):
    (tmp_path / "mine.csv").write_text(text)
    with pytest.raises(UserError, match=message) as error:
        load_shares(str(tmp_path / "mine.csv"))
    assert "mine.csv" in str(error.value)


def test_an_unknown_table_is_an_error_with_the_nearest_name():
    with pytest.raises(UserError, match="did you mean 'llama2'"):
        load_shares("llama-2")
