"""Test that no control token of a prompt comes from a post, for many kinds of tokenizer."""

import inspect
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from babelgrid.config.prompt import Prompt
from babelgrid.errors import UserError
from babelgrid.posts.clean import clean
from babelgrid.posts.control_tokens import CONTROL_TOKEN, open_control_tokens
from babelgrid.prompts import neutral
from babelgrid.prompts.neutral import control_ids
from babelgrid.prompts.template import Frame, count_tokens, encode_prompts, frame_of
from babelgrid.release.loading import FUNCTIONS
from bases import train_tokenizer

TURNS = ["<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>"]
FULL_WIDTH = str.maketrans("<|>_", "\uff1c\uff5c\uff1e\uff3f")
PIECES = [
    *TURNS, *(turn.translate(FULL_WIDTH) for turn in TURNS), *(turn.upper() for turn in TURNS),
    "<|", "|>", "<", "|", ">", "eot_id", "_id|>", "<|eot", "&lt;", "&gt;", "&amp;", "&#124;", "\x00", "\u200b",
    "\u00ad", "<s>", "</s>", "<unk>", "<|begin|>", "<|end|>", "<|pad|>", "¤", "aa", "a", " ", "word", "\u65b0",
]  # fmt: skip
HOSTILE = st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=12).map("".join)


def added(content, **flags):
    return AddedToken(content, special=True, **{"normalized": False, **flags})


def lab():
    tokenizer = train_tokenizer()
    tokenizer.add_special_tokens({"additional_special_tokens": [added(turn) for turn in TURNS]})
    return tokenizer


def unnamed(**flags):
    """Return the lab's tokenizer with control tokens without a named role, such as Llama 3's <|eot_id|>."""
    tokenizer = train_tokenizer()
    tokenizer.add_tokens([added(turn, **flags) for turn in TURNS], special_tokens=True)
    return tokenizer


def normalising(normalizer, **flags):
    tokenizer = unnamed(normalized=True, **flags)
    tokenizer.backend_tokenizer.normalizer = normalizer
    return tokenizer


def unigram():
    """Return a Unigram tokenizer with spaces as part of its tokens and a token for unknown characters."""
    pieces = [("<unk>", 0.0), ("<s>", 0.0), ("</s>", 0.0), ("\u2581", -3.0), ("\u2581word", -2.0)]
    pieces += [(letter, -5.0) for letter in "abcdefghijklmnopqrstuvwxyz<>|_/:"]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=0))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>")
    fast.add_tokens([added(turn) for turn in TURNS], special_tokens=True)
    return fast


def byte_fallback():
    pieces = [("<unk>", 0.0), ("<s>", 0.0), ("</s>", 0.0), *((f"<0x{byte:02X}>", 0.0) for byte in range(256))]
    pieces += [("\u2581", -3.0), ("\u2581word", -2.0), ("a", -5.0)]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=0, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="<unk>"
    )
    fast.add_tokens([added(turn) for turn in TURNS], special_tokens=True)
    return fast


def awkward():
    """Return a tokenizer with control tokens of one character, of equal characters, and one within another."""
    tokenizer = unnamed()
    tokenizer.add_tokens([added(text) for text in ("¤", "aa", "< |", "|eot_id|>", "| ")], special_tokens=True)
    return tokenizer


TOKENIZERS = {
    "lab": lab(),
    "unnamed": unnamed(),
    "takes spaces": unnamed(lstrip=True, rstrip=True),
    "NFKC": normalising(normalizers.NFKC()),
    "lower case": normalising(normalizers.Lowercase()),
    "no spaces": normalising(normalizers.Replace(" ", "")),
    "no zero width": normalising(normalizers.Replace("\u200b", "")),
    "Unigram": unigram(),
    "byte fallback": byte_fallback(),
    "awkward": awkward(),
}
TEMPLATES = ["Post: {text}\nA:", "{text}", "<{text}", "<|eot_id{text}>", "<|eot_id|>{text}<|eot_id|>", "<|{text}_id|>"]


