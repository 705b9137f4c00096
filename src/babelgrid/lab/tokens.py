"""Train the lab's tokenizer and tokenise its stream, with the language of each token."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from babelgrid.config.base import LAB_LANGUAGES, LabBase
from babelgrid.lab.compose import chance
from babelgrid.lab.stream import Document, pretraining_documents, write_documents

BOS, EOS, PAD = "<|bos|>", "<|eos|>", "<|pad|>"
TOKENIZER_CHARACTERS = 2_000_000
# Words keep their combining marks, because GPT-2's pattern would split every Hindi word at its vowel signs.
WORDS = r" ?[\p{L}\p{M}]+| ?\p{N}+| ?[^\s\p{L}\p{M}\p{N}]+|\s+(?!\S)|\s+"


@dataclass(frozen=True)
class Exposure:
    """Data that the base has seen: tokens by language and in total, BOS tokens (no language), documents by kind."""

    tokens: dict[str, int]
    total: int
    bos: int
    documents: dict[str, int]


@dataclass(frozen=True)
class TokenStream:
    """The pre-training stream in tokens, with a BOS before each document.

    ids: token ids, shape (tokens,). languages: position in `LAB_LANGUAGES` of each token's language, -1 for BOS.
    documents: number of documents by kind.
    """

    ids: np.ndarray
    languages: np.ndarray
    documents: dict[str, int]

    def exposure(self) -> Exposure:
        """Count the tokens of each language."""
        counts = np.bincount(self.languages + 1, minlength=len(LAB_LANGUAGES) + 1)
        tokens = {language: int(count) for language, count in zip(LAB_LANGUAGES, counts[1:], strict=True)}
        return Exposure(tokens, total=sum(tokens.values()), bos=int(counts[0]), documents=self.documents)


def train_tokenizer(settings: LabBase, seed: int) -> Tokenizer:
    """Train a byte-level BPE tokenizer, which can encode any text and prepends one BOS.

    Its training text is written like the stream, with the same shares, but measured in characters.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORDS), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=settings.vocabulary,
        special_tokens=[BOS, EOS, PAD],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_tokenizer_texts(settings, seed), trainer)
    bos = (BOS, tokenizer.token_to_id(BOS))
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A {BOS}:1 $B:1", special_tokens=[bos]
    )
    return tokenizer


def _tokenizer_texts(settings: LabBase, seed: int) -> Iterator[str]:
    characters: Counter[str] = Counter()
    for document in write_documents(settings, chance(seed, "tokenizer"), characters):
        for span in document.spans:
            characters[span.language] += len(span.text)
        yield document.text
        if characters.total() >= TOKENIZER_CHARACTERS:
            return


def write_stream(settings: LabBase, tokenizer: Tokenizer, seed: int) -> TokenStream:
    """Write documents until they fill complete steps of about `settings.tokens` tokens; truncate the last document."""
    step = settings.context * settings.batch_rows
    length = max(1, round(settings.tokens / step)) * step
    written: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    ids: list[np.ndarray] = []
    languages: list[np.ndarray] = []
    for document in pretraining_documents(settings, seed, written):
        document_ids, document_languages = _encode(document, tokenizer)
        ids.append(document_ids)
        languages.append(document_languages)
        kinds[document.kind] += 1
        written.update(LAB_LANGUAGES[language] for language in document_languages[1:])
        if written.total() + kinds.total() >= length:
            break
    return TokenStream(np.concatenate(ids)[:length], np.concatenate(languages)[:length], dict(sorted(kinds.items())))


def _encode(document: Document, tokenizer: Tokenizer) -> tuple[np.ndarray, np.ndarray]:
    """Return a document's token ids and languages, with BOS (language -1) first.

    The language of a token is that of its last character. A token spans two languages only at a space, which belongs to
    the word after it.
    """
    encoding = tokenizer.encode(document.text)
    ends = np.cumsum([len(span.text) for span in document.spans])
    span_languages = np.array([LAB_LANGUAGES.index(span.language) for span in document.spans])
    last_characters = np.array([end - 1 for _, end in encoding.offsets[1:]])
    spans = np.searchsorted(ends, last_characters, side="right")
    return np.array(encoding.ids), np.concatenate([[-1], span_languages[spans]])
