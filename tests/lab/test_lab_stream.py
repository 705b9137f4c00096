from collections import Counter
from itertools import islice

import numpy as np
import pandas as pd
import pytest

from babelgrid.config.base import LAB_LANGUAGES, LabBase
from babelgrid.config.posts import LabPosts
from babelgrid.lab import tokens
from babelgrid.lab.lexicon import load_lexicons
from babelgrid.lab.posts import write_lab_posts
from babelgrid.lab.stream import language_shares, pretraining_documents
from babelgrid.lab.tokens import train_tokenizer, write_stream

SETTINGS = LabBase(tokens=200_000, shares="uniform")


def documents(settings, count, seed=0):
    written = Counter()
    for document in islice(pretraining_documents(settings, seed, written), count):
        written.update({span.language: 0 for span in document.spans})
        for span in document.spans:
            written[span.language] += len(span.text)
        yield document


@pytest.fixture(autouse=True, scope="module")
def little_text_for_the_tokenizer():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tokens, "TOKENIZER_CHARACTERS", 300_000)
        yield


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(SETTINGS, seed=0)


@pytest.fixture(scope="module")
def stream(tokenizer):
    return write_stream(SETTINGS, tokenizer, seed=0)


def test_skewed_shares_follow_the_table_with_a_minimum():
    shares = language_shares(LabBase())
    assert sum(shares.values()) == pytest.approx(1)
    assert max(shares, key=shares.get) == "en"
    assert shares["de"] > shares["fr"] > shares["es"] > shares["it"] > shares["pl"] > shares["ko"] > shares["hu"]
    assert shares["en"] == pytest.approx(0.5)
    assert min(shares.values()) > 0.01


def test_given_weights_are_normalised_to_shares():
    assert language_shares(LabBase(shares={"hu": 3, "en": 1})) == {"en": 0.25, "hu": 0.75}


@pytest.mark.slow
@pytest.mark.parametrize("shares", ["skewed", "uniform", {"en": 5, "hu": 3, "ko": 2}])
def test_realised_token_shares_match_targets(shares):
    settings = LabBase(tokens=150_000, shares=shares)
    stream = write_stream(settings, train_tokenizer(settings, 0), 0)
    exposure = stream.exposure()
    for language, share in language_shares(settings).items():
        assert exposure.tokens[language] / exposure.total == pytest.approx(share, abs=0.002)


def test_language_without_a_share_is_never_used():
    settings = LabBase(shares={"en": 5, "hu": 3, "ko": 2})
    assert {span.language for document in documents(settings, 300) for span in document.spans} == {"en", "hu", "ko"}


@pytest.mark.slow
def test_kinds_of_documents_match_target_proportions():
    settings = LabBase(shares="uniform", parallel=0.25, code_switched=0.5)
    counts = Counter(document.kind for document in documents(settings, 2000))
    assert counts["parallel"] / 2000 == pytest.approx(0.25, abs=0.04)
    assert counts["code_switched"] / 2000 == pytest.approx(0.5, abs=0.04)


def test_number_of_languages_per_kind_of_document():
    for document in documents(SETTINGS, 500):
        languages = {span.language for span in document.spans}
        assert len(languages) == 1 if document.kind == "plain" else len(languages) <= 2


@pytest.mark.slow
def test_code_switched_documents_borrow_at_switch_rate():
    settings = LabBase(shares={"en": 1, "hu": 1}, parallel=0, code_switched=1, switch_rate=0.2)
    spans = 0
    borrowed = 0
    for document in documents(settings, 2000):
        counts = Counter(span.language for span in document.spans)
        spans += counts.total()
        borrowed += min(counts["en"], counts["hu"])
    assert borrowed / spans == pytest.approx(0.2, abs=0.05)


def test_document_has_one_domain_or_stance():
    lexicon = load_lexicons()["en"]
    own = {name: set(theme.remarks) for name, theme in lexicon.themes.items()}
    said = Counter()
    for document in documents(LabBase(shares={"en": 1}, parallel=0, code_switched=0), 400):
        present = {n for n, remarks in own.items() for r in remarks if f"{r[0].upper()}{r[1:]}." in document.text}
        assert len(present) == 1
        said.update(present)
    assert set(said) == set(own)


@pytest.mark.slow
def test_pretraining_text_contains_no_labelled_post(tmp_path):
    write_lab_posts(LabPosts(train=150, dev=0, test=150), 0, tmp_path / "posts.csv")
    posts = pd.read_csv(tmp_path / "posts.csv").text.str.casefold()
    # Posts contain no newline, so a match cannot span two documents.
    text = "\n".join(document.text for document in documents(SETTINGS, 4000)).casefold()
    assert not [post for post in posts if post in text]


@pytest.mark.slow
def test_stream_fills_complete_steps_and_counts_every_token(stream):
    step = SETTINGS.context * SETTINGS.batch_rows
    exposure = stream.exposure()
    assert len(stream.ids) == len(stream.languages) == round(SETTINGS.tokens / step) * step
    assert exposure.total + exposure.bos == len(stream.ids)
    assert exposure.bos == sum(exposure.documents.values())


@pytest.mark.slow
def test_token_counts_for_the_language_of_its_word(tokenizer):
    """Compare with a simple count: each word of the text is encoded alone and has the language of its letters."""
    for document in documents(SETTINGS, 200):
        letters = [span.language for span in document.spans for _ in span.text]
        expected = []
        for _, (start, end) in tokenizer.pre_tokenizer.pre_tokenize_str(document.text):
            word = document.text[start:end]
            [language] = {letters[i] for i in range(start, end) if not document.text[i].isspace()}
            expected += [language] * len(tokenizer.encode(word, add_special_tokens=False).ids)
        counted = [LAB_LANGUAGES[language] for language in tokens._encode(document, tokenizer)[1][1:]]
        assert counted == expected


@pytest.mark.slow
def test_bos_only_occurs_before_documents(stream, tokenizer):
    is_bos = stream.ids == tokenizer.token_to_id(tokens.BOS)
    assert np.array_equal(is_bos, stream.languages == -1)
    assert is_bos[0]


def test_any_text_can_be_encoded_and_decoded(tokenizer):
    for text in ["Zażółć gęślą jaźń\n= pro", "हिन्दी में।", "日本語 🙂", "\t#tag @user http"]:
        encoding = tokenizer.encode(text)
        assert encoding.ids[0] == tokenizer.token_to_id(tokens.BOS)
        assert tokenizer.decode(encoding.ids) == text
        assert encoding.ids.count(tokenizer.token_to_id(tokens.BOS)) == 1


def test_hindi_words_are_not_split_at_vowel_signs(tokenizer):
    pieces = tokenizer.pre_tokenizer.pre_tokenize_str("हमारे देश में")
    assert len(pieces) == 3


def test_seed_determines_the_stream(tokenizer):
    settings = SETTINGS.model_copy(update={"tokens": 20_000})
    first, again, other = (write_stream(settings, tokenizer, seed) for seed in (0, 0, 1))
    assert np.array_equal(first.ids, again.ids)
    assert not np.array_equal(first.ids, other.ids)
