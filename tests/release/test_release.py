"""Test the contents of a released folder, what it must never contain, and the parity check before it."""

import re
import shutil
import stat
from dataclasses import replace

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file, save_file

from babelgrid.base_files import record_base
from babelgrid.config.finetune import Lora, Predict
from babelgrid.config.prompt import Prompt
from babelgrid.config.release import Release
from babelgrid.errors import UserError
from babelgrid.model.predict import predict
from babelgrid.release import parity
from babelgrid.release.name import PublicBase, release_name
from babelgrid.release.parity import Cells, check_parity
from babelgrid.runtime.files import read_json, read_parquet, write_json, write_parquet
from babelgrid.runtime.usage import Usage
from training import BASE, LABELS, train
from training import SETTINGS as TRAINING

pytestmark = pytest.mark.grid

LLAMA = PublicBase("meta-llama/Llama-3.2-3B", "13afe5124825b4f3751f836b40dafda64c1ed062")


@pytest.fixture
def converter(tmp_path, monkeypatch):
    """Return a function that puts a script on the PATH instead of llama.cpp's converter."""

    def put(source):
        path = tmp_path / "bin/convert_hf_to_gguf.py"
        path.parent.mkdir()
        path.write_text(source, encoding="utf-8")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", str(path.parent))

    return put


