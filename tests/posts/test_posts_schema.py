import pandas as pd
import pytest

from babelgrid.posts.schema import COLUMNS, validate_posts

POSTS = pd.DataFrame(
    [["en-1", "en", "hello", "pro", "train", None, None], ["en-2", "en", "bye", "anti", "test", "g", "7"]],
    columns=COLUMNS,
)


def test_valid_posts_are_strings_in_order_and_keep_missing_groups():
    table = validate_posts(POSTS[COLUMNS[::-1]].set_axis([5, 9]), ["pro", "anti"])
    assert table.columns.tolist() == COLUMNS
    assert table.index.tolist() == [0, 1]
    assert table["group"].isna().tolist() == [True, False]
    assert set(map(str, table.dtypes)) == {"str"}


@pytest.mark.parametrize(
    ("column", "value", "fault"),
    [
        ("id", "en-2", "duplicate id"),
        ("text", "", "empty text"),
        ("label", None, "empty label"),
        ("label", "neutral", "unknown label"),
        ("split", "validation", "unknown split"),
    ],
)
def test_posts_that_break_the_contract_are_refused(column, value, fault):
    posts = POSTS.copy()
    posts.loc[0, column] = value
    with pytest.raises(ValueError, match=fault):
        validate_posts(posts, ["pro", "anti"])


def test_missing_column_is_refused():
    with pytest.raises(KeyError):
        validate_posts(POSTS.drop(columns="group"), ["pro", "anti"])
