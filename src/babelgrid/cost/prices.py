"""What a million tokens cost at an API, by a dated list."""

from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from urllib.parse import urlparse

import pandas as pd

from babelgrid.errors import UserError, nearest

COLUMNS = ["model", "prompt", "completion", "date", "source"]


@dataclass(frozen=True)
class Price:
    """Dollars for a million prompt tokens and a million answer tokens, and who says so."""

    prompt: float
    completion: float
    source: str

    def of(self, prompt_tokens: float, completion_tokens: float) -> float:
        """Return the dollars of so many tokens."""
        return (prompt_tokens * self.prompt + completion_tokens * self.completion) / 1e6


def read_prices(path: str | Path | None = None) -> dict[str, Price]:
    """Return the price of each model in a CSV (model, prompt, completion, date, source); null is the shipped list."""
    where = str(resources.files("babelgrid.cost") / "prices.csv") if path is None else str(path)
    try:
        table = pd.read_csv(where, comment="#", dtype={"model": "str", "date": "str", "source": "str"})[COLUMNS]
        rows = list(table.itertuples(index=False, name=None))
        return {model: Price(float(p), float(c), f"{date}, {source}") for model, p, c, date, source in rows}
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"cost.prices: {where} needs the columns {', '.join(COLUMNS)} ({error})") from error


def price_of(model: str, base_url: str, given: list[float] | None, prices: dict[str, Price]) -> Price:
    """Return what a model costs: as the config says, by the list, or nothing where it runs on this machine."""
    if given is not None:
        return Price(given[0], given[1], "api.dollars_per_million")
    if model in prices:
        return prices[model]
    if urlparse(base_url).hostname in {"127.0.0.1", "localhost", "::1"}:
        return Price(0.0, 0.0, "on this machine")
    raise UserError(
        f"api.model: the price list has no {model!r}{nearest(model, prices)}. Give api.dollars_per_million "
        f"(two numbers: prompt, answer), or a list of your own as cost.prices. There are: {', '.join(prices)}"
    )
