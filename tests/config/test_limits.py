"""Test that numbers are finite and of a reasonable size, and that secrets stay out of configs and errors."""

import copy
import math
from pathlib import Path

import pytest
import yaml

from babelgrid.config.load import load_experiment
from babelgrid.config.posts import Dataset
from babelgrid.config.shown import shown
from babelgrid.errors import UserError

LAB = yaml.safe_load((Path(__file__).parents[2] / "config" / "config.yaml").read_text(encoding="utf-8"))
API = {"model": "m", "budget": 1}
COMMIT = "0123456789abcdef0123456789abcdef01234567"

NUMBERS = [
    *("finetune.epochs", "finetune.learning_rate", "finetune.warmup", "finetune.weight_decay"),
    *("finetune.max_grad_norm", "finetune.checkpoint_minutes", "finetune.lora.dropout", "base.lab.learning_rate"),
    *("base.lab.parallel", "exposure.pretraining_tokens", "machine.dollars_per_hour", "cost.watts"),
    *("api.budget", "api.timeout", "release.parity", "cost.dollars_per_kwh"),
]
COUNTS = [
    *("seed", "score.bootstrap", "score.min_posts", "finetune.batch_size", "finetune.lora.rank", "finetune.lora.alpha"),
    *("finetune.checkpoint_steps", "predict.tokens_per_batch", "prompt.max_post_tokens", "posts.lab.train"),
    *("base.lab.tokens", "base.lab.hidden_size", "base.lab.layers", "base.lab.vocabulary", "base.lab.context"),
    *("machine.gpus", "machine.jobs_per_gpu", "mixtures.posts", "plan.budget", "plan.step"),
    *("api.max_tokens", "api.concurrency", "api.attempts"),
]


def lab_with(key, value):
    content = copy.deepcopy(LAB) | {"api": dict(API), "release": {"adapters": ["en"]}}
    *path, last = key.split(".")
    block = content
    for part in path:
        block = block.setdefault(part, {})
    block[last] = value
    return content


def refusal(content):
    with pytest.raises(UserError) as error:
        load_experiment(content)
    return str(error.value)


@pytest.mark.parametrize("key", NUMBERS)
@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, 1e308, True, "inf"])
def test_invalid_number_is_rejected(key, value):
    assert f"{key}: " in refusal(lab_with(key, value))


@pytest.mark.parametrize("key", COUNTS)
@pytest.mark.parametrize("value", [10**13, 10**20, -1, True, math.inf])
def test_out_of_range_count_is_rejected(key, value):
    assert f"{key}: " in refusal(lab_with(key, value))


@pytest.mark.parametrize("seeds", [[2**32], [-1], [True], ["0x10"]])
def test_out_of_range_seed_is_rejected(seeds):
    assert "seeds.0: " in refusal(lab_with("seeds", seeds))


def test_largest_seed_is_accepted():
    assert load_experiment(lab_with("seeds", [2**32 - 1])).seeds == [2**32 - 1]


@pytest.mark.parametrize(
    "url",
    [
        *("https://h/v1?key=hidden", "https://h/v1#hidden", "https://hidden:hidden@h/v1", "https://hidden@h/v1"),
        *("https://h/v1;k=hidden", "https://h/sk-hidden0hidden0/v1", "hidden", "file:///hidden", "https://h hidden"),
        *("https://h\n/hidden", "https://h:99999/hidden", "https://[hidden", 7),
    ],
)
def test_rejected_url_is_not_shown(url):
    message = refusal(lab_with("api.base_url", url))
    assert "api.base_url: " in message
    assert "hidden" not in message


@pytest.mark.parametrize("url", ["http://localhost:8000/v1/", "https://[::1]:8000", "https://a-b.openai.azure.com/x/y"])
def test_plain_url_is_accepted(url):
    assert load_experiment(lab_with("api.base_url", url)).api.base_url == url.rstrip("/")


@pytest.mark.parametrize(
    "key",
    [
        *("sk-hidden", "hf_hiddenHIDDEN0123456", "hidden", "AKIAHIDDEN00EXAMPLE0", "0HIDDEN", "HIDDEN12345HIDDEN"),
        *(["hidden"], {"hidden": 1}, "HIDDEN" * 20, "HIDDEN\n"),
    ],
)
def test_pasted_key_is_rejected_and_not_shown(key):
    message = refusal(lab_with("api.key", key))
    assert "api.key: " in message
    assert "hidden" not in message.lower()


def test_variable_name_is_accepted():
    assert load_experiment(lab_with("api.key", "MY_OTHER_PROVIDER_API_KEY_2")).api.key == "MY_OTHER_PROVIDER_API_KEY_2"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("release.push.owner", "hf_hidden0hidden0hidden"),
        ("release.push", "hidden"),
        ("release.push.token", "hidden"),
        ("finetune.report_to", ["wandb:hidden0hidden0hidden0hidden"]),
        ("api", "sk-hidden"),
        ("figures.columns", "hf_hidden0hidden0hidden"),
    ],
)
def test_errors_do_not_show_secrets(key, value):
    assert "hidden" not in refusal(lab_with(key, value))


def test_long_value_in_an_error_is_truncated():
    assert len(shown("ab " * 1000)) < 250
    assert shown("en") == "'en'"


@pytest.mark.parametrize("revision", [None, "main", COMMIT[:39], COMMIT.upper(), "refs/pr/1"])
def test_hub_dataset_needs_its_commit(revision):
    with pytest.raises(ValueError, match="40-digit commit"):
        Dataset(name="owner/posts", revision=revision)


def test_pinned_dataset_and_local_folder_are_accepted(tmp_path, monkeypatch):
    assert Dataset(name="owner/posts", revision=COMMIT).is_on_hub
    monkeypatch.chdir(tmp_path)
    Path("owner/posts").mkdir(parents=True)
    assert not any(Dataset(name=name).is_on_hub for name in ("owner/posts", "./later", "/a/later", "a/b/later"))


def test_url_is_rejected_as_dataset_name():
    with pytest.raises(ValueError, match="is a URL"):
        Dataset(name="https://example.org/posts", revision=COMMIT)
