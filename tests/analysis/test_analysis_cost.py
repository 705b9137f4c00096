"""Cost tables: speeds from work time only, dollars from stated prices, and each ratio with its two values."""

import pandas as pd
import pytest

from babelgrid.cost.prices import Price, price_of, read_prices
from babelgrid.cost.tables import Assumptions, chosen_prices, tabulate_cost
from babelgrid.errors import UserError
from babelgrid.runtime.files import write_json

LISTED = {"big": Price(prompt=2.0, completion=10.0, source="2026-05, a list")}


def record(folder, name, **changes):
    usage = {
        "device": "CPU",
        "posts": 1000,
        "tokens": 50_000,
        "work_seconds": 10.0,
        "gpu_memory_mb": None,
        "wall_seconds": 16.0,
        "peak_memory_mb": 900.0,
        "energy_kwh": None,
    }
    write_json(folder / name, {**usage, **changes})
    return folder / name


@pytest.fixture
def ledger(tmp_path):
    def make(assumptions, energy=None):
        scored = [record(tmp_path, f"{seed}.json", energy_kwh=energy) for seed in (0, 1)]
        trained = [record(tmp_path, "t.json", wall_seconds=60.0)]
        details = {
            "model": "org/big", "posts": 100, "calls": 0, "unparsable": 3, "prompt_tokens": 9_000,
            "completion_tokens": 100, "dollars": 0.5, "latency_seconds": {"median": 0.5, "p90": 0.9, "max": 2.0},
            "concurrency": 4, "price_source": "a list",
        }  # fmt: skip
        write_json(tmp_path / "api.json", details)
        asked = {"api-0shot": [tmp_path / "api.json"]}
        paths = tmp_path / "cost.csv", tmp_path / "ratios.csv"
        tabulate_cost({"en": scored}, {"en": trained}, asked, assumptions, *paths)
        return [pd.read_csv(path).set_index("model") for path in paths]

    return make


def test_speed_covers_work_and_start_is_separate(ledger):
    cost, _ = ledger(Assumptions(None, None, None, {}))
    own = cost.loc["en"]
    assert (own["posts_per_second"], own["tokens_per_second"], own["start_seconds"]) == (100.0, 5000.0, 6.0)
    assert (own["train_seconds"], own["jobs"], own["tokens_per_post"]) == (60.0, 2, 50.0)
    assert pd.isna(own["rented"])
    assert pd.isna(own["electricity"])
    assert own["assumptions"] == "no price is set for this hardware (machine.dollars_per_hour, cost.dollars_per_kwh)"


def test_dollars_follow_from_listed_prices(ledger):
    cost, _ = ledger(Assumptions(3.6, 0.3, 100.0, LISTED))
    assert cost.loc["en", "rented"] == pytest.approx(1e6 / 100 / 3600 * 3.6, abs=1e-6)
    assert cost.loc["en", "electricity"] == pytest.approx(1e6 / 100 * 100 / 3.6e6 * 0.3, abs=1e-6)
    assert cost.loc["en", "assumptions"] == "electricity at 0.3 dollars per kWh, 100 W; rented at 3.6 dollars per hour"
    assert cost.loc["api-0shot (big)", "charged"] == pytest.approx(5000.0)
    assert cost.loc["api-0shot (big)", "posts_per_second"] == pytest.approx(8.0)
    assert cost.loc["big", "charged"] == pytest.approx(50 * 2.0 + 2 * 10.0)
    assert "estimated, not measured" in cost.loc["big", "assumptions"]


def test_measured_energy_takes_precedence_over_watts(ledger):
    cost, _ = ledger(Assumptions(None, 0.3, 100.0, {}), energy=0.002)
    assert cost.loc["en", "electricity"] == pytest.approx(1e6 * 0.004 / 2000 * 0.3, abs=1e-6)


def test_each_ratio_has_its_two_values(ledger):
    _, ratios = ledger(Assumptions(3.6, None, None, LISTED))
    rows = ratios.reset_index()
    assert len(rows) == 3
    speed = rows[rows["quantity"] == "times the posts per second"].iloc[0]
    assert (speed["value"], speed["value_against"], speed["ratio"]) == (100.0, 8.0, 12.5)
    price = rows[(rows["against"] == "big") & rows["quantity"].str.contains("rental")].iloc[0]
    assert price["ratio"] == pytest.approx(price["value_against"] / price["value"], rel=1e-4)


def test_shipped_prices_have_date_and_source():
    prices = read_prices()
    assert "gpt-4o" in prices
    assert all(price.source[:2] == "20" and "," in price.source and price.prompt > 0 for price in prices.values())


def test_model_without_price_raises_unless_local_or_configured():
    prices = read_prices()
    with pytest.raises(UserError, match=r"no 'gpt-4p' \(did you mean 'gpt-4o'"):
        price_of("gpt-4p", "https://api.openai.com/v1", None, prices)
    assert price_of("own", "http://127.0.0.1:8000/v1", None, prices).of(1e6, 1e6) == 0
    assert price_of("own", "https://example.org/v1", [1.0, 2.0], prices).of(1e6, 1e6) == 3
    with pytest.raises(UserError, match=r"cost\.references: the price list has no 'gpt5'"):
        chosen_prices(["gpt5"], prices)


def test_price_list_with_wrong_columns_names_columns(tmp_path):
    (tmp_path / "prices.csv").write_text("model,price\ngpt-4o,3\n", encoding="utf-8")
    with pytest.raises(UserError, match="needs the columns model, prompt, completion, date, source"):
        read_prices(tmp_path / "prices.csv")