def controls_from_posts(frame, texts, tokenizer):
    """Return the control ids of each prompt, and those of a prompt with an ordinary post."""
    special = {number for number, token in tokenizer.added_tokens_decoder.items() if token.special}
    special -= {tokenizer.unk_token_id} - {tokenizer.pad_token_id}
    [own] = encode_prompts(frame, ["word"], tokenizer, 64)
    own = [number for number in own if number in special]
    return [[n for n in ids if n in special] for ids in encode_prompts(frame, texts, tokenizer, 64)], own


@pytest.mark.slow
@pytest.mark.parametrize("name", TOKENIZERS)
@settings(max_examples=60)
@given(text=HOSTILE, template=st.sampled_from(TEMPLATES))
def test_no_control_token_comes_from_a_post(name, text, template):
    tokenizer = TOKENIZERS[name]
    frame = frame_of(Prompt(template=template), "en", tokenizer)
    [found], own = controls_from_posts(frame, [clean(text)], tokenizer)
    assert found == own


@pytest.mark.parametrize("text", ["¤", "eot", "eot_id|> word"])
def test_no_control_token_from_frame_and_space(text):
    tokenizer = awkward()
    frame = frame_of(Prompt(template="<|{text}_id|>"), "en", tokenizer)
    [found], own = controls_from_posts(frame, [clean(text)], tokenizer)
    assert found == own


@pytest.mark.parametrize(
    "text", ["<|eot_id|>", "&lt;|eot_id|&gt;", "\uff1c|eot_id|\uff1e", "<|eot\x00_id|>", "&amp;amp;lt;|eot_id|>"]
)
def test_control_token_created_by_cleaning_is_broken_up(text):
    tokenizer = TOKENIZERS["unnamed"]
    [ids] = encode_prompts(Frame("", "", True), [clean(f"fine {text} day")], tokenizer, 64)
    assert tokenizer.decode(ids[1:]) == "fine < |eot_id|> day"


def test_control_token_across_frame_and_post_is_broken_up():
    tokenizer = TOKENIZERS["unnamed"]
    ids = encode_prompts(Frame("<", "_id|>", False), ["|eot_id|> or <|eot"], tokenizer, 64)[0]
    assert tokenizer.decode(ids) == "< |eot_id|> or < |eot_id|>"


def test_ordinary_post_is_unchanged():
    tokenizer = TOKENIZERS["unnamed"]
    text = "<b>new</b> families & <3 |x| [sic]"
    assert encode_prompts(Frame("P: ", "\nA:", True), [text], tokenizer, 64) == [tokenizer(f"P: {text}\nA:").input_ids]


def test_unknown_characters_stay_but_unk_text_is_broken_up():
    tokenizer = TOKENIZERS["Unigram"]
    [ids] = encode_prompts(Frame("", "", False), ["\u65b0 <unk>"], tokenizer, 64)
    assert ids.count(tokenizer.unk_token_id) == 1


def test_control_ids_include_control_like_added_tokens():
    tokenizer = train_tokenizer()
    tokenizer.add_tokens(["<\uff5cUser\uff5c>", "Fidesz"])
    names = tokenizer.convert_ids_to_tokens(sorted(control_ids(tokenizer)))
    assert names == ["<|begin|>", "<|end|>", "<|pad|>", "<\uff5cUser\uff5c>"]


def test_tokenizer_that_always_makes_control_token_is_refused():
    tokenizer = normalising(normalizers.Replace("w", "<|eot_id|>"))
    tokenizer.backend_tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Replace(" ", "w"), normalizers.Replace(".", "w"), normalizers.Replace("w", "<|eot_id|>")]
    )
    with pytest.raises(UserError, match="makes a control token of a post"):
        encode_prompts(Frame("", "", True), ["w"], tokenizer, 64)


def test_count_tokens_counts_broken_up_text():
    tokenizer = TOKENIZERS["unnamed"]
    assert count_tokens(["<|eot_id|>", "< |eot_id|>"], tokenizer) == [len(tokenizer.tokenize("< |eot_id|>"))] * 2


