"""Posts to train on."""

import pytest

from training import write_posts


@pytest.fixture
def posts(tmp_path):
    """Two languages of 12 train posts and 6 test posts, in which one word tells the label."""
    return write_posts(tmp_path)
