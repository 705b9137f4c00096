"""Tabulate the speed of each model of the grid and its cost per million posts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd

from babelgrid.cost.prices import Price
from babelgrid.errors import UserError, nearest
from babelgrid.mixture import TRANSLATED, is_rival, split_row
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
UNPRICED = "the translation itself is not counted"
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
    *,
    embedded: Mapping[str, Sequence[str | Path]] = MappingProxyType({}),
) -> None:
    """Write cost.csv (one row per model, see `COLUMNS`) and cost_ratios.csv (each ratio with its two values).

    predicted, trained: row -> usage records of its jobs. asked: API row -> usage records of its calls.
    embedded: row -> usage records of jobs that embedded its test posts, for all seeds; their time per post is added.
    Speeds cover scoring, from the loaded base to the last result; `start_seconds` is the rest of a job's time.
    rented, electricity, charged: dollars per million posts at that speed, without the start. Measured energy is the
    exception: it covers entire jobs, as stated in the column assumptions.
    """
    rows = [
        _own(name, paths, trained.get(name, []), embedded.get(name, []), assumptions)
        for name, paths in predicted.items()
        if paths
    ]
    own = [row for row in rows if row["how"] == "own"]
    rivals = [row for row in rows if row["how"] == "rival"]
    api = [_asked(name, paths) for name, paths in asked.items() if paths]
    known = [row["tokens_per_post"] for row in own if row["posts"]]
    tokens = sum(known) / len(known) if known else 0.0
    listed = [_listed(name, price, tokens, assumptions) for name, price in assumptions.references.items()]
    table = pd.DataFrame([*own, *rivals, *api, *listed], columns=COLUMNS)
    write_csv(cost_path, table)
    ratios = [*_ratios(rows, [*api, *listed]), *_against_base(rivals, own)]
    write_csv(ratios_path, pd.DataFrame(ratios, columns=RATIOS))


def chosen_prices(names: Sequence[str], prices: Mapping[str, Price]) -> dict[str, Price]:
    """Return the prices of the given models; raise `UserError` for a model that is not in the list."""
    for name in names:
        if name not in prices:
            raise UserError(
                f"cost.references: the price list has no {name!r}{nearest(name, prices)}. Allowed: {', '.join(prices)}"
            )
    return {name: prices[name] for name in names}


def _own(
    name: str,
    predicted: Sequence[str | Path],
    trained: Sequence[str | Path],
    embedded: Sequence[str | Path],
    assumptions: Assumptions,
) -> Row:
    """Return the row of a model that runs here; its posts pass the jobs of `embedded` first, if there are any."""
    jobs = pd.DataFrame([read_json(path) for path in predicted])
    training = pd.DataFrame([read_json(path) for path in trained])
    before = pd.DataFrame([read_json(path) for path in embedded], columns=jobs.columns)
    working = jobs[jobs["posts"] > 0]
    posts = float(working["posts"].sum())
    per_post = _per_post(jobs, "work_seconds") + (_per_post(before, "work_seconds") if len(before) else 0)
    tokens = _per_post(jobs, "tokens") + (_per_post(before, "tokens") if len(before) else 0)
    is_measured = not len(before) and working["energy_kwh"].notna().all()
    energy = working["energy_kwh"].sum() if is_measured else None
    basis, electricity = _electricity(per_post, energy, posts, assumptions)
    hourly = assumptions.dollars_per_hour
    if hourly is not None:
        basis.append(f"rented at {hourly:g} dollars per hour")
    return {
        "model": name,
        "how": "rival" if is_rival(name) else "own",
        "device": ", ".join(sorted({*jobs["device"], *before["device"]} - {""})),
        "jobs": len(jobs),
        "posts": int(posts),
        "tokens_per_post": tokens,
        "posts_per_second": 1 / per_post if per_post else float("nan"),
        "tokens_per_second": tokens / per_post if per_post else float("nan"),
        "start_seconds": _start(jobs) + (_start(before) if len(before) else 0),
        "train_seconds": float(training["wall_seconds"].mean()) if len(training) else None,
        "peak_memory_mb": _most([*jobs["peak_memory_mb"], *before["peak_memory_mb"]]),
        "gpu_memory_mb": _most([*jobs["gpu_memory_mb"], *before["gpu_memory_mb"]]),
        "energy_kwh": energy,
        "rented": None if hourly is None else MILLION * per_post / 3600 * hourly,
        "electricity": electricity,
        "assumptions": "; ".join([*(basis or [NO_PRICE]), *([UNPRICED] if split_row(name)[0] in TRANSLATED else [])]),
    }


def _per_post(jobs: pd.DataFrame, column: str) -> float:
    working = jobs[jobs["posts"] > 0]
    return float(working[column].sum()) / float(working["posts"].sum()) if len(working) else float("nan")


def _start(jobs: pd.DataFrame) -> float:
    return float((jobs["wall_seconds"] - jobs["work_seconds"]).mean())


def _most(values: Sequence[float | None]) -> float | None:
    return max((value for value in values if value is not None and pd.notna(value)), default=None)


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


def _against_base(rivals: Sequence[Row], own: Sequence[Row]) -> Iterator[Row]:
    """Yield how many times faster each rival is than the base's adapters of the same mixture."""
    by_name = {row["model"]: row for row in own}
    for row in rivals:
        base = by_name[split_row(row["model"])[1]]
        speeds = row["posts_per_second"], base["posts_per_second"]
        yield from _ratio(row, base, "times the posts per second", *speeds, *speeds)


def _ratio(row: Row, other: Row, quantity: str, value: Any, against: Any, dividend: Any, divisor: Any) -> Iterator[Row]:
    if value is not None and against is not None and divisor:
        names = {"model": row["model"], "against": other["model"], "quantity": quantity}
        yield {**names, "value": value, "value_against": against, "ratio": dividend / divisor}
