"""No page and no card shows settings that its results were not made with."""

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


def test_results_of_this_config_pass(predictions, adapter, base):
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
def test_results_of_another_setting_are_refused(predictions, adapter, base, place, value):
    for check, path in ((check_predictions, predictions), (check_adapters, adapter)):
        with pytest.raises(UserError, match=rf"{path.name} was made with another {'.'.join(place)} than") as refusal:
            check([path], changed(*place, value=value), base)
        assert "run snakemake again" in str(refusal.value)


def test_adapters_of_another_training_are_refused(adapter, base):
    with pytest.raises(UserError, match=r"another finetune\.learning_rate"):
        check_adapters([adapter], changed("finetune", "learning_rate", value=0.2), base)
    with pytest.raises(UserError, match="another budget"):
        check_adapters([adapter], changed("mixtures", "posts", value=50), base)


def test_settings_without_effect_are_not_compared(predictions, adapter, base):
    check_adapters([adapter], changed("finetune", "checkpoint_minutes", value=1), base)
    check_predictions([predictions], changed("base", "folder", value="elsewhere"), base)


def test_a_template_that_no_post_of_the_adapter_met_may_change(adapter, predictions, base):
    config = changed("prompt", "template", "hu", value="{text}\n-")
    check_adapters([adapter], config, base)
    with pytest.raises(UserError, match=r"prompt\.template\.hu"):
        check_predictions([predictions], config, base)


def test_another_set_or_order_of_labels_is_refused(predictions, base):
    for labels in ({"anti": CONFIG["labels"]["anti"], "pro": CONFIG["labels"]["pro"]}, {**CONFIG["labels"], "x": {}}):
        with pytest.raises(UserError, match="another labels"):
            check_predictions([predictions], {**CONFIG, "labels": labels}, base)


def test_another_base_under_the_same_settings_is_refused(predictions, adapter, base):
    write_json(base, {"name": "a/base", "sha256": "other"})
    with pytest.raises(UserError, match=r"another base\.json"):
        check_predictions([predictions], CONFIG, base)
    with pytest.raises(UserError, match=r"another base\.json"):
        check_adapters([adapter], CONFIG, base)


def test_predictions_without_a_record_are_refused(tmp_path, base):
    pd.DataFrame({"id": ["1"]}).to_parquet(tmp_path / "bare.parquet")
    with pytest.raises(UserError, match="does not say what it was made of"):
        check_predictions([tmp_path / "bare.parquet"], CONFIG, base)


def test_imported_predictions_are_compared_with_the_import(tmp_path):
    settings = {"files": ["a.csv"], "on_failure": "wrong"}
    path = tmp_path / "en.parquet"
    write_parquet(path, pd.DataFrame({"id": ["1"]}), provenance({"import": settings}, []))
    config = {**CONFIG, "base": None, "predictions": {"import": {"files": ["./a.csv"], "on_failure": "wrong"}}}
    check_predictions([path], config, None)
    config["predictions"]["import"]["on_failure"] = "leave_out"
    with pytest.raises(UserError, match=r"another import\.on_failure"):
        check_predictions([path], config, None)
