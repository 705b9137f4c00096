import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForSequenceClassification, AutoTokenizer, set_seed

import babelgrid.rivals.encoder as module
from babelgrid.config.rivals import Encoder, PretrainedEncoder
from babelgrid.errors import UserError
from babelgrid.mixture import Mixture
from babelgrid.posts.sample import read_train_posts, sample_posts
from babelgrid.rivals.encoder import KeepBest, build_model, dev_posts, examples_of, train_encoder
from babelgrid.rivals.files import prefetch_encoder
from babelgrid.rivals.score import load_trained, predict_encoder, score_texts
from babelgrid.runtime.files import read_csv, read_json, read_parquet, write_parquet
from babelgrid.runtime.usage import Usage
from encoders import write_encoder

pytestmark = pytest.mark.grid

LABELS = ["pro", "anti", "neutral"]
WORDS = {"pro": "welcome families", "anti": "border", "neutral": "estadio equipo"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_encoder(tmp_path_factory.mktemp("encoder") / "tiny")


@pytest.fixture(scope="module")
def grid(folder, tmp_path_factory):
    """Return posts of three languages whose words tell the label, and the record of the encoder."""
    place = tmp_path_factory.mktemp("posts")
    prefetch_encoder("rivals.encoder", PretrainedEncoder(folder=str(folder)), place / "encoder.json")
    posts = {}
    for language in ("en", "es", "hu"):
        splits = ["train", "train", "dev", "test"]
        rows = [
            (
                f"{language}-{number}",
                f"{WORDS[LABELS[number % 3]]} {number}",
                LABELS[number % 3],
                splits[number // 3 % 4],
            )
            for number in range(60)
        ]
        posts[language] = place / f"{language}.parquet"
        write_parquet(posts[language], pd.DataFrame(rows, columns=["id", "text", "label", "split"]))
    return posts, place / "encoder.json"


def settings_of(folder, **changes):
    return Encoder(**{"folder": str(folder), "epochs": 3, "learning_rate": 5e-3, "batch_size": 8, **changes})


def train(grid, folder, out, languages=("en",), seed=0, budget=None, dose=(None, 0), **changes):
    posts, encoder = grid
    mixture = Mixture("encoder.m", tuple(languages), *dose)
    usage = Usage()
    train_encoder(
        {name: posts[name] for name in mixture.all_languages},
        encoder,
        out,
        mixture=mixture,
        labels=LABELS,
        seed=seed,
        budget=budget,
        settings=settings_of(folder, **changes),
        usage=usage,
    )
    return usage


@pytest.mark.parametrize("tuning", ["full", "lora"])
def test_same_row_gives_the_same_bytes(grid, folder, tmp_path, tuning):
    for place, seed in (("a", 0), ("b", 0), ("c", 1)):
        train(grid, folder, tmp_path / place, seed=seed, tuning=tuning, epochs=1)
    names = ("trained.safetensors", "training.csv", "provenance.json")
    first, second, other = ([(tmp_path / place / name).read_bytes() for name in names] for place in "abc")
    assert first == second
    assert first[0] != other[0]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "c"]


def test_full_tuning_trains_every_weight_and_lora_the_head_and_low_ranks(folder):
    full = build_model(folder, LABELS, settings_of(folder), "cpu")
    assert all(parameter.requires_grad for parameter in full.parameters())
    lora = build_model(folder, LABELS, settings_of(folder, tuning="lora"), "cpu")
    trained = {name for name, parameter in lora.named_parameters() if parameter.requires_grad}
    heads = {name for name in trained if "lora_" not in name}
    assert heads == {f"base_model.model.classifier.modules_to_save.default.{kind}" for kind in ("weight", "bias")}
    assert {name.split(".")[-4] for name in trained - heads} >= {"query", "key", "value", "dense"}
    assert not any("classifier" in name for name in trained - heads)


def test_new_pooling_layer_is_trained_in_full_by_lora(tmp_path):
    written = write_encoder(tmp_path / "without_pooler", pooler=False)
    lora = build_model(written, LABELS, settings_of(written, tuning="lora"), "cpu")
    trained = [name for name, parameter in lora.named_parameters() if parameter.requires_grad and "pooler" in name]
    assert trained
    assert not any("lora_" in name for name in trained)


def test_unknown_targets_of_lora_are_an_error(folder):
    with pytest.raises(UserError, match=r"rivals\.encoder\.lora\.targets: .*nonsense"):
        build_model(folder, LABELS, settings_of(folder, tuning="lora", lora={"targets": ["nonsense"]}), "cpu")


def test_row_learns_from_the_sample_of_the_adapter(grid, folder, tmp_path, monkeypatch):
    posts, _ = grid
    seen = []
    monkeypatch.setattr(module, "examples_of", lambda frame, *rest: seen.append(frame) or examples_of(frame, *rest))
    train(grid, folder, tmp_path / "out", ("en", "es"), seed=3, budget=20, epochs=1)
    expected = sample_posts(read_train_posts(posts), Mixture("en+es", ("en", "es")), 3, 20)
    assert seen[0]["id"].tolist() == expected["id"].tolist()
    dev = pd.concat(read_parquet(posts[name]).query("split == 'dev'") for name in ("en", "es"))
    assert seen[1]["text"].tolist() == dev["text"].tolist()
    assert len(seen) == 2


def test_dev_posts_of_a_doses_language_are_not_used(grid, folder, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(module, "dev_posts", lambda paths: asked.append(list(paths)) or dev_posts(paths))
    train(grid, folder, tmp_path / "out", ("en",), dose=("hu", 4), epochs=1)
    assert asked == [["en"]]


def test_test_posts_are_never_read_in_training(grid, folder, tmp_path):
    """The same weights result if all test posts have other texts and labels."""
    posts, encoder = grid
    train(grid, folder, tmp_path / "a", epochs=1)
    frame = read_parquet(posts["en"])
    is_test = frame["split"] == "test"
    changed = tmp_path / "en.parquet"
    write_parquet(
        changed, frame.assign(text=frame["text"].mask(is_test, "x"), label=frame["label"].mask(is_test, "pro"))
    )
    train(({"en": changed}, encoder), folder, tmp_path / "b", epochs=1)
    weights = [(tmp_path / place / "trained.safetensors").read_bytes() for place in "ab"]
    assert weights[0] == weights[1]


def test_training_stops_when_the_loss_on_dev_posts_no_longer_falls(grid, folder, tmp_path, monkeypatch):
    """Dev posts with wrong labels: their loss rises as the train posts are learnt."""
    posts, encoder = grid
    frame = read_parquet(posts["en"])
    wrong = frame["label"].map(dict(zip(LABELS, [*LABELS[1:], LABELS[0]], strict=True)))
    misled = tmp_path / "en.parquet"
    write_parquet(misled, frame.assign(label=frame["label"].mask(frame["split"] == "dev", wrong)))
    usage = train(({"en": misled}, encoder), folder, tmp_path / "out", epochs=30, patience=2)
    curve = read_csv(tmp_path / "out/training.csv")
    best = int(curve["dev_loss"].argmin())
    assert len(curve) == best + 3 < 30
    assert usage.posts == len(curve) * int((frame["split"] == "train").sum())
    # The weights are those of the best epoch: a run of the same schedule that is cut there gives the same.
    kept = load_file(tmp_path / "out/trained.safetensors")

    class Cut(KeepBest):
        def on_evaluate(self, args, state, control, **rest):
            super().on_evaluate(args, state, control, **rest)
            control.should_training_stop = round(state.epoch) == best + 1

    monkeypatch.setattr(module, "KeepBest", Cut)
    train(({"en": misled}, encoder), folder, tmp_path / "cut", epochs=30, patience=2)
    again = load_file(tmp_path / "cut/trained.safetensors")
    assert all(torch.equal(kept[name], again[name]) for name in kept)


def test_without_dev_posts_training_takes_all_epochs_and_says_so(grid, folder, tmp_path, caplog):
    posts, encoder = grid
    frame = read_parquet(posts["en"])
    write_parquet(tmp_path / "en.parquet", frame[frame["split"] != "dev"])
    with caplog.at_level("INFO"):
        train(({"en": tmp_path / "en.parquet"}, encoder), folder, tmp_path / "out")
    assert "no dev posts in the mixture's languages: training takes all 3 epochs" in caplog.text
    curve = read_csv(tmp_path / "out/training.csv")
    assert curve["epoch"].tolist() == [1, 2, 3]
    assert curve["dev_loss"].isna().all()


def test_diverging_training_writes_nothing(grid, folder, tmp_path):
    with pytest.raises(UserError, match=r"rivals\.encoder: .*not finite.*learning_rate"):
        train(grid, folder, tmp_path / "out", learning_rate=9.0, weight_decay=1000.0, epochs=9)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("tuning", ["full", "lora"])
def test_predictions_are_those_of_the_trained_model(grid, folder, tmp_path, tuning):
    posts, encoder = grid
    train(grid, folder, tmp_path / "row", tuning=tuning, learning_rate=1e-2, epochs=8)
    outputs = {name: tmp_path / f"{name}.parquet" for name in posts}
    usage = Usage()
    trained = tmp_path / "row/trained.safetensors"
    settings = settings_of(folder, tuning=tuning)
    predict_encoder(trained, encoder, posts, outputs, labels=LABELS, settings=settings, usage=usage)
    model = load_trained(build_model(folder, LABELS, settings, "cpu"), trained)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    for name, path in outputs.items():
        table = read_parquet(path)
        test = read_parquet(posts[name]).query("split == 'test'").reset_index(drop=True)
        assert table[["id", "gold"]].to_numpy().tolist() == test[["id", "label"]].to_numpy().tolist()
        with torch.no_grad():
            alone = [model(**tokenizer(text, return_tensors="pt")).logits.log_softmax(-1)[0] for text in test["text"]]
        scores = table[[f"logp_{label}" for label in LABELS]].to_numpy()
        assert scores == pytest.approx(torch.stack(alone).numpy(), abs=1e-4)
        assert table["predicted"].tolist() == [LABELS[number] for number in scores.argmax(axis=1)]
    assert usage.posts == 45
    assert usage.tokens > 45
    # The words of each label are the same in all languages here, and they were learnt.
    assert (read_parquet(outputs["hu"])["predicted"] == read_parquet(outputs["hu"])["gold"]).mean() > 0.9


def test_weights_of_another_row_kind_are_refused(grid, folder, tmp_path):
    train(grid, folder, tmp_path / "row", tuning="lora", epochs=1)
    model = build_model(folder, LABELS, settings_of(folder), "cpu")
    with pytest.raises(UserError, match="does not fit this encoder"):
        load_trained(model, tmp_path / "row/trained.safetensors")


def test_new_head_depends_on_the_seed_alone(folder):
    heads = []
    for seed in (0, 0, 1):
        set_seed(seed)
        heads.append(build_model(folder, LABELS, settings_of(folder), "cpu").classifier.weight.detach().numpy())
    assert np.array_equal(heads[0], heads[1])
    assert not np.array_equal(heads[0], heads[2])


def test_loss_counts_posts_equally_whatever_their_padding(grid, folder):
    """The model's loss on a padded batch equals the mean over its posts alone."""
    posts, _ = grid
    settings = settings_of(folder)
    model = build_model(folder, LABELS, settings, "cpu")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    frame = read_parquet(posts["en"]).head(3).assign(text=["a", "border families welcome", "equipo"])
    examples = examples_of(frame, tokenizer, model.config, LABELS, settings)
    assert [example["labels"] for example in examples] == [0, 1, 2]
    scores = score_texts(model, tokenizer, frame["text"].tolist(), settings.max_tokens, Usage())
    batch = module.DataCollatorWithPadding(tokenizer)(examples)
    with torch.no_grad():
        loss = float(model(**batch).loss)
    assert loss == pytest.approx(-np.mean([scores[row, row] for row in range(3)]), abs=1e-5)


def test_provenance_names_the_encoder_and_the_settings(grid, folder, tmp_path):
    train(grid, folder, tmp_path / "row", epochs=1)
    record = read_json(tmp_path / "row/provenance.json")
    assert record["settings"]["rivals"]["encoder"]["epochs"] == 1
    assert "folder" not in record["settings"]["rivals"]["encoder"]
    assert any(name.endswith("encoder.json") for name in record["inputs"])


def test_classification_head_of_other_labels_is_replaced(tmp_path, folder):
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=7)
    model.save_pretrained(tmp_path / "other")
    AutoTokenizer.from_pretrained(folder).save_pretrained(tmp_path / "other")
    built = build_model(tmp_path / "other", LABELS, settings_of(folder), "cpu")
    assert built.classifier.out_features == 3
