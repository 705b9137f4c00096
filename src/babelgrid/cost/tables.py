"""Tabulate the speed of each model of the grid and its cost per million posts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from babelgrid.cost.prices import Price
from babelgrid.errors import UserError, nearest
from babelgrid.runtime.files import read_json, write_csv
from babelgrid.types import Row

MILLION = 1e6
JOULES_PER_KWH = 3.6e6
COLUMNS = [
    *("model", "how", "device", "jobs", "posts", "tokens_per_post", "posts_per_second", "tokens_per_second"),
    *("start_seconds", "train_seconds", "peak_memory_mb", "gpu_memory_mb", "energy_kwh"),
    *("latency_median", "latency_p90", "unparsable"),
    *("rented", "electricity", "charged", "assumptions"),
]
NO_PRICE = "no price is set for this hardware (machine.dollars_per_hour, cost.dollars_per_kwh)"
PER_MILLION = {"rented": "rental", "electricity": "electricity", "charged": "charged by the API"}
RATIOS = ["model", "against", "quantity", "value", "value_against", "ratio"]


@dataclass(frozen=True)
class Assumptions:
    """Prices that convert time and tokens into dollars; None leaves a price out."""

    dollars_per_hour: float | None
    dollars_per_kwh: float | None
    watts: float | None
    references: Mapping[str, Price]
    """Models of the price list to compare with the grid's models."""
    answer_tokens: int = 2
    """Tokens of an answer, for estimates."""


def tabulate_cost(
    predicted: Mapping[str, Sequence[str | Path]],
    trained: Mapping[str, Sequence[str | Path]],
    asked: Mapping[str, Sequence[str | Path]],
    assumptions: Assumptions,
    cost_path: Path,
    ratios_path: Path,
) -> None:
    """Write cost.csv (one row per model, see `COLUMNS`) and cost_ratios.csv (each ratio with its two values).

    predicted, trained: mixture -> usage records of its jobs. asked: API row -> usage records of its calls.
    Speeds cover scoring, from the loaded base to the last result; `start_seconds` is the rest of a job's time.
    rented, electricity, charged: dollars per million posts at that speed, without the start. Measured energy is the
    exception: it covers entire jobs, as stated in the column assumptions.
    """
    own = [_own(name, paths, trained.get(name, []), assumptions) for name, paths in predicted.items() if paths]
    api = [_asked(name, paths) for name, paths in asked.items() if paths]
    known = [row["tokens_per_post"] for row in own if row["posts"]]
    tokens = sum(known) / len(known) if known else 0.0
    listed = [_listed(name, price, tokens, assumptions) for name, price in assumptions.references.items()]
    table = pd.DataFrame([*own, *api, *listed], columns=COLUMNS)
    write_csv(cost_path, table)
    write_csv(ratios_path, pd.DataFrame(_ratios(own, [*api, *listed]), columns=RATIOS))


def chosen_prices(names: Sequence[str], prices: Mapping[str, Price]) -> dict[str, Price]:
    """Return the prices of the given models; raise `UserError` for a model that is not in the list."""
    for name in names:
        if name not in prices:
            raise UserError(
                f"cost.references: the price list has no {name!r}{nearest(name, prices)}. Allowed: {', '.join(prices)}"
            )
    return {name: prices[name] for name in names}


