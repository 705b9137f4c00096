"""Estimate the calls, tokens and cost of an API before calling it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from babelgrid.cost.prices import Price
from babelgrid.runtime.files import read_parquet

SYSTEM_TOKENS = 24
"""Approximate tokens of the sentence that lists the allowed answers."""


def print_api_estimate(
    posts_path: Path,
    tokens_path: Path,
    *,
    rows: Mapping[str, int],
    test_languages: Sequence[str],
    price: Price,
    max_tokens: int,
) -> None:
    """Print the calls, prompt tokens and dollars for all rows, as if no answers existed yet.

    rows: name -> number of examples before each post. Tokens are counted with the base's tokenizer as an approximation
    of the API's.
    """
    posts = read_parquet(posts_path, ["id", "language", "split"])
    tokens = read_parquet(tokens_path, ["id", "language", "prompt_tokens"])
    counted = posts.merge(tokens, on=["id", "language"], validate="one_to_one")
    test = counted[(counted["split"] == "test") & counted["language"].isin(test_languages)]["prompt_tokens"]
    calls = len(rows) * len(test)
    prompt = sum(len(test) * SYSTEM_TOKENS + int(test.sum()) * (1 + shots) for shots in rows.values())
    print(
        f"\nAPI calls: {calls}, about {prompt:,} prompt tokens (counted by the base's tokenizer)\n"
        f"dollars: about {price.of(prompt, calls * max_tokens):.2f} ({price.source}: {price.prompt:g} and "
        f"{price.completion:g} per million prompt and answer tokens)",
        flush=True,
    )
