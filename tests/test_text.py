"""Test that Markdown shows names unchanged, whatever characters they contain."""

import pytest

from babelgrid.display.text import in_code, plain


@pytest.mark.parametrize("mark", list(r"\`*_{}[]<>|#!~$"))
def test_special_character_is_escaped(mark):
    assert plain(f"a{mark}b") == f"a\\{mark}b"


def test_name_contains_no_line_break():
    assert plain("a\n# b\u2028c") == r"a \# b c"
    assert in_code("a`\n#b") == "a' #b"
