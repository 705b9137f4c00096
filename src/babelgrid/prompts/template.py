"""From a post to the token ids of its prompt."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from transformers import PreTrainedTokenizerBase

from babelgrid.config.prompt import Prompt
from babelgrid.errors import UserError
from babelgrid.prompts.neutral import control_ids, neutral_posts, prompt_ids

# Some chat templates write today's date; a result must not depend on the day. transformers passes no function to a
# template, so a macro takes the place of its `strftime_now`.
CHAT_DAY = datetime(2024, 7, 26, tzinfo=UTC)
DIRECTIVES = [f"%{letter}" for letter in ("-d", "-m", *"aAbBdHIjmMpSyYcxX")]
FIXED_DAY = "{{%- macro strftime_now(form) -%}}{{{{ form{} }}}}{{%- endmacro -%}}".format(
    "".join(f" | replace('{directive}', '{CHAT_DAY.strftime(directive)}')" for directive in DIRECTIVES)
)

# A chat template may depend on what the message says. It must carry these, as clean posts are, without a change.
TRIAL_POSTS = (
    "{text}",
    """Ab "c" 'd' <e> &amp; \\n {{ f }} [g](h) #i @user http \u00e9 \u65b0 \U0001f600""",
    "word " * 999 + "end",
)


@dataclass(frozen=True)
class Frame:
    """The words before and after a post, and whether the tokenizer adds its BOS or the chat template has done so."""

    before: str
    after: str
    add_special_tokens: bool


def frame_of(prompt: Prompt, language: str, tokenizer: PreTrainedTokenizerBase) -> Frame:
    """Return what stands around a post in `language`.

    Raises `UserError` where a chat template is asked for and the tokenizer has none, or it fails, or changes the post.
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
    rendered = _chat(template, tokenizer)
    if rendered.count("{text}") != 1:
        raise UserError(
            "prompt.chat_template: the base's chat template does not carry the user's message once "
            f"({rendered.count('{text}')} times). Set it to false"
        )
    before, after = rendered.split("{text}")
    for post in TRIAL_POSTS:
        if _chat(template.replace("{text}", post), tokenizer) != before + post + after:
            raise UserError(
                "prompt.chat_template: the base's chat template changes the user's message, or writes another prompt "
                "for another message. Set it to false"
            )
    return Frame(before, after, add_special_tokens=False)


def _chat(message: str, tokenizer: PreTrainedTokenizerBase) -> str:
    """Return the chat template's prompt for a single user message."""
    try:
        rendered = tokenizer.apply_chat_template(
            [{"role": "user", "content": message}],
            tokenize=False,
            add_generation_prompt=True,
            chat_template=FIXED_DAY + tokenizer.get_chat_template(),
            date_string=CHAT_DAY.strftime("%d %b %Y"),
        )
    except Exception as error:  # a chat template is a program of the base's own, and may raise anything
        said = " ".join(str(error).split())[:200] or type(error).__name__
        raise UserError(
            f"prompt.chat_template: the base's chat template refuses a single user message ({said}). Set it to false"
        ) from error
    return str(rendered)


def encode_prompts(
    frame: Frame, texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, max_post_tokens: int
) -> list[list[int]]:
    """Return the token ids of each post's prompt; posts are cut to `max_post_tokens`, the frame never is.

    The prompt is tokenised as one string, so the ids are those that any other program gets for it. A control token
    that a post spells, alone or together with the frame, is opened with a space.
    Raises `UserError` if the prompt begins with two BOS, or if the tokenizer ends it with EOS or makes a control token
    of a post in spite of the space.
    """
    controls = control_ids(tokenizer)
    encoded: list[list[int]] = []
    for posts in _batches(texts):
        with _explaining_control_tokens():
            encoded += prompt_ids(
                posts, frame.before, frame.after, tokenizer, controls, frame.add_special_tokens, max_post_tokens
            )
    if encoded:
        _check_ends(encoded[0], frame, tokenizer)
    return encoded


def count_tokens(texts: Sequence[str], tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Return the number of tokens of each text by itself, uncut and with its control tokens opened."""
    controls = control_ids(tokenizer)
    counts: list[int] = []
    for posts in _batches(texts):
        with _explaining_control_tokens():
            _, ids, _ = neutral_posts(posts, "", "", tokenizer, controls, False)
        counts += map(len, ids)
    return counts


def _batches(texts: Sequence[str]) -> Iterator[list[str]]:
    """Yield the texts a thousand at a time: their offsets take more memory than their ids."""
    for first in range(0, len(texts), 1000):
        yield list(texts[first : first + 1000])


@contextmanager
def _explaining_control_tokens() -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise UserError(f"base: {error}. Take another base, or its tokenizer without that normalisation") from error


def _check_ends(ids: Sequence[int], frame: Frame, tokenizer: PreTrainedTokenizerBase) -> None:
    bos, eos = tokenizer.bos_token_id, tokenizer.eos_token_id
    if bos is not None and list(ids[:2]) == [bos, bos]:
        raise UserError("the prompt begins with two BOS tokens: take the BOS out of prompt.template")
    wants_eos = eos is not None and frame.after.rstrip().endswith(str(tokenizer.eos_token))
    if eos is not None and eos != bos and not wants_eos and list(ids[-1:]) == [eos]:
        raise UserError("this base's tokenizer ends every prompt with EOS: set add_eos_token to false in its folder")
