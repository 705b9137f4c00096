"""Test that names used in paths stay under `results/<experiment>/`, or are rejected."""

import copy
import os.path
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from babelgrid.config.fields import path_name
from babelgrid.config.load import load_experiment
from babelgrid.errors import UserError
from babelgrid.grid import build_grid
from babelgrid.release.name import release_name

ROOT = Path(__file__).parents[2]
SMALL = {
    "experiment": "small",
    "languages": {"train": ["en", "hu"]},
    "labels": {"pro": {"answer": " pro"}, "anti": {"answer": " anti"}},
    "posts": {"lab": {}},
    "base": {"lab": {}},
    "api": {"model": "m", "budget": 1},
}
BAD = [
    *(
        "",
        " ",
        ".",
        "..",
        "...",
        "../x",
        "/abs",
        "a/b",
        "a\\b",
        ".hidden",
        "-n",
        "--config",
        "a.",
        "a b",
        "a\nb",
        "a\0",
    ),
    *("{view}", "{mixture}", "*", "[a]", "?", "~", "$(id)", "`id`", "a;b", "a+b", "a@5", "ünï", "٣", "²", "x" * 81),
    *("CON", "nul", "com1.txt", "a:b", "<b>", "a,b", "a'b", "a%2Fb", "\u202ea", "a\u200b"),
]
GOOD = ["a", "A", "_", "0", "1e5", "nan", "a.b", "a-b", "a..b", "lab_uniform", "few", "x" * 80, "CONSOLE", "seed0"]
PLACES = [
    *(
        "experiment",
        "views",
        "sets",
        "allocations",
        "against",
        "checks",
        "language",
        "dose",
        "adapter",
        "class",
        "label",
    ),
]


@pytest.mark.parametrize("name", BAD)
def test_bad_file_name_is_rejected(name):
    with pytest.raises(ValueError, match=r"file names|Windows"):
        path_name(name)


@pytest.mark.parametrize("name", GOOD)
def test_plain_name_is_accepted(name):
    assert path_name(name) == name


@pytest.mark.parametrize("place", ["experiment", "views", "sets", "allocations", "against", "checks"])
@pytest.mark.parametrize("name", ["../x", "/abs", "a/b", "", "x" * 81, "ü", "-n"])
def test_every_key_with_a_name_rejects_bad_names(place, name):
    with pytest.raises(UserError, match="becomes part of file names"):
        load_experiment(named(place, name))


@pytest.mark.parametrize("name", ["none", "all", "ALL", "all-hu", "api-0shot", "en", "HU"])
@pytest.mark.parametrize("place", ["sets", "allocations"])
def test_name_of_another_row_is_rejected(place, name):
    with pytest.raises(UserError, match="is taken"):
        load_experiment(named(place, name))


def test_set_may_not_have_the_name_of_a_test_language():
    content = named("sets", "ko")
    content["languages"] = {"train": ["en", "hu"], "test": ["ko"]}
    with pytest.raises(UserError, match="'ko' is taken by a language"):
        load_experiment(content)


def test_two_views_cannot_share_a_figure():
    view = {"a": ["pro"], "b": ["anti"]}
    with pytest.raises(UserError, match="gain_matrix_topic"):
        load_experiment(SMALL | {"views": {"topic": view, "matrix_topic": view}})


def test_long_mixture_name_is_rejected_with_advice():
    languages = [f"en-x-{'a' * 8}-{'b' * 8}-{number:08}" for number in range(9)]
    content = SMALL | {"languages": {"train": languages}}
    content["mixtures"] = {"doses": [{"base": "+".join(languages[1:]), "add": languages[:1], "sizes": [1]}]}
    with pytest.raises(UserError, match=r"at most 200.*mixtures\.sets"):
        build_grid(load_experiment(content))


@pytest.mark.parametrize("label", ["../x", "a/b", "{view}", "=cmd", "$5", "<b>", "logp_pro", "gold"])
def test_label_may_be_any_text(label):
    assert label in load_experiment(named("label", label)).labels


