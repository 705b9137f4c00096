"""Test the sentence encoder of `make real-bases`."""

from pathlib import Path

import pytest

from babelgrid.operations.e5_encoder import TOLERANCE, check_vectors, vectors_of
from babelgrid.rivals.files import read_recipe

pytestmark = pytest.mark.real

FOLDER = Path(__file__).parents[2] / "data/bases/multilingual-e5-small"


@pytest.fixture(autouse=True)
def needs_folder():
    """Skip without the folder."""
    if not (FOLDER / "e5.json").is_file():
        pytest.skip("needs `make real-bases`")


def test_similarities_are_those_of_the_engine():
    assert check_vectors(FOLDER)["largest_difference_of_cosine_similarity"] <= TOLERANCE
    assert read_recipe(FOLDER) == {"pooling": "mean", "normalize": True, "max_tokens": 512}


def test_translation_is_nearer_than_another_sentence():
    english, korean, other = vectors_of(FOLDER, ["I like cats.", "나는 고양이를 좋아한다.", "주가가 급락했다."])
    assert english @ korean > english @ other + 0.05