def test_release_contains_adapter_merged_weights_and_card(released):
    folder = released
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    merged = {"config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}
    assert files == {"README.md", "adapter_config.json", "adapter_model.safetensors", *(f"merged/{n}" for n in merged)}
    assert {str(weight.dtype) for weight in load_file(folder / "merged/model.safetensors").values()} == {
        "torch.bfloat16"
    }
    assert "quantization_config" not in read_json(folder / "merged/config.json")
    config = read_json(folder / "adapter_config.json")
    assert (config["base_model_name_or_path"], config["revision"]) == (
        "someone/small-base",
        "4f0c2d1b4f0c2d1b4f0c2d1b4f0c2d1b4f0c2d1b",
    )


def test_release_contains_no_post_and_no_local_path(released, cells, tmp_path_factory):
    folder, (row, _) = released, cells
    texts = [text for path in row.posts.values() for text in read_parquet(path)["text"]]
    assert len(texts) == 36
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert [text for text in texts if text.encode() in content] == [], path
            assert str(tmp_path_factory.getbasetemp()).encode() not in content, path


def test_card_shows_scores_and_loads_public_base(released):
    card = (released / "README.md").read_text(encoding="utf-8")
    assert "| stance | en | 6 | 0.500 | 0.250 to 0.750 | 0.400 |" in card
    assert card.count("| stance |") == 2
    assert (
        "AutoTokenizer.from_pretrained('someone/small-base', revision='4f0c2d1b4f0c2d1b4f0c2d1b4f0c2d1b4f0c2d1b')"
        in card
    )
    assert "adapter 100.00 %, merged 100.00 %, adapter and merged 100.00 %" in card
    assert len(re.findall(r"`[0-9a-f]{64}`", card)) == 2
    assert "Built with Llama" not in card


def test_weights_that_disagree_with_grid_are_not_released(release, cells, tmp_path):
    row, _ = cells
    shutil.copytree(row.adapter, tmp_path / "tampered")
    weights = load_file(tmp_path / "tampered/adapter_model.safetensors")
    flipped = {name: -weight if "lora_B" in name else weight for name, weight in weights.items()}
    save_file(flipped, tmp_path / "tampered/adapter_model.safetensors")
    with pytest.raises(UserError, match=r"release: adapter agrees with the grid on .*parity\.json lists"):
        release(replace(row, adapter=tmp_path / "tampered"))
    assert not (tmp_path / "released/seed0").exists()
    assert list((tmp_path / "released").iterdir()) == []
    found = read_json(tmp_path / "parity.json")["agreement"]["adapter"]
    differing = [post for ids in found["differing"].values() for post in ids]
    assert len(differing) >= 1
    assert found["agreement"] == pytest.approx(1 - len(differing) / 12)


def test_forms_that_disagree_with_each_other_are_not_released(cells, tmp_path, monkeypatch):
    _, own = cells
    gold = parity._labelled_posts(own)["predicted"].tolist()
    other = {"pro": "anti", "anti": "pro"}
    answers = {"adapter": [other[gold[0]], *gold[1:]], "merged": [*gold[:-1], other[gold[-1]]]}
    monkeypatch.setattr(parity, "_labels", lambda _folder, form, *_: answers[form])
    with pytest.raises(UserError, match=r"adapter and merged agree with each other on 83\.33%"):
        check_parity(tmp_path, dict.fromkeys(answers, ""), own, Prompt(), 0.9, tmp_path / "parity.json")


@pytest.mark.parametrize(
    ("name", "is_llama"),
    [
        ("meta-llama/Llama-3.2-3B", True),
        ("unsloth/Meta-Llama-3.1-8B", True),
        ("deepseek-ai/DeepSeek-R1-Distill-Llama-8B", True),
        ("TinyLlama/TinyLlama-1.1B-Chat-v1.0", False),
        ("openlm-research/open_llama_3b", False),
        ("Qwen/Qwen3-4B", False),
    ],
)
def test_llama_derivative_is_recognised_by_name(name, is_llama):
    assert PublicBase(name, "0" * 40).is_llama is is_llama


def test_adapter_of_tied_output_matrix_is_released_untied(cells, release, tmp_path):
    its_row, its_cells = cells
    settings = TRAINING.model_copy(update={"lora": Lora(rank=4, targets=["q_proj", "lm_head"]), "learning_rate": 0.05})
    adapter = train(its_row.posts, its_row.base_path, tmp_path / "adapter", settings)
    blocks = {"base": BASE, "prompt": Prompt(), "labels": LABELS, "settings": Predict(), "usage": Usage()}
    predictions = {language: tmp_path / f"{language}.parquet" for language in its_cells.posts}
    predict(its_row.base_path, adapter, its_cells.posts, predictions, tmp_path / "kept", **blocks, code="x")
    folder = release(replace(its_row, adapter=adapter), Cells(its_cells.posts, predictions))
    agreement = read_json(tmp_path / "parity.json")["agreement"]
    assert {form: found["agreement"] for form, found in agreement.items()} == dict.fromkeys(agreement, 1.0)
    assert read_json(folder / "merged/config.json")["tie_word_embeddings"] is False
    merged = load_file(folder / "merged/model.safetensors")
    assert not torch.equal(merged["lm_head.weight"], merged["model.embed_tokens.weight"])


def test_row_without_test_posts_is_not_released(cells, release, tmp_path):
    row, its_cells = cells
    posts = {language: tmp_path / f"{language}.parquet" for language in its_cells.posts}
    for language, path in its_cells.posts.items():
        write_parquet(posts[language], read_parquet(path).query("split == 'train'"))
    with pytest.raises(UserError, match="no test posts"):
        release(row, Cells(posts, its_cells.predictions))


def test_local_base_without_public_name_is_not_released(release, tmp_path):
    with pytest.raises(UserError, match=r"release\.base \(owner/name\) and release\.base_revision"):
        release(base=None)
    assert not (tmp_path / "released").exists()


def test_config_texts_are_escaped_on_the_card(release):
    words = {"limits": "<script>x</script>\n# Head | [a](b)", "licence": "mit"}
    card = (release(**words) / "README.md").read_text(encoding="utf-8")
    assert r"\<script\>x\</script\> \# Head \| \[a\](b)" in card
    assert card.startswith("---\nlicense: mit\n")


def test_adapter_of_llama_base_has_name_and_notice(release):
    folder = release(base=LLAMA.name, base_revision=LLAMA.revision)
    card = (folder / "README.md").read_text(encoding="utf-8")
    notice = "Llama 3.2 is licensed under the Llama 3.2 Community License, Copyright © Meta Platforms, Inc."
    assert (folder / "NOTICE").read_text(encoding="utf-8").startswith(notice)
    assert "\n# Llama-small-en+es-seed0\n".replace("+", "-") in card
    assert "\nBuilt with Llama.\n" in card
    assert f"base_model: {LLAMA.name}\n" in card


def test_hub_names_contain_only_allowed_characters():
    assert release_name("my study", "en+hu@25", 1, False) == "my-study-en-hu-25-seed1"
    assert release_name("x", "all", 0, True) == "Llama-x-all-seed0"
    assert release_name("my--x..y", "all", 0, False) == "my-x-y-all-seed0"


def test_long_name_keeps_mixture_and_seed():
    names = {release_name("x" * 200, "en+hu", seed, True) for seed in range(3)}
    assert len(names) == 3
    assert max(map(len, names)) <= 96


def test_path_of_tokenizer_is_not_released(release, cells, tmp_path):
    row, _ = cells
    shutil.copytree(read_json(row.base_path)["folder"], tmp_path / "base")
    config = read_json(tmp_path / "base/tokenizer_config.json")
    write_json(tmp_path / "base/tokenizer_config.json", {**config, "name_or_path": "/home/someone/models/x"})
    record_base(read_json(row.base_path)["name"], None, tmp_path / "base", tmp_path / "base.json")
    folder = release(replace(row, base_path=tmp_path / "base.json"))
    assert "someone/models" not in (folder / "merged/tokenizer_config.json").read_text(encoding="utf-8")


def test_release_that_names_a_local_folder_is_refused(release, cells, tmp_path):
    row, _ = cells
    place = read_json(row.base_path)["folder"]
    with pytest.raises(UserError, match=r"release: README\.md would name .* a folder of this machine"):
        release(limits=f"see {place}/config.json")
    assert list((tmp_path / "released").iterdir()) == []


@pytest.mark.parametrize("change", [{"base": "/home/me/llama"}, {"base_revision": "main"}])
def test_public_base_needs_name_and_commit(change):
    with pytest.raises(ValidationError):
        Release(adapters=["en"], **change)


def test_gguf_without_converter_explains_installation(release, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match=r"no convert_hf_to_gguf\.py on the PATH\. Add a checkout of llama\.cpp"):
        release(gguf="bf16")
    assert list((tmp_path / "released").iterdir()) == []


def test_failing_converter_is_quoted(release, converter):
    converter("import sys; sys.exit('Model FooForCausalLM is not supported')")
    with pytest.raises(UserError, match=r"release\.gguf: .* failed: Model FooForCausalLM is not supported"):
        release(gguf="bf16")


def test_unloadable_gguf_is_not_released(release, converter, tmp_path):
    converter("import sys; open(sys.argv[3], 'wb').write(b'GGUF, but cut off')")
    with pytest.raises(UserError, match="the form 'gguf' cannot be loaded with the code on the card"):
        release(gguf="bf16")
    assert list((tmp_path / "released").iterdir()) == []
