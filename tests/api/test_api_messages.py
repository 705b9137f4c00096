"""Test the messages to an endpoint and the interpretation of its answers."""

import math

import pandas as pd
import pytest

from babelgrid.api.messages import log_probabilities, messages_for, parse_label
from babelgrid.config.prompt import Label, Prompt

LABELS = {
    "pro": Label(answer=" pro", aliases=["pro-immigration"]),
    "anti": Label(answer=" anti"),
    "neutral": Label(answer=" neutral"),
}
PROMPT = Prompt(template="Post: {text}\nStance:")


def test_question_has_examples_and_experiment_prompt():
    examples = pd.DataFrame({"language": ["en"], "text": ["{text} welcome"], "label": ["pro"]})
    messages = messages_for("closed {text}", "hu", examples, PROMPT, LABELS)
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "user"]
    assert messages[0]["content"].endswith("pro, anti, neutral")
    assert [message["content"] for message in messages[1:]] == [
        "Post: {text} welcome\nStance:",
        "pro",
        "Post: closed {text}\nStance:",
    ]


@pytest.mark.parametrize(
    ("answer", "label"),
    [
        ("pro", "pro"),
        (" **Anti**.\n", "anti"),
        ("PRO-IMMIGRATION", "pro"),
        ("The stance is neutral.", "neutral"),
        ("anti, anti", "anti"),
        ("pro or anti", None),
        ("promising", None),
        ("", None),
        (None, None),
        ("مرحبا", None),
        ("x" * 100_000, None),
    ],
)
def test_answer_names_one_label_or_none(answer, label):
    assert parse_label(answer, LABELS) == label


def test_longest_matching_spelling_wins():
    labels = {"support": Label(answer=" support"), "partly": Label(answer=" support with conditions")}
    assert parse_label("I would say: support with conditions.", labels) == "partly"
    assert parse_label("I would say: support.", labels) == "support"


def test_unambiguous_first_tokens_count_for_their_label():
    tokens = [(" ne", math.log(0.5)), ("Pro", math.log(0.25)), ("p", math.log(0.05)), ("x", math.log(0.1))]
    found = [math.exp(value) for value in log_probabilities("neutral", tokens, LABELS)]
    assert found == pytest.approx([0.3, 0.0, 0.5])


@pytest.mark.parametrize(
    "tokens",
    [None, [], [("anti", -0.1)], [("pro", 3.0)], [("pro", math.nan)], [("", -0.1)], [("pro", -0.01), ("pro", -0.01)]],
)
def test_absurd_log_probabilities_are_ignored(tokens):
    assert log_probabilities("pro", tokens, LABELS) == [0.0, -math.inf, -math.inf]


def test_answer_without_label_has_no_probabilities():
    assert log_probabilities(None, [("pro", -0.1)], LABELS) == [-math.inf] * 3
