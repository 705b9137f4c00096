"""Test that duplicates in a config, and values that YAML misreads, are rejected with their line."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from babelgrid.config.load import load_experiment, read_experiment
from babelgrid.config.strict_yaml import parse
from babelgrid.errors import UserError
from babelgrid.grid import build_grid

LAB = Path(__file__).parents[2] / "config" / "config.yaml"

MISREAD = {
    "a key": ("seed: 1\nfigures: {columns: 1}\nseed: 2\n", ["line 3", "seed is given twice", "first on line 1"]),
    "a key of an inner block": ("finetune:\n  epochs: 1\n  epochs: 2\n", ["line 3", "finetune.epochs is given twice"]),
    "a key in a list": (
        "mixtures:\n  pairs:\n  - {base: [en], base: [es]}\n",
        ["line 3", "mixtures.pairs.0.base is given twice"],
    ),
    "a quoted and a bare key": ('"seed": 1\nseed: 2\n', ["line 2", "seed is given twice"]),
    "a merge key": (
        "score: &a {bootstrap: 100}\nfinetune: {<<: *a, <<: *a}\n",
        ["line 2", "given twice"],
    ),
    "octal": ("seeds: [010]\n", ["line 1", "seeds.0", "'010' as the number 8", "write 10"]),
    "hexadecimal": ("seed: 0x10\n", ["'0x10' as the number 16"]),
    "underscores": ("mixtures: {posts: 1_000}\n", ["mixtures.posts", "write 1000"]),
    "base 60": ("seed: 1:30\n", ["'1:30' as the number 90"]),
    "base 60 with a fraction": ("finetune: {epochs: 1:30.5}\n", ["finetune.epochs", "without _ and :"]),
    "a date": ("labels: {new: {answer: 2020-01-01}}\n", ["labels.new.answer", "as a date", "quotes"]),
    "a date as a key": ("labels: {2020-01-01: {answer: x}}\n", ["the key '2020-01-01' as a date", "quotes"]),
    "a boolean as a key": ("languages: {aliases: {no: nb}}\n", ["the key 'no' as a boolean", "quotes"]),
    "null as a key": ("labels: {~: {answer: x}}\n", ["the key '~' as null"]),
    "a list as a key": ("? [a, b]\n: 1\n", ["a key must be a single word"]),
    "an anchor in itself": ("labels: &a {new: *a}\n", ["an anchor contains itself"]),
    "broken YAML": ("seed: 1\nlabels: {\n", ["line 3", "cannot be read as YAML"]),
    "a tab": ("finetune:\n\tepochs: 1\n", ["line 2", "cannot be read as YAML"]),
    "deep nesting": ("labels: " + "[" * 1000, ["nested too deep"]),
    "a Python tag": ("seed: !!python/name:os.system\n", ["line 1", "constructor"]),
    "two documents": ("seed: 1\n---\nseed: 2\n", ["cannot be read as YAML"]),
    "an empty file": ("# nothing\n", ["empty"]),
    "JSON": ('{\n\t"seed": 1,\n\t"seed": 2\n}', ["'seed' is given twice", "JSON"]),
}


@pytest.mark.parametrize("name", MISREAD)
def test_misread_file_gives_one_line_with_its_path(tmp_path, name):
    text, expected = MISREAD[name]
    path = tmp_path / "overlay.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as error:
        read_experiment(LAB, path)
    assert "\n" not in str(error.value)
    for words in [str(path), *expected] if name != "JSON" else expected:
        assert words in str(error.value)


@given(
    keys=st.lists(st.sampled_from(["epochs", "seed", "labels", "pro", "x y", "é"]), min_size=1, unique=True),
    data=st.data(),
)
def test_key_repeated_anywhere_is_an_error_with_its_line(keys, data):
    twice = data.draw(st.sampled_from(keys))
    depth = data.draw(st.integers(0, 3))
    lines = [*(f"{' ' * level}block{level}:" for level in range(depth)), *(f"{' ' * depth}{key}: 1" for key in keys)]
    lines.insert(data.draw(st.integers(depth, len(lines))), f"{' ' * depth}{twice}: 1")
    second = max(number for number, line in enumerate(lines, start=1) if line == f"{' ' * depth}{twice}: 1")
    with pytest.raises(UserError, match=rf"config\.yaml, line {second}: .*{twice} is given twice"):
        parse("\n".join(lines), "config.yaml")


def test_merged_files_are_checked_again(tmp_path):
    path = tmp_path / "overlay.yaml"
    path.write_text("seed: 1\nseed: 2\n", encoding="utf-8")
    merged = yaml.safe_load(LAB.read_text(encoding="utf-8")) | yaml.safe_load(path.read_text(encoding="utf-8"))
    with pytest.raises(UserError, match="seed is given twice"):
        load_experiment(merged, [LAB, path])


def test_overlay_may_override_keys_of_another_file(tmp_path):
    path = tmp_path / "overlay.yaml"
    path.write_text("seeds: [5]\nlabels: {pro: {answer: ' yes'}}\n", encoding="utf-8")
    experiment = read_experiment(LAB, path)
    assert experiment.seeds == [5]
    assert experiment.labels["pro"].answer == " yes"


def test_merge_key_may_be_overridden_in_its_block(tmp_path):
    path = tmp_path / "overlay.yaml"
    path.write_text("labels:\n  pro: &a {answer: ' p', aliases: [for]}\n  anti: {<<: *a, answer: ' n', aliases: []}\n")
    assert read_experiment(LAB, path).labels["anti"].answer == " n"


def test_json_with_tabs_is_read(tmp_path):
    path = tmp_path / "overlay.json"
    path.write_text('{\n\t"seeds": [7]\n}', encoding="utf-8")
    assert read_experiment(LAB, path).seeds == [7]


def test_anchors_cannot_expand_to_billions_of_values(tmp_path):
    path = tmp_path / "overlay.yaml"
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(UserError, match="more than 100,000 values"):
        read_experiment(LAB, path)
    merged = yaml.safe_load(path.read_text(encoding="utf-8"))
    with pytest.raises(UserError) as error:
        load_experiment({"experiment": merged["a11"]})
    assert len(str(error.value)) < 5000


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["seed=1", "seed=2"], "--config seed is given twice"),
        (["labels={pro: {answer: a}, pro: {answer: b}}"], "--config labels, line 1: pro is given twice"),
    ],
)
def test_command_line_duplicates_are_rejected(arguments, expected):
    with pytest.raises(UserError, match=expected):
        load_experiment(yaml.safe_load(LAB.read_text(encoding="utf-8")), arguments=arguments)


FILES = {"posts": {"lab": None, "files": ["a.csv"]}}
IMPORTED = {"posts": None, "base": None, "seeds": [0]}
TWICE = {
    "train": ({"languages": {"train": ["en", "hu", "en"]}}, ["languages.train", "'en' is given twice"]),
    "test": ({"languages": {"test": ["hu", "hu"]}}, ["languages.test", "'hu' is given twice"]),
    "language aliases": ({"languages": {"aliases": {"in": "id", "IN": "hi"}}}, ["languages.aliases", "'id'", "'hi'"]),
    "seeds": ({"seeds": [1, 1]}, ["seeds", "1 is given twice"]),
    "seeds of two types": ({"seeds": [1, "1"]}, ["seeds", "1 is given twice"]),
    "labels by case": ({"labels": {"PRO": {"answer": " x"}}}, ["labels", "'PRO'", "'pro'"]),
    "labels by spaces": ({"labels": {"pro\u00a0": {"answer": " x"}}}, ["labels", "'pro'"]),
    "labels by Unicode form": (
        {"labels": {"é": {"answer": " x"}, "e\u0301": {"answer": " y"}}},
        ["labels", "belongs to both"],
    ),
    "labels by an invisible character": ({"labels": {"p\u200bro": {"answer": " x"}}}, ["labels", "'pro'"]),
    "Turkish labels": (
        {"labels": {"İş": {"answer": " x"}, "iş": {"answer": " y"}}},
        ["labels", "belongs to both"],
    ),
    "aliases": ({"labels": {"pro": {"aliases": ["for", "For"]}}}, ["labels.pro.aliases", "count as the same"]),
    "answers": ({"labels": {"pro": {"answer": " anti "}}}, ["labels", "'pro' and 'anti'", "same answer"]),
    "views": (
        {"views": {"Topic": {"a": ["pro"], "b": ["anti"]}}},
        ["views", "'topic' and 'Topic' count as the same"],
    ),
    "classes": ({"views": {"topic": {"Related": ["pro"]}}}, ["views.topic", "'related' and 'Related'"]),
    "labels of a class": ({"views": {"topic": {"related": ["pro", "pro"]}}}, ["views.topic.related", "twice"]),
    "monolingual": ({"mixtures": {"monolingual": ["en", "en"]}}, ["mixtures.monolingual: 'en' is given twice"]),
    "leave one out": ({"mixtures": {"leave_one_out": ["en", "en"]}}, ["mixtures.leave_one_out: 'en' is given twice"]),
    "a pair": (
        {"mixtures": {"pairs": [{"base": ["en"], "languages": ["hu"]}] * 2}},
        ["mixtures.pairs", "is given twice"],
    ),
    "bases of pairs": ({"mixtures": {"pairs": [{"base": ["en", "en"]}]}}, ["mixtures.pairs.0.base", "twice"]),
    "languages of a set": ({"mixtures": {"sets": {"x": ["en", "en"]}}}, ["mixtures.sets.x", "'en' is given twice"]),
    "sets by case": (
        {"mixtures": {"sets": {"x": ["en"], "X": ["es"]}}},
        ["mixtures.sets", "'x' and 'X' count as the same"],
    ),
    "a set and an allocation": (
        {"mixtures": {"sets": {"x": ["en", "hu"]}, "allocations": {"X": {"en": 2}}}},
        ["mixtures", "count as the same"],
    ),
    "a set and a language": ({"mixtures": {"sets": {"EN": ["es", "hu"]}}}, ["mixtures.sets", "'EN' is taken"]),
    "dose sizes": (
        {"mixtures": {"doses": [{"base": "en", "add": ["hu"], "sizes": [5, 5]}]}},
        ["mixtures.doses.0.sizes", "5 is given twice"],
    ),
    "dose languages": (
        {"mixtures": {"doses": [{"base": "en", "add": ["hu", "hu"], "sizes": [5]}]}},
        ["mixtures.doses.0.add", "'hu' is given twice"],
    ),
    "targets of LoRA": ({"finetune": {"lora": {"targets": ["q_proj"] * 2}}}, ["finetune.lora.targets", "twice"]),
    "trackers": ({"finetune": {"report_to": ["wandb"] * 2}}, ["finetune.report_to", "twice"]),
    "shots": ({"api": {"model": "m", "budget": 1, "shots": [0, 0]}}, ["api.shots", "0 is given twice"]),
    "share tables": ({"exposure": {"tables": ["lab", "lab"]}}, ["exposure.tables", "twice"]),
    "share tables of one name": ({"exposure": {"tables": ["a/own.csv", "b/own.csv"]}}, ["exposure.tables", "same"]),
    "a share table of a shipped name": ({"exposure": {"tables": ["a/llama2.csv"]}}, ["exposure.tables", "shipped"]),
    "price references": ({"cost": {"references": ["gpt-4o"] * 2}}, ["cost.references", "twice"]),
    "files": ({"posts": {"lab": None, "files": ["a.csv", "./a.csv"]}}, ["posts.files", "'a.csv' and './a.csv'"]),
    "columns": (
        {"posts": {"lab": None, "files": ["a.csv"], "columns": {"text": "t", "label": "t"}}},
        ["posts.columns", "'t' is given twice", "text and of label"],
    ),
    "parts": (
        {"posts": FILES["posts"] | {"columns": {"part": "p"}, "parts": {"train": ["a"], "test": ["A"]}}},
        ["posts.parts", "'a' and 'A'"],
    ),
    "subsets": ({"posts": {"lab": None, "dataset": {"name": "./x", "subsets": ["a", "a"]}}}, ["subsets", "twice"]),
    "kept columns": (
        {"classify": {"input": ["a.csv"], "adapter": "en", "keep": ["x", "x"]}},
        ["classify.keep", "'x' is given twice"],
    ),
    "classified languages": (
        {"classify": {"input": ["a"], "adapter": "en", "columns": {"language": "l"}, "languages": ["en", "en"]}},
        ["classify.languages", "twice"],
    ),
    "archives": ({"classify": {"input": ["a.csv", "b/../a.csv"], "adapter": "en"}}, ["classify.input", "same"]),
    "released adapters": ({"release": {"adapters": ["en", "en/seed0"]}}, ["'en/seed0' is given twice"]),
    "imported columns": (
        IMPORTED | {"predictions": {"import": {"files": ["a"], "columns": {"gold": "x", "predicted": "x"}}}},
        ["predictions.import.columns", "'x' is given twice"],
    ),
    "columns of probabilities": (
        IMPORTED | {"predictions": {"import": {"files": ["a"], "probabilities": {"pro": "p", "anti": "p"}}}},
        ["predictions.import.probabilities", "'p' is given twice"],
    ),
    "a failure that is a label": (
        IMPORTED | {"predictions": {"import": {"files": ["a"], "failures": ["", "Pro"]}}},
        ["predictions.import.failures", "'pro'"],
    ),
}


@pytest.mark.parametrize("name", TWICE)
def test_duplicate_is_named_in_the_error(tmp_path, name):
    content, expected = TWICE[name]
    path = tmp_path / "overlay.yaml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8")
    with pytest.raises(UserError) as error:
        build_grid(read_experiment(LAB, path))
    for words in expected:
        assert words in str(error.value)


@pytest.mark.parametrize(
    ("mixtures", "expected"),
    [
        ({"doses": [{"base": "en+en", "add": ["hu"], "sizes": [5]}]}, "'en' is given twice"),
        ({"sets": {"a": ["es", "it"], "b": ["it", "es"]}}, "'a' and 'b' are made of the same posts"),
        ({"budget": "equal", "posts": 5}, "5 posts are too few for a post in each of the 13 languages of 'all'"),
    ],
)
def test_duplicate_or_impossible_mixtures_are_rejected(tmp_path, mixtures, expected):
    path = tmp_path / "overlay.yaml"
    path.write_text(yaml.safe_dump({"mixtures": mixtures}), encoding="utf-8")
    with pytest.raises(UserError, match=expected):
        build_grid(read_experiment(LAB, path))


def test_each_language_pair_occurs_once(tmp_path):
    path = tmp_path / "overlay.yaml"
    path.write_text(yaml.safe_dump({"mixtures": {"pairs": [{"base": ["en", "hu"], "languages": "all"}]}}))
    names = build_grid(read_experiment(LAB, path)).mixtures
    assert "en+hu" in names
    assert "hu+en" not in names
    assert "hu+es" in names
