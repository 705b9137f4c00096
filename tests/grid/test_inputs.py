"""Test that every file a job reads is an input of its rule, even if the file has an odd name."""

import json

import numpy as np
import pytest
from safetensors.numpy import save

from checkout import Checkout

pytestmark = pytest.mark.grid

ODD = "a [b] {c}"
CONFIG = f"""
experiment: odd
seeds: [0]
languages: {{train: [en], test: [en]}}
labels: {{pro: {{answer: " pro"}}, anti: {{answer: " anti"}}}}
posts: {{files: ["plain/posts [final].csv", "{ODD}/*.csv"]}}
base: {{folder: "{ODD}/base"}}
exposure: {{tables: [llama2, "{ODD}/tables/shares.csv"]}}
cost: {{prices: "{ODD}/tables/prices.csv"}}
classify: {{input: ["{ODD}/archive/*.csv"], folder: "{ODD}/adapter"}}
"""
IMPORT = f"""
experiment: imported
seeds: [0]
languages: {{train: [en], test: [en]}}
labels: {{pro: {{answer: " pro"}}, anti: {{answer: " anti"}}}}
predictions: {{import: {{files: ["{ODD}/tables/predicted [1].csv"]}}}}
"""
ROWS = "language,label,text\n" + "".join(f"en,{('pro', 'anti')[i % 2]},post {i} of {i * 7919}\n" for i in range(40))
FILES = {
    "plain/posts [final].csv": ROWS,
    f"{ODD}/more.csv": "language,label,text\nen,pro,a post of its own\n",
    f"{ODD}/base/config.json": '{"model_type": "llama"}',
    f"{ODD}/base/tokenizer.json": "{}",
    f"{ODD}/tables/shares.csv": "language,share\nen,50\n",
    f"{ODD}/tables/prices.csv": "model,prompt,completion,date,source\n",
    f"{ODD}/archive/part.1.csv": "text\nx\n",
    f"{ODD}/archive/part.2.csv": "text\ny\n",
    f"{ODD}/adapter/adapter_config.json": "{}",
    f"{ODD}/adapter/adapter_model.safetensors": "weights",
    f"{ODD}/tables/predicted [1].csv": "id,language,mixture,gold,predicted\n1,en,en,pro,pro\n",
    "data/train/en.csv": ROWS,
}
TARGETS = ["results/odd/posts/all.parquet", "results/odd/base.json"]
WALK = """
include: "Snakefile"


def strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from (one for pair in value.items() for part in pair for one in strings(part))
    elif isinstance(value, (list, tuple)):
        yield from (one for part in value for one in strings(part))


for rule in workflow.rules:
    if rule.output:
        named = {str(path) for path in rule.input if not callable(path)}
        watched = {path for value in rule.params if isinstance(value, dict) for path in value if os.path.isfile(path)}
        read = {text for value in rule.params if not callable(value) for text in strings(value)}
        print("READ", json.dumps([rule.name, [path for path in read - named - watched if os.path.isfile(path)]]))
"""


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """Return a checkout with oddly named files, in which posts and base have been read once."""
    made = Checkout(tmp_path_factory.mktemp("odd"), "odd.yaml").fill()
    for name, content in {**FILES, "odd.yaml": CONFIG, "imported.yaml": IMPORT, "walk.smk": WALK}.items():
        (made.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (made.folder / name).write_text(content, encoding="utf-8")
    (made.folder / ODD / "base/model.safetensors").write_bytes(save({"weight": np.zeros(2, dtype=np.float32)}))
    dataset = made.overlay("{experiment: dataset, posts: {files: null, dataset: {name: data}}}")
    for result in (
        made.snakemake(*TARGETS),
        made.snakemake("results/dataset/posts/all.parquet", overlays=[dataset]),
    ):
        assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    return made


def test_change_of_any_input_file_reruns_posts_and_base(odd):
    assert odd.planned(*TARGETS) == {}
    for name in ("plain/posts [final].csv", f"{ODD}/more.csv"):
        (odd.folder / name).write_text(FILES[name] + "en,anti,one more post\n", encoding="utf-8")
        assert odd.planned(*TARGETS) == {"prepare_posts": 1}
        assert odd.snakemake(*TARGETS).returncode == 0
    (odd.folder / f"{ODD}/base/generation_config.json").write_text("{}", encoding="utf-8")
    assert odd.planned(*TARGETS) == {"prefetch_base": 1}


def test_file_added_to_local_dataset_reruns_posts(odd):
    target, overlay = "results/dataset/posts/all.parquet", odd.folder / "overlay.yaml"
    assert odd.planned(target, overlays=[overlay]) == {}
    (odd.folder / "data/train/more.csv").write_text("language,label,text\nen,pro,one more\n", encoding="utf-8")
    assert odd.planned(target, overlays=[overlay]) == {"prepare_posts": 1}


def test_files_with_odd_names_can_be_planned(odd):
    planned = odd.planned("all", "classify")
    assert planned["classify_posts"] == 2
    assert planned["finetune"] == 1


def test_changed_import_with_odd_name_is_rerun(odd):
    imported = Checkout(odd.folder, "imported.yaml")
    target = "results/imported/predictions/en/seed0/en.parquet"
    result = imported.snakemake(target)
    assert result.returncode == 0, result.stderr[-3000:]
    assert imported.planned(target) == {}
    with (odd.folder / f"{ODD}/tables/predicted [1].csv").open("a", encoding="utf-8") as file:
        file.write("2,en,en,anti,pro\n")
    assert imported.planned(target) == {"import_predictions": 1}


def test_import_is_planned_without_posts_base_or_cost(odd):
    planned = Checkout(odd.folder, "imported.yaml").planned()
    assert planned.items() >= {"score_cells": 1, "write_report": 1}.items()
    assert not {"prepare_posts", "prefetch_base", "finetune", "predict", "tabulate_cost", "draw_cost"} & set(planned)


def test_no_rule_reads_a_file_named_only_in_params(odd):
    result = odd.snakemake("-n", "-s", "walk.smk")
    assert result.returncode == 0, result.stderr[-3000:]
    read = dict(json.loads(line.removeprefix("READ ")) for line in result.stdout.splitlines() if line[:5] == "READ ")
    assert {"prepare_posts", "prefetch_base", "measure_exposure", "tabulate_cost", "finetune"} <= set(read)
    # The report shows the complete config with its paths, but reads none of these files. The posts of one language are
    # taken from the file of all posts; its counts, which are an input, contain a digest of them.
    for rule in ("extract_posts", "extract_translations"):
        read[rule].remove("results/odd/posts/all.parquet")
    assert {rule: paths for rule, paths in read.items() if paths and rule != "write_report"} == {}
