"""Test that pages and cards only show the settings that their results were made with."""

import copy

import pandas as pd
import pytest

from babelgrid.errors import UserError
from babelgrid.recorded import check_adapters, check_predictions
from babelgrid.runtime.files import provenance, write_json, write_parquet

CONFIG = {
    "base": {"hub": "a/base", "revision": "0" * 40, "folder": None},
    "prompt": {"template": {"en": "{text}\n=", "hu": "{text}\n>"}, "max_post_tokens": 256},
    "labels": {"pro": {"answer": " pro", "aliases": ["for"]}, "anti": {"answer": " anti", "aliases": []}},
    "finetune": {"learning_rate": 0.1, "checkpoint_minutes": 5},
    "mixtures": {"posts": 100},
    "predictions": None,
}


@pytest.fixture
def base(tmp_path):
    write_json(tmp_path / "base.json", {"name": "a/base"})
    return tmp_path / "base.json"


@pytest.fixture
def predictions(tmp_path, base):
    record = {key: CONFIG[key] for key in ("base", "prompt", "labels")}
    write_parquet(tmp_path / "en.parquet", pd.DataFrame({"id": ["1"]}), provenance(record, [base]))
    return tmp_path / "en.parquet"


@pytest.fixture
def adapter(tmp_path, base):
    record = {key: CONFIG[key] for key in ("base", "labels", "finetune")}
    prompt = {**CONFIG["prompt"], "template": {"en": "{text}\n="}}
    write_json(tmp_path / "provenance.json", provenance({**record, "prompt": prompt, "budget": 100}, [base]))
    return tmp_path / "provenance.json"


def changed(*place, value):
    config = copy.deepcopy(CONFIG)
    block = config
    for key in place[:-1]:
        block = block[key]
    block[place[-1]] = value
    return config


def test_results_of_the_current_config_pass(predictions, adapter, base):
    check_predictions([predictions], CONFIG, base)
    check_adapters([adapter], CONFIG, base)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("prompt", "template", "en"), "{text}\nLabel:"),
        (("prompt", "template"), "{text}\n="),
        (("prompt", "max_post_tokens"), 128),
        (("labels", "pro", "answer"), " yes"),
        (("labels", "pro", "aliases"), []),
        (("base", "revision"), "1" * 40),
    ],
)
def test_results_with_different_settings_are_rejected(predictions, adapter, base, place, value):
    for check, path in ((check_predictions, predictions), (check_adapters, adapter)):
        with pytest.raises(
            UserError, match=rf"{path.name} was created with a different {'.'.join(place)} than"
        ) as refusal:
            check([path], changed(*place, value=value), base)
        assert "run snakemake again" in str(refusal.value)


def test_adapters_trained_differently_are_rejected(adapter, base):
    with pytest.raises(UserError, match=r"different finetune\.learning_rate"):
        check_adapters([adapter], changed("finetune", "learning_rate", value=0.2), base)
    with pytest.raises(UserError, match="different budget"):
        check_adapters([adapter], changed("mixtures", "posts", value=50), base)


def test_settings_without_effect_are_not_compared(predictions, adapter, base):
    check_adapters([adapter], changed("finetune", "checkpoint_minutes", value=1), base)
    check_predictions([predictions], changed("base", "folder", value="elsewhere"), base)


def test_unused_template_may_change(adapter, predictions, base):
    config = changed("prompt", "template", "hu", value="{text}\n-")
    check_adapters([adapter], config, base)
    with pytest.raises(UserError, match=r"prompt\.template\.hu"):
        check_predictions([predictions], config, base)


def test_different_labels_or_order_are_rejected(predictions, base):
    for labels in ({"anti": CONFIG["labels"]["anti"], "pro": CONFIG["labels"]["pro"]}, {**CONFIG["labels"], "x": {}}):
        with pytest.raises(UserError, match="different labels"):
            check_predictions([predictions], {**CONFIG, "labels": labels}, base)


def test_different_base_with_the_same_settings_is_rejected(predictions, adapter, base):
    write_json(base, {"name": "a/base", "sha256": "other"})
    with pytest.raises(UserError, match=r"different base\.json"):
        check_predictions([predictions], CONFIG, base)
    with pytest.raises(UserError, match=r"different base\.json"):
        check_adapters([adapter], CONFIG, base)


def test_predictions_without_a_record_are_rejected(tmp_path, base):
    pd.DataFrame({"id": ["1"]}).to_parquet(tmp_path / "bare.parquet")
    with pytest.raises(UserError, match="does not record how it was created"):
        check_predictions([tmp_path / "bare.parquet"], CONFIG, base)


def test_imported_predictions_check_the_import_settings(tmp_path):
    settings = {"files": ["a.csv"], "on_failure": "wrong"}
    path = tmp_path / "en.parquet"
    write_parquet(path, pd.DataFrame({"id": ["1"]}), provenance({"import": settings}, []))
    config = {**CONFIG, "base": None, "predictions": {"import": {"files": ["./a.csv"], "on_failure": "wrong"}}}
    check_predictions([path], config, None)
    config["predictions"]["import"]["on_failure"] = "leave_out"
    with pytest.raises(UserError, match=r"different import\.on_failure"):
        check_predictions([path], config, None)
