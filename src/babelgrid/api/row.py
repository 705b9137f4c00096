"""Score a row of the grid with an endpoint: write the files that `predict` would write, and their cost."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles

import pandas as pd

from babelgrid.api.ask import Endpoint, ask
from babelgrid.api.ledger import Answer
from babelgrid.api.messages import Message, messages_for
from babelgrid.config.prompt import Label, Prompt
from babelgrid.mixture import Mixture
from babelgrid.posts.sample import read_train_posts, sample_posts
from babelgrid.runtime.files import provenance, read_parquet, write_json, write_parquet
from babelgrid.runtime.progress import progress_bar
from babelgrid.runtime.usage import Usage, working

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PromptSpec:
    """Settings shared by all posts of a row. shots: number of examples that precede the post in the prompt."""

    prompt: Prompt
    labels: Mapping[str, Label]
    shots: int
    train: Mapping[str, Path]
    """Posts files of the train languages, the source of the examples."""
    examples: str
    """Language of the examples, or `own` for the post's language. If it is not in `train`, English is used, or else
    the first language in `train`."""


def ask_row(
    endpoint: Endpoint,
    question: PromptSpec,
    posts: Mapping[str, Path],
    outputs: Mapping[str, Path],
    details: Path,
    usage: Usage,
) -> None:
    """Write each language's predictions on its test posts, as `model.predict` does, and their cost to `details`.

    If an answer names no label, predicted is null, every logp_<label> is -inf, and the post counts as wrong.
    details: JSON with model, posts, calls (of this run), unparsable, tokens, dollars, latency; all except `calls` cover
    all answers, including those from the ledger.
    """
    usage.device = endpoint.settings.base_url
    answers: list[Answer] = []
    for language, path in posts.items():
        test = read_parquet(path, ["id", "text", "label", "split"]).query("split == 'test'").reset_index(drop=True)
        questions = questions_about(test["text"].tolist(), language, question, endpoint.seed)
        with working(usage), progress_bar(len(questions), 0, " posts") as bar:
            own = ask(endpoint, questions, bar)
        silent = sum(answer.label is None for answer in own)
        log.info("%s: %d posts, %d without a label in the answer", language, len(own), silent)
        table = pd.DataFrame({"id": test["id"], "gold": test["label"], "predicted": [answer.label for answer in own]})
        for column, label in enumerate(question.labels):
            table[f"logp_{label}"] = [answer.logp[column] for answer in own]
        record = {
            "api": endpoint.settings.what_is_asked,
            "prompt": question.prompt.model_dump(mode="json"),
            "labels": {name: label.model_dump(mode="json") for name, label in question.labels.items()},
        }
        write_parquet(outputs[language], table, provenance({**record, "shots": question.shots}, [path]))
        answers += own
    usage.posts = len(answers)
    usage.tokens = sum(answer.prompt_tokens + answer.completion_tokens for answer in answers)
    write_json(details, _describe(endpoint, answers))


def questions_about(texts: list[str], language: str, question: PromptSpec, seed: int) -> list[list[Message]]:
    """Return the messages about each text in a language."""
    examples = _examples(language, question, seed)
    return [messages_for(text, language, examples, question.prompt, question.labels) for text in texts]


def _examples(language: str, question: PromptSpec, seed: int) -> pd.DataFrame:
    """Return the first posts of a language in seeded order, which keeps the proportions of the labels."""
    if not question.shots:
        return pd.DataFrame(columns=["language", "text", "label"])
    wanted = language if question.examples == "own" else question.examples
    source = next((name for name in (wanted, "en") if name in question.train), next(iter(question.train)))
    mixture = Mixture("examples", (source,), allocation=((source, question.shots),))
    return sample_posts(read_train_posts({source: question.train[source]}), mixture, seed, None)


def _describe(endpoint: Endpoint, answers: list[Answer]) -> dict[str, object]:
    latencies = sorted(answer.seconds for answer in answers)
    tenths = quantiles(latencies, n=10, method="inclusive") if len(latencies) > 1 else latencies * 9
    return {
        "model": endpoint.settings.model,
        "base_url": endpoint.settings.base_url,
        "posts": len(answers),
        "calls": endpoint.calls,
        "unparsable": sum(answer.label is None for answer in answers),
        "prompt_tokens": sum(answer.prompt_tokens for answer in answers),
        "completion_tokens": sum(answer.completion_tokens for answer in answers),
        "dollars": sum(answer.dollars for answer in answers),
        "latency_seconds": {"median": tenths[4], "p90": tenths[8], "max": latencies[-1]} if latencies else None,
        "concurrency": endpoint.settings.concurrency,
        "price_source": endpoint.price.source,
    }
