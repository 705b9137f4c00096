"""Look up the price of a million tokens at an API in a dated list."""

from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from urllib.parse import urlparse

import pandas as pd

from babelgrid.errors import UserError, nearest

COLUMNS = ["model", "prompt", "completion", "date", "source"]


@dataclass(frozen=True)
class Price:
    """Dollars per million prompt tokens and per million answer tokens, and the source of the price."""

    prompt: float
    completion: float
    source: str

    def of(self, prompt_tokens: float, completion_tokens: float) -> float:
        """Return the price of the tokens in dollars."""
        return (prompt_tokens * self.prompt + completion_tokens * self.completion) / 1e6


def read_prices(path: str | Path | None = None) -> dict[str, Price]:
    """Read the price of each model from a CSV (model, prompt, completion, date, source); None: the shipped list."""
    where = str(resources.files("babelgrid.cost") / "prices.csv") if path is None else str(path)
    try:
        table = pd.read_csv(where, comment="#", dtype={"model": "str", "date": "str", "source": "str"})[COLUMNS]
        rows = list(table.itertuples(index=False, name=None))
        return {model: Price(float(p), float(c), f"{date}, {source}") for model, p, c, date, source in rows}
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"cost.prices: {where} needs the columns {', '.join(COLUMNS)} ({error})") from error


def price_of(model: str, base_url: str, given: list[float] | None, prices: dict[str, Price]) -> Price:
    """Return the price of a model: from the config, from the list, or 0 if it runs on this machine."""
    if given is not None:
        return Price(given[0], given[1], "api.dollars_per_million")
    if model in prices:
        return prices[model]
    if urlparse(base_url).hostname in {"127.0.0.1", "localhost", "::1"}:
        return Price(0.0, 0.0, "on this machine")
    raise UserError(
        f"api.model: the price list has no {model!r}{nearest(model, prices)}. Set api.dollars_per_million "
        f"(two numbers: prompt, answer), or set cost.prices to your own list. Allowed: {', '.join(prices)}"
    )