@pytest.mark.parametrize("label", ["", " ", "\u200b", "a\nb", "a\tb", "x" * 201, "\u2028"])
def test_label_must_be_one_visible_line(label):
    with pytest.raises(UserError, match="labels"):
        load_experiment(named("label", label))


def named(place, name):
    """Return the small config with `name` in a place that accepts a name."""
    content = copy.deepcopy(SMALL)
    block = {
        "experiment": {"experiment": name},
        "views": {"views": {name: {"a": ["pro"], "b": ["anti"]}}},
        "class": {"views": {"topic": {name: ["pro"], "b": ["anti"]}}},
        "label": {"labels": SMALL["labels"] | {name: {"answer": " other"}}},
        "sets": {"mixtures": {"sets": {name: ["en", "hu"]}}},
        "allocations": {"mixtures": {"allocations": {name: {"en": 3}}}},
        "dose": {"mixtures": {"doses": [{"base": name, "add": ["hu"], "sizes": [3]}]}},
        "against": {"intervention": {"against": name}},
        "checks": {"plan": {"budget": 10, "checks": name}},
        "language": {"languages": {"train": ["en", "hu", name]}, "mixtures": {"monolingual": [name]}},
        "adapter": {"release": {"adapters": [name]}},
    }[place]
    return content | block


def paths_of(experiment):
    """Yield every kind of path that the workflow builds from names, as its rules spell them."""
    grid = build_grid(experiment)
    results = f"results/{experiment.experiment}"
    for mixture, seed, language in grid.cells:
        yield f"{results}/predictions/{mixture}/seed{seed}/{language}.parquet"
    for mixture, seed in grid.rows:
        yield f"{results}/adapters/{mixture}/seed{seed}/adapter_model.safetensors"
        yield f"{results}/release/{release_name(experiment.experiment, mixture, seed, is_llama=True)}"
    for language in {*experiment.languages.train, *experiment.test_languages}:
        yield f"{results}/posts/{language}.parquet"
    for view in experiment.effective_views:
        yield f"{results}/figures/clustered_matrix_{view}.svg"
        yield f"{results}/logs/draw_gain/{view}.log"


@pytest.mark.slow
@settings(max_examples=250, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(st.sampled_from(PLACES), st.one_of(st.sampled_from(BAD + GOOD), st.text(max_size=12))), max_size=3
    )
)
def test_any_name_is_rejected_or_stays_in_the_results(places):
    content = copy.deepcopy(SMALL)
    for place, name in places:
        content |= {key: value for key, value in named(place, name).items() if value != SMALL.get(key)}
    try:
        experiment = load_experiment(content)
        paths = list(paths_of(experiment))
    except UserError:
        return
    for path in paths:
        assert os.path.normpath(path) == path
        assert path.startswith(f"results/{experiment.experiment}/")
        assert re.fullmatch(r"[A-Za-z0-9._+@/-]+", path)
        assert max(map(len, path.split("/"))) <= 255
    others = [block.against for block in [experiment.intervention] if block]
    others += [block.checks for block in [experiment.plan] if block and block.checks]
    assert all(Path(os.path.normpath(f"results/{other}")).parent == Path("results") for other in others)


@pytest.mark.slow
def test_snakemake_rejects_bad_names_and_duplicate_keys(tmp_path):
    """Snakemake keeps the last of two equal keys, and would write wherever a view's name leads."""
    view = "x/../../../../outside"
    text = yaml.safe_dump(SMALL | {"views": {view: {"a": ["pro"], "b": ["anti"]}}})
    (tmp_path / "names.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "twice.yaml").write_text(yaml.safe_dump(SMALL) + "seeds: [0]\nseeds: [1]\n", encoding="utf-8")
    for name, expected in (("names", "becomes part of file names"), ("twice", "seeds is given twice")):
        command = [sys.executable, "-m", "snakemake", "-s", str(ROOT / "Snakefile"), "-n", "--cores", "1"]
        command += ["--configfile", f"{name}.yaml"]
        result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert result.returncode == 1
        assert expected in result.stdout + result.stderr
    assert not (tmp_path / "results").exists()
