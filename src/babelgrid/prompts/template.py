"""From a post to the token ids of its prompt."""

from collections.abc import Sequence
from dataclasses import dataclass

from transformers import PreTrainedTokenizerBase

from babelgrid.config.prompt import Prompt
from babelgrid.errors import UserError

# Llama 3's chat template writes today's date unless it is given one; a result must not depend on the day.
CHAT_DATE = "26 Jul 2024"


@dataclass(frozen=True)
class Frame:
    """The words before and after a post, and whether the tokenizer adds its BOS or the chat template has done so."""

    before: str
    after: str
    add_special_tokens: bool


def frame_of(prompt: Prompt, language: str, tokenizer: PreTrainedTokenizerBase) -> Frame:
    """Return what stands around a post in `language`.

    Raises `UserError` where a chat template is asked for and the tokenizer has none, or it swallows the post.
    """
    template = prompt.template_for(language)
    if not prompt.chat_template:
        before, after = template.split("{text}")
        return Frame(before, after, add_special_tokens=True)
    if not tokenizer.chat_template:
        raise UserError(
            "prompt.chat_template: this base's tokenizer has no chat template. "
            "Set it to false, or take an instruct base"
        )
    message = [{"role": "user", "content": template}]
    rendered = str(
        tokenizer.apply_chat_template(message, tokenize=False, add_generation_prompt=True, date_string=CHAT_DATE)
    )
    if rendered.count("{text}") != 1:
        raise UserError("prompt.chat_template: the base's chat template does not carry the user's message once")
    before, after = rendered.split("{text}")
    return Frame(before, after, add_special_tokens=False)


def encode_prompts(
    frame: Frame, texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, max_post_tokens: int
) -> list[list[int]]:
    """Return the token ids of each post's prompt; posts are cut to `max_post_tokens`, the frame never is.

    The prompt is tokenised as one string, so the ids are those that any other program gets for it.
    Raises `UserError` if the prompt does not begin with exactly one BOS, where the tokenizer has one.
    """
    if not texts:
        return []
    shortened = shorten(texts, tokenizer, max_post_tokens)
    prompts = [frame.before + text + frame.after for text in shortened]
    ids: list[list[int]] = tokenizer(prompts, add_special_tokens=frame.add_special_tokens)["input_ids"]
    _check_special_tokens(ids[0], tokenizer)
    return ids


def shorten(texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, max_tokens: int) -> list[str]:
    """Cut each text after its first `max_tokens` tokens, and take the meaning out of special tokens within it."""
    plain = [_without_special_tokens(text, tokenizer) for text in texts]
    encoded = tokenizer(plain, add_special_tokens=False, return_offsets_mapping=True)
    return [
        text[: offsets[max_tokens - 1][1]] if len(offsets) > max_tokens else text
        for text, offsets in zip(plain, encoded["offset_mapping"], strict=True)
    ]


def count_tokens(texts: Sequence[str], tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Return the number of tokens of each text by itself, uncut and without special tokens."""
    plain = [_without_special_tokens(text, tokenizer) for text in texts]
    return [len(ids) for ids in tokenizer(plain, add_special_tokens=False)["input_ids"]] if plain else []


def _without_special_tokens(text: str, tokenizer: PreTrainedTokenizerBase) -> str:
    """A post that spells a control token, such as `<|eot_id|>`, must not steer the model: open it with a space."""
    for token in tokenizer.all_special_tokens:
        if token in text:
            text = text.replace(token, f"{token[0]} {token[1:]}")
    return text


def _check_special_tokens(ids: Sequence[int], tokenizer: PreTrainedTokenizerBase) -> None:
    bos, eos = tokenizer.bos_token_id, tokenizer.eos_token_id
    if bos is not None and bos != eos and list(ids).count(bos) > 1:
        raise UserError("the prompt begins with two BOS tokens: take the BOS out of prompt.template")
    if eos is not None and eos != bos and ids[-1] == eos:
        raise UserError("this base's tokenizer ends every prompt with EOS: set add_eos_token to false in its folder")