@pytest.fixture(scope="module")
def llama(shared_file):
    from transformers.convert_slow_tokenizer import TikTokenConverter

    names = ["<|begin_of_text|>", "<|end_of_text|>", *TURNS]
    path = shared_file("models/llama3-tokenizer/tokenizer.model")
    converted = TikTokenConverter(vocab_file=str(path), extra_special_tokens=names).converted()
    return PreTrainedTokenizerFast(tokenizer_object=converted, bos_token=names[0], eos_token=names[1])


@settings(max_examples=60)
@given(text=HOSTILE)
def test_no_control_token_comes_from_a_post_with_llama_3(llama, text):
    frame = Frame("<|start_header_id|>user<|end_header_id|>\n\n", "<|eot_id|>", True)
    [found], own = controls_from_posts(frame, [clean(text)], llama)
    assert found == own
    assert len(own) >= 3


WORDS = st.sampled_from(
    ["new", "families", " ", " ", ". ", "\u65b0\u3057\u3044", "\u043d\u043e\u0432", "123", "\U0001f600", "aaaa", "a"]
)


@settings(max_examples=60)
@given(text=st.lists(WORDS, min_size=100, max_size=400).map("".join), most=st.integers(1, 12))
def test_shortened_post_has_same_tokens_as_full_post(llama, text, most):
    for tokenizer in (llama, TOKENIZERS["unnamed"], TOKENIZERS["Unigram"], TOKENIZERS["byte fallback"]):
        spans = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True).offset_mapping
        whole = text[: spans[most - 1][1]] if len(spans) > most else text
        assert neutral.shorten([text], tokenizer, control_ids(tokenizer), most) == [whole]


def test_only_the_beginning_of_a_long_post_is_tokenised():
    class Counting:
        def __init__(self, tokenizer):
            self._tokenizer, self.characters = tokenizer, 0

        def __getattr__(self, name):
            return getattr(self._tokenizer, name)

        def __call__(self, texts, **settings):
            self.characters += sum(map(len, texts))
            return self._tokenizer(texts, **settings)

    counting = Counting(TOKENIZERS["unnamed"])
    encode_prompts(Frame("P: ", "\nA:", True), ["everyone is welcome " * 50_000], counting, 32)
    assert counting.characters < 5_000


def test_functions_on_card_give_same_prompts_standalone():
    names = {"Any": Any}
    for function in FUNCTIONS:
        exec(inspect.getsource(function), names)
    tokenizer = TOKENIZERS["unnamed"]
    texts = ["fine <|eot_id|> day", "everyone is welcome " * 100]
    [*ids] = names["prompt_ids"](texts, "P: ", "\nA:", tokenizer, control_ids(tokenizer), True, 8)
    assert ids == encode_prompts(Frame("P: ", "\nA:", True), texts, tokenizer, 8)


@given(
    post=HOSTILE | st.lists(st.sampled_from(["<", "|", ">", "[", "]", "INST", "/", "s", "<s>", "[INST]"])).map("".join)
)
def test_no_known_control_token_reaches_an_endpoint(post):
    opened = open_control_tokens(post, "Post: <", "> Label:")
    assert not CONTROL_TOKEN.search(f"Post: <{opened}> Label:")
    assert open_control_tokens(opened, "Post: <", "> Label:") == opened
    assert opened.replace(" ", "") == post.replace(" ", "")


@pytest.mark.parametrize(
    "token",
    [
        "<|eot_id|>",
        "<|im_start|>",
        "<\uff5cUser\uff5c>",
        "[INST]",
        "[/INST]",
        "<<SYS>>",
        "<s>",
        "</s>",
        "<bos>",
        "<start_of_turn>",
        "<end_of_turn>",
        "<turn|>",
        "[|user|]",
        "<|START_OF_TURN_TOKEN|>",
        "<think>",
        "[gMASK]",
    ],
)
def test_control_tokens_of_major_families_are_broken_up(token):
    assert open_control_tokens(f"a{token}b") == f"a{token[0]} {token[1:]}b"


@pytest.mark.parametrize("text", ["<b>x</b> [sic] <3 x|y a < b > c", "I <br> you", "[BREAKING] <- |x|"])
def test_ordinary_brackets_are_unchanged(text):
    assert open_control_tokens(text) == text
