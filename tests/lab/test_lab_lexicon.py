import shutil

import pytest
import yaml

from babelgrid.config.base import LAB_LANGUAGES
from babelgrid.errors import UserError
from babelgrid.lab import lexicon
from babelgrid.lab.lexicon import FOLDER, STANCES, load_lexicons


@pytest.fixture
def folder(tmp_path, monkeypatch):
    copy = tmp_path / "lexicon"
    shutil.copytree(FOLDER, copy)
    monkeypatch.setattr(lexicon, "FOLDER", copy)
    load_lexicons.cache_clear()
    yield copy
    load_lexicons.cache_clear()


def change(path, edit):
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    edit(content)
    path.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8")


def test_lexicons_are_exactly_the_thirteen_languages():
    assert list(load_lexicons()) == list(LAB_LANGUAGES)
    assert {path.stem for path in FOLDER.glob("*.yaml")} == set(LAB_LANGUAGES)


def test_every_language_has_ten_domains_and_three_stances():
    for language in load_lexicons().values():
        assert len(language.domains) >= 10
        assert set(STANCES) == set(language.themes) - set(language.domains)


def test_every_stance_has_shared_remarks_and_idioms():
    for language in load_lexicons().values():
        for stance in STANCES:
            theme = language.themes[stance]
            assert 0 < theme.shared < len(theme.remarks)


def test_lists_except_idioms_are_aligned():
    english = load_lexicons()["en"]
    for language in load_lexicons().values():
        assert len(language.times) == len(english.times)
        for name, theme in language.themes.items():
            reference = english.themes[name]
            assert (len(theme.events), len(theme.places), theme.shared, len(theme.hashtags)) == (
                len(reference.events),
                len(reference.places),
                reference.shared,
                len(reference.hashtags),
            )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (lambda c: c["times"].pop(), "times has 11 entries, en.yaml has 12"),
        (lambda c: c["domains"].pop("food"), "not aligned with en.yaml: domains.food"),
        (lambda c: c["domains"]["food"]["events"].__setitem__(0, "{time} ettünk"), r"needs \{time\} and \{place\}"),
        (lambda c: c["domains"]["food"]["comments"].__setitem__(0, "finom volt."), "full stop"),
        (lambda c: c["immigration"]["hashtags"].__setitem__(0, "két szó"), "hashtag with a space"),
        (lambda c: c["times"].__setitem__(0, c["times"][1]), "repeats an entry"),
        (lambda c: c.pop("full_stop"), "full_stop"),
    ],
)
def test_faulty_lexicon_error_names_the_file(folder, edit, expected):
    change(folder / "hu.yaml", edit)
    with pytest.raises(UserError, match=expected) as error:
        load_lexicons()
    assert "hu.yaml" in str(error.value)
