"""Turn a post into the token ids of its prompt."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from transformers import PreTrainedTokenizerBase

from babelgrid.config.prompt import Prompt
from babelgrid.errors import UserError
from babelgrid.prompts.neutral import control_ids, neutral_posts, prompt_ids

# Some chat templates write today's date, but results must not depend on the day. A function cannot be passed to a
# template through transformers, so a macro replaces its `strftime_now`.
CHAT_DAY = datetime(2024, 7, 26, tzinfo=UTC)
DIRECTIVES = [f"%{letter}" for letter in ("-d", "-m", *"aAbBdHIjmMpSyYcxX")]
FIXED_DAY = "{{%- macro strftime_now(form) -%}}{{{{ form{} }}}}{{%- endmacro -%}}".format(
    "".join(f" | replace('{directive}', '{CHAT_DAY.strftime(directive)}')" for directive in DIRECTIVES)
)

# A chat template may depend on the content of the message. It must reproduce these messages, which resemble clean
# posts, unchanged.
TRIAL_POSTS = (
    "{text}",
    """Ab "c" 'd' <e> &amp; \\n {{ f }} [g](h) #i @user http \u00e9 \u65b0 \U0001f600""",
    "word " * 999 + "end",
)


@dataclass(frozen=True)
class Frame:
    """The text before and after a post, and whether the tokenizer adds BOS (False if the chat template writes it)."""

    before: str
    after: str
    add_special_tokens: bool


def frame_of(prompt: Prompt, language: str, tokenizer: PreTrainedTokenizerBase) -> Frame:
    """Return the frame of a post in `language`.

    Raises `UserError` if a chat template is requested but missing, or if it fails or changes the post.
    """
    template = prompt.template_for(language)
    if not prompt.chat_template:
        before, after = template.split("{text}")
        return Frame(before, after, add_special_tokens=True)
    if not tokenizer.chat_template:
        raise UserError(
            "prompt.chat_template: this base's tokenizer has no chat template. Set it to false, or use an instruct base"
        )
    rendered = _chat(template, tokenizer)
    if rendered.count("{text}") != 1:
        raise UserError(
            "prompt.chat_template: the base's chat template must contain the user's message exactly once "
            f"(found {rendered.count('{text}')} times). Set it to false"
        )
    before, after = rendered.split("{text}")
    for post in TRIAL_POSTS:
        if _chat(template.replace("{text}", post), tokenizer) != before + post + after:
            raise UserError(
                "prompt.chat_template: the base's chat template changes the user's message, or the text around it "
                "depends on the message. Set it to false"
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
    except Exception as error:  # a chat template is the base's own program and may raise any error
        said = " ".join(str(error).split())[:200] or type(error).__name__
        raise UserError(
            f"prompt.chat_template: the base's chat template fails on a single user message ({said}). Set it to false"
        ) from error
    return str(rendered)


def encode_prompts(
    frame: Frame, texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, max_post_tokens: int
) -> list[list[int]]:
    """Return the token ids of each post's prompt; posts are truncated to `max_post_tokens`, the frame never is.

    The prompt is tokenised as one string, so any other program gets the same ids for it. A control token spelled by a
    post, alone or together with the frame, is broken up with a space.
    Raises `UserError` if the prompt begins with two BOS, if the tokenizer ends it with EOS, or if it makes a control
    token of a post despite the space.
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
    """Return the number of tokens of each text without a prompt, not truncated and with control tokens broken up."""
    controls = control_ids(tokenizer)
    counts: list[int] = []
    for posts in _batches(texts):
        with _explaining_control_tokens():
            _, ids, _ = neutral_posts(posts, "", "", tokenizer, controls, False)
        counts += map(len, ids)
    return counts


def _batches(texts: Sequence[str]) -> Iterator[list[str]]:
    """Yield the texts a thousand at a time, because their offsets take more memory than their ids."""
    for first in range(0, len(texts), 1000):
        yield list(texts[first : first + 1000])


@contextmanager
def _explaining_control_tokens() -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise UserError(f"base: {error}. Use another base, or its tokenizer without that normalisation") from error


def _check_ends(ids: Sequence[int], frame: Frame, tokenizer: PreTrainedTokenizerBase) -> None:
    bos, eos = tokenizer.bos_token_id, tokenizer.eos_token_id
    # A chat template writes its own BOS, and may begin its first turn with another.
    if bos is not None and list(ids[:2]) == [bos, bos] and frame.add_special_tokens:
        raise UserError("the prompt begins with two BOS tokens: remove the BOS from prompt.template")
    wants_eos = eos is not None and frame.after.rstrip().endswith(str(tokenizer.eos_token))
    if eos is not None and eos != bos and not wants_eos and list(ids[-1:]) == [eos]:
        raise UserError("this base's tokenizer appends EOS to every prompt: set add_eos_token to false in its folder")
