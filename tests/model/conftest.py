"""Fixture of posts to train on."""

import pytest

from training import write_posts


@pytest.fixture
def posts(tmp_path):
    """Return posts in two languages, 12 for training and 6 for testing each, whose label depends on one word."""
    return write_posts(tmp_path)