def _own(name: str, predicted: Sequence[str | Path], trained: Sequence[str | Path], assumptions: Assumptions) -> Row:
    jobs = pd.DataFrame([read_json(path) for path in predicted])
    training = pd.DataFrame([read_json(path) for path in trained])
    working = jobs[jobs["posts"] > 0]
    posts, tokens, seconds = (float(working[column].sum()) for column in ("posts", "tokens", "work_seconds"))
    per_post = seconds / posts if posts else float("nan")
    energy = working["energy_kwh"].sum() if working["energy_kwh"].notna().all() else None
    basis, electricity = _electricity(per_post, energy, posts, assumptions)
    hourly = assumptions.dollars_per_hour
    if hourly is not None:
        basis.append(f"rented at {hourly:g} dollars per hour")
    return {
        "model": name,
        "how": "own",
        "device": ", ".join(sorted(set(jobs["device"]) - {""})),
        "jobs": len(jobs),
        "posts": int(posts),
        "tokens_per_post": tokens / posts if posts else float("nan"),
        "posts_per_second": posts / seconds if seconds else float("nan"),
        "tokens_per_second": tokens / seconds if seconds else float("nan"),
        "start_seconds": float((jobs["wall_seconds"] - jobs["work_seconds"]).mean()),
        "train_seconds": float(training["wall_seconds"].mean()) if len(training) else None,
        "peak_memory_mb": float(jobs["peak_memory_mb"].max()),
        "gpu_memory_mb": jobs["gpu_memory_mb"].max() if jobs["gpu_memory_mb"].notna().any() else None,
        "energy_kwh": energy,
        "rented": None if hourly is None else MILLION * per_post / 3600 * hourly,
        "electricity": electricity,
        "assumptions": "; ".join(basis or [NO_PRICE]),
    }


def _electricity(
    seconds_per_post: float, energy: float | None, posts: float, assumptions: Assumptions
) -> tuple[list[str], float | None]:
    """Return the assumptions about electricity and the dollars per million posts; None if they are unknown."""
    price = assumptions.dollars_per_kwh
    if price is None or not posts:
        return [], None
    if energy is not None:
        return [
            f"electricity at {price:g} dollars per kWh, energy of entire jobs measured by codecarbon"
        ], MILLION * energy / posts * price
    if assumptions.watts is None:
        return [], None
    kwh = seconds_per_post * assumptions.watts / JOULES_PER_KWH
    return [f"electricity at {price:g} dollars per kWh, {assumptions.watts:g} W"], MILLION * kwh * price


def _asked(name: str, paths: Sequence[str | Path]) -> Row:
    """Return the row of an API. Its speed is the number of concurrent calls divided by the median latency."""
    [details] = [read_json(path) for path in paths]
    posts, latency = details["posts"], details["latency_seconds"] or {}
    median = latency.get("median")
    tokens = details["prompt_tokens"] + details["completion_tokens"]
    return {
        "model": f"{name} ({details['model'].rsplit('/', 1)[-1]})",
        "how": "api",
        "jobs": len(paths),
        "posts": posts,
        "tokens_per_post": tokens / posts if posts else None,
        "posts_per_second": details["concurrency"] / median if median else None,
        "latency_median": median,
        "latency_p90": latency.get("p90"),
        "unparsable": details["unparsable"],
        "charged": MILLION * details["dollars"] / posts if posts else None,
        "assumptions": f"price: {details['price_source']}; posts per second: {details['concurrency']} concurrent calls "
        "divided by the median latency",
    }


def _listed(name: str, price: Price, tokens: float, assumptions: Assumptions) -> Row:
    charged = MILLION * price.of(tokens, assumptions.answer_tokens)
    answer = assumptions.answer_tokens
    basis = f"estimated, not measured: {tokens:.0f} prompt tokens per post by the base's tokenizer, {answer}"
    return {
        "model": name,
        "how": "list price",
        "tokens_per_post": tokens,
        "charged": charged,
        "assumptions": f"{basis} answer tokens; {price.prompt:g} and {price.completion:g} dollars per million "
        f"({price.source})",
    }


def _ratios(own: Sequence[Row], others: Sequence[Row]) -> Iterator[Row]:
    """Yield how many times faster and cheaper each own model is than each other model, if both values are known."""
    for row in own:
        for other in others:
            speeds = row["posts_per_second"], other.get("posts_per_second")
            yield from _ratio(row, other, "times the posts per second", *speeds, speeds[0], speeds[1])
            for column, words in PER_MILLION.items():
                if column != "charged":
                    price, charged = row[column], other.get("charged")
                    quantity = f"times fewer dollars per million posts ({words})"
                    yield from _ratio(row, other, quantity, price, charged, charged, price)


def _ratio(row: Row, other: Row, quantity: str, value: Any, against: Any, dividend: Any, divisor: Any) -> Iterator[Row]:
    if value is not None and against is not None and divisor:
        names = {"model": row["model"], "against": other["model"], "quantity": quantity}
        yield {**names, "value": value, "value_against": against, "ratio": dividend / divisor}
