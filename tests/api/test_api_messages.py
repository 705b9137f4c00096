"""What an endpoint is asked, and what its answers mean."""

import math

import pandas as pd
import pytest

from babelgrid.api.messages import label_said, log_probabilities, messages_for
from babelgrid.config.prompt import Label, Prompt

LABELS = {
    "pro": Label(answer=" pro", aliases=["pro-immigration"]),
    "anti": Label(answer=" anti"),
    "neutral": Label(answer=" neutral"),
}
PROMPT = Prompt(template="Post: {text}\nStance:")


def test_a_question_is_the_experiment_s_own_prompt_after_its_examples():
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
def test_an_answer_says_one_label_or_none(answer, label):
    assert label_said(answer, LABELS) == label


def test_the_longer_of_two_spellings_that_begin_alike_is_what_is_said():
    labels = {"support": Label(answer=" support"), "partly": Label(answer=" support with conditions")}
    assert label_said("I would say: support with conditions.", labels) == "partly"
    assert label_said("I would say: support.", labels) == "support"


def test_tokens_that_one_label_alone_begins_with_give_their_probability_to_it():
    tokens = [(" ne", math.log(0.5)), ("Pro", math.log(0.25)), ("p", math.log(0.05)), ("x", math.log(0.1))]
    found = [math.exp(value) for value in log_probabilities("neutral", tokens, LABELS)]
    assert found == pytest.approx([0.3, 0.0, 0.5])


@pytest.mark.parametrize(
    "tokens",
    [None, [], [("anti", -0.1)], [("pro", 3.0)], [("pro", math.nan)], [("", -0.1)], [("pro", -0.01), ("pro", -0.01)]],
)
def test_absurd_log_probabilities_leave_all_to_the_label_that_was_said(tokens):
    assert log_probabilities("pro", tokens, LABELS) == [0.0, -math.inf, -math.inf]


def test_an_answer_without_a_label_has_no_probability_anywhere():
    assert log_probabilities(None, [("pro", -0.1)], LABELS) == [-math.inf] * 3
