"""Names in Markdown: shown as they are, whatever they hold."""

import pytest

from babelgrid.display.markdown import in_code, plain


@pytest.mark.parametrize("mark", list(r"\`*_{}[]<>|#!~$"))
def test_a_mark_is_escaped(mark):
    assert plain(f"a{mark}b") == f"a\\{mark}b"


def test_a_name_has_no_line_of_its_own():
    assert plain("a\n# b\u2028c") == r"a \# b c"
    assert in_code("a`\n#b") == "a' #b"
