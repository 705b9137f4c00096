"""Find the tokens that distinguish one label from another."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from transformers import PreTrainedTokenizerBase

from babelgrid.config.prompt import Label, Prompt
from babelgrid.errors import UserError
from babelgrid.prompts.template import Frame, frame_of
from babelgrid.prompts.tokenizer import load_base_tokenizer
from babelgrid.runtime.files import read_json, write_json

TokenPath = tuple[int, ...]

# Sample endings of a post: a byte-pair tokenizer could merge any of these with the answer that follows.
POST_ENDINGS = ("word", "word 7", "word.", "слово", "단어", "word ", "#word\n", "")


def answer_tokens(frame: Frame, answer: str, tokenizer: PreTrainedTokenizerBase) -> TokenPath:
    """Return the tokens of an answer after a prompt, which must be the same for every ending of the post.

    Raises `UserError` if prompt and answer merge into one token.
    """
    tails = {_tail(frame, ending, answer, tokenizer) for ending in POST_ENDINGS}
    tail = tails.pop()
    if tails or not tail:
        raise UserError(
            f"labels: the first token of the answer {answer!r} merges with the end of the prompt in this base's "
            "tokenizer. Start answers with a space, or end prompt.template with a word, a colon or a line break"
        )
    return tail


def _tail(frame: Frame, post: str, answer: str, tokenizer: PreTrainedTokenizerBase) -> TokenPath:
    prompt = frame.before + post + frame.after
    ids = tokenizer(prompt, add_special_tokens=frame.add_special_tokens)["input_ids"]
    both = tokenizer(prompt + answer, add_special_tokens=frame.add_special_tokens)["input_ids"]
    return tuple(both[len(ids) :]) if both[: len(ids)] == ids else ()


def distinguishing_paths(answers: Mapping[str, TokenPath], end: int | None) -> dict[str, TokenPath]:
    """Cut each label's answer after the first token that distinguishes it from all other labels.

    If an answer is a prefix of another one (`1` and `10` where digits are tokens), the end token distinguishes it.
    Raises `UserError` if two labels have the same tokens.
    """
    paths = {label: _distinguish(label, answers, end) for label, tokens in answers.items()}
    for label, path in paths.items():
        twins = [other for other, its_path in paths.items() if its_path == path and other != label]
        if twins:
            raise UserError(
                f"labels: {label!r} and {twins[0]!r} have the same answer tokens; give them different answers"
            )
    return paths


def _distinguish(label: str, answers: Mapping[str, TokenPath], end: int | None) -> TokenPath:
    tokens = answers[label]
    others = [path for other, path in answers.items() if other != label]
    for length in range(1, len(tokens) + 1):
        if not any(path[:length] == tokens[:length] for path in others):
            return tokens[:length]
    return tokens if end is None else (*tokens, end)


def label_paths(
    prompt: Prompt, labels: Mapping[str, Label], language: str, tokenizer: PreTrainedTokenizerBase
) -> dict[str, TokenPath]:
    """Return, for each label, the tokens that distinguish it from the others after a post in `language`."""
    frame = frame_of(prompt, language, tokenizer)
    answers = {name: answer_tokens(frame, label.answer, tokenizer) for name, label in labels.items()}
    return distinguishing_paths(answers, tokenizer.eos_token_id)


def check_answers(prompt: Prompt, template: str, labels: Mapping[str, Label], base_path: Path, out: Path) -> None:
    """Check the answers under every template with the base's tokenizer, and write their tokens under one template.

    template: the language of this template (`en` if there is a single one). The output does not depend on the others.
    Raises `UserError` if an answer has the same tokens as another one, or merges with the end of the prompt.
    """
    tokenizer = load_base_tokenizer(base_path)
    languages: Sequence[str] = list(prompt.template) if prompt.language == "native" else [template]
    paths = {language: label_paths(prompt, labels, language, tokenizer) for language in languages}
    report = {
        label: {"answer": labels[label].answer, "tokens": tokenizer.convert_ids_to_tokens(list(path))}
        for label, path in paths[template].items()
    }
    write_json(out, report)


def collect_answers(checked: Mapping[str, Path], out: Path) -> None:
    """Combine the files of `check_answers` into one: language of the template -> label -> answer and tokens."""
    write_json(out, {language: read_json(path) for language, path in checked.items()})
