"""Test a row scored by a real OpenAI-compatible server: `transformers serve` with the grid's own base, on loopback."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pandas as pd
import pytest

from babelgrid.runtime.files import read_json, read_parquet
from checkout import SECRETS

pytest.importorskip("uvicorn", reason="needs the test tools: make .venv/dev.stamp")
pytestmark = pytest.mark.grid

TEMPLATE = "{% for message in messages %}{{ message['content'] }}\n{% endfor %}"


@pytest.fixture(scope="module")
def server(checkout, tmp_path_factory):
    """Serve the tiny grid's base; return the server's address and the folder that is its model name."""
    folder = tmp_path_factory.mktemp("served") / "base"
    shutil.copytree(checkout.folder / "results/tiny/base", folder)
    settings = read_json(folder / "tokenizer_config.json")
    (folder / "tokenizer_config.json").write_text(json.dumps({**settings, "chat_template": TEMPLATE}), encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = Path(sys.executable).with_name("transformers")
    command = [program, "serve", str(folder), "--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    with (folder.parent / "log").open("w") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            wait_for(f"http://127.0.0.1:{port}/health", process)
            yield f"http://127.0.0.1:{port}/v1", str(folder)
        finally:
            process.terminate()
            process.wait()


def wait_for(url, process):
    deadline = time.monotonic() + 120
    while True:
        assert process.poll() is None
        assert time.monotonic() < deadline
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.2)


@pytest.fixture(scope="module")
def with_api(checkout, server, tmp_path_factory):
    """Return a copy of the checkout with two finished API rows."""
    url, model = server
    copied = checkout.copy(tmp_path_factory.mktemp("with_api") / "copy")
    copied.overlay(f"api: {{model: {model}, base_url: '{url}', shots: [0, 2], budget: 0, max_tokens: 4}}")
    result = copied.snakemake(overlays=[copied.folder / "overlay.yaml"])
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    return copied


def test_api_rows_are_planned_without_training(checkout, server):
    url, model = server
    overlay = checkout.folder.parent / "api.yaml"
    overlay.write_text(f"api: {{model: {model}, base_url: '{url}', shots: [0, 2], budget: 0}}", encoding="utf-8")
    planned = checkout.planned(overlays=[overlay])
    assert planned["ask_api"] == 2
    shown = checkout.snakemake("-n", overlays=[overlay]).stdout
    posts = [read_parquet(checkout.folder / f"results/tiny/posts/{name}.parquet") for name in ("en", "hu", "ko")]
    calls = sum(int((table["split"] == "test").sum()) for table in posts)
    assert calls > 20
    assert f"api-2shot: {calls} calls of {model}, one for each test post" in shown
    overlay.write_text(f"{overlay.read_text(encoding='utf-8')}\nexperiment: without_posts", encoding="utf-8")
    assert f"<TBD> calls of {model}" in checkout.snakemake("-n", overlays=[overlay]).stdout
    assert not {"finetune", "predict", "pretrain_base"} & set(planned)


def test_every_post_has_a_prediction_and_failures_are_counted(with_api):
    results = with_api.folder / "results/tiny"
    for row in ("api-0shot", "api-2shot"):
        tables = [read_parquet(results / f"predictions/{row}/seed0/{name}.parquet") for name in ("en", "hu", "ko")]
        beside = [read_parquet(results / f"predictions/en/seed0/{name}.parquet") for name in ("en", "hu", "ko")]
        for table, other in zip(tables, beside, strict=True):
            assert list(table.columns) == list(other.columns)
            assert table[["id", "gold"]].equals(other[["id", "gold"]])
        details = read_json(results / f"api/{row}/seed0.json")
        together = pd.concat(tables)
        assert details["posts"] == details["calls"] == len(together)
        assert details["unparsable"] == int(together["predicted"].isna().sum())
        assert details["prompt_tokens"] > 10 * len(together)
        assert details["latency_seconds"]["median"] > 0


def test_tables_and_figures_contain_api_rows(with_api):
    results = with_api.folder / "results/tiny"
    cells = pd.read_csv(results / "tables/cells.csv", keep_default_na=False)
    assert set(cells["mixture"]) == {"none", "en", "en+hu@4", "api-0shot", "api-2shot"}
    compared = pd.read_csv(results / "tables/comparisons.csv", keep_default_na=False)
    assert {("en", "api-0shot")} <= set(compared[["mixture", "against"]].itertuples(index=False, name=None))
    assert "api-2shot" in (results / "figures/transfer_matrix_topic.csv").read_text(encoding="utf-8")
    assert "api-2shot" in (results / "tables/transfer_matrix_topic.md").read_text(encoding="utf-8")


def test_reruns_and_lost_files_cost_no_call(with_api):
    overlay = with_api.folder / "overlay.yaml"
    assert with_api.planned(overlays=[overlay]) == {}
    slower = with_api.folder / "slower.yaml"
    slower.write_text("api: {concurrency: 1, budget: 3, attempts: 2}", encoding="utf-8")
    assert set(with_api.planned(overlays=[overlay, slower])) == {"write_report"}  # the report shows the config
    lost = with_api.folder / "results/tiny/predictions/api-0shot/seed0/hu.parquet"
    content = lost.read_bytes()
    lost.unlink()
    result = with_api.snakemake(str(lost.relative_to(with_api.folder)), overlays=[overlay])
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    assert lost.read_bytes() == content
    assert read_json(with_api.folder / "results/tiny/api/api-0shot/seed0.json")["calls"] == 0


def test_no_key_and_no_post_is_stored(with_api):
    results = with_api.folder / "results/tiny"
    posts = [text.encode() for text in read_parquet(results / "posts/all.parquet")["text"]]
    written = [*(results / "api").rglob("*.*"), *(results / "logs/predict").rglob("api*/**/*.log")]
    assert len(written) >= 4
    for path in written:
        content = path.read_bytes()
        assert not any(post in content for post in posts), path
        assert not any(secret.encode() in content for secret in SECRETS.values()), path


def test_status_and_estimate_include_api_rows(with_api):
    overlay = with_api.folder / "overlay.yaml"
    status = with_api.snakemake("status", overlays=[overlay])
    assert "api-2shot" in status.stdout
    estimated = with_api.snakemake("estimate", overlays=[overlay])
    assert estimated.returncode == 0, estimated.stdout[-3000:] + estimated.stderr[-3000:]
    assert "API calls: 144" in estimated.stdout, estimated.stdout[-2000:]
