"""A base from a GGUF file has exactly the file's weights, or is refused with one error."""

import shutil
import stat
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from babelgrid.base_files import record_base
from babelgrid.config.base import Base
from babelgrid.errors import UserError
from babelgrid.model import gguf_check
from babelgrid.model.gguf import convert_base, read_gguf, write_dequantized
from babelgrid.model.gguf_check import bits_per_byte, check_conversion, fit_of, perplexity_in_chunks, sentences
from babelgrid.model.hub import prefetch_base
from babelgrid.prompts.tokenizer import load_tokenizer
from babelgrid.runtime.files import read_json, sha256
from gguf_files import write_gguf

REVISION = "0123456789abcdef0123456789abcdef01234567"
Q4_0, Q8_0 = gguf.GGMLQuantizationType.Q4_0, gguf.GGMLQuantizationType.Q8_0


@pytest.fixture(scope="module")
def folder(random_base):
    """Return the folder of a small random base."""
    return Path(read_json(random_base())["folder"])


@pytest.fixture
def file(folder, tmp_path):
    """Return the same base as a GGUF file."""
    return write_gguf(folder, tmp_path / "small.gguf")


@pytest.fixture
def no_llama(monkeypatch, tmp_path):
    """Hide llama.cpp from the PATH, if it is installed."""
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.fixture
def known(file, folder, monkeypatch):
    """Record what the original base gives for the file, as gguf_bases.csv does for published files."""
    model, tokenizer = LlamaForCausalLM.from_pretrained(folder), load_tokenizer(folder)
    value = bits_per_byte(fit_of(model, tokenizer, text) for text in sentences().values())
    monkeypatch.setattr(gguf_check, "recorded_values", lambda: {sha256(file): value})
    return value


def weights_of(folder):
    return LlamaForCausalLM.from_pretrained(folder).state_dict()


def test_float32_weights_are_the_same_numbers(folder, file, tmp_path):
    write_dequantized(read_gguf(file), tmp_path / "out")
    found, wanted = weights_of(tmp_path / "out"), weights_of(folder)
    assert found.keys() == wanted.keys()
    assert [name for name in wanted if not torch.equal(found[name], wanted[name])] == []
    assert "lm_head.weight" not in load_file(tmp_path / "out/model.safetensors")
    assert "quantization_config" not in read_json(tmp_path / "out/config.json")


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Q8_0, Q4_0])
def test_quantised_weights_are_the_dequantised_ones(folder, tmp_path, kind):
    source = read_gguf(write_gguf(folder, tmp_path / "small.gguf", kind))
    assert source.types == {"F32": 5, kind.name: 15}
    write_dequantized(source, tmp_path / "out")
    found, original = weights_of(tmp_path / "out"), weights_of(folder)
    for name, weight in original.items():
        rounded = weight.numpy()
        if weight.ndim > 1:
            rounded = gguf.dequantize(gguf.quantize(rounded, kind), kind)
            assert not np.array_equal(rounded, weight.numpy())
        assert np.array_equal(found[name].numpy(), rounded), name


def test_tokenizer_gives_the_same_tokens(folder, file, tmp_path):
    write_dequantized(read_gguf(file), tmp_path / "out")
    found, wanted = load_tokenizer(tmp_path / "out"), load_tokenizer(folder)
    for text in [*sentences().values(), "a  b\n\nc 2024!", "<|end|> x"]:
        assert found(text)["input_ids"] == wanted(text)["input_ids"], text
    assert (found.bos_token, found.eos_token, found.pad_token) == (wanted.bos_token, wanted.eos_token, wanted.pad_token)


@pytest.mark.slow
@pytest.mark.usefixtures("no_llama")
def test_converted_base_is_recorded_with_its_source(file, known, tmp_path):
    base = Base(gguf=str(file))
    convert_base(base, tmp_path / "base")
    prefetch_base(base, tmp_path / "base", tmp_path / "base.json")
    record = read_json(tmp_path / "base.json")
    assert (record["name"], record["revision"]) == ("small.gguf", None)
    assert record["gguf"]["sha256"] == sha256(file)
    assert record["gguf"]["tensors_by_type"] == {"F32": 20}
    assert record["gguf"]["check"]["compared_with"] == f"the recorded value: {known:.4f} bits per byte"
    assert str(tmp_path) not in str(record["gguf"])
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.slow
@pytest.mark.usefixtures("no_llama")
def test_folder_that_was_converted_keeps_its_record(file, known, tmp_path):
    convert_base(Base(gguf=str(file)), tmp_path / "base")
    prefetch_base(Base(folder=str(tmp_path / "base")), None, tmp_path / "base.json")
    assert read_json(tmp_path / "base.json")["gguf"]["file"] == "small.gguf"


@pytest.mark.usefixtures("no_llama", "known")
def test_cached_hub_file_needs_no_network(file, tmp_path, monkeypatch):
    place = hub_cache(tmp_path, monkeypatch, file, sha256(file))
    base = Base(gguf="org/model/small.gguf", revision=REVISION)
    convert_base(base, tmp_path / "base")
    record = read_json(tmp_path / "base/gguf.json")
    assert (record["file"], record["revision"]) == ("org/model/small.gguf", REVISION)
    assert place.is_file()


def test_hub_file_with_another_hash_is_refused(file, tmp_path, monkeypatch):
    hub_cache(tmp_path, monkeypatch, file, "0" * 64)
    with pytest.raises(UserError, match=r"small\.gguf is damaged \(its SHA-256 is not 0{64}\)"):
        convert_base(Base(gguf="org/model/small.gguf", revision=REVISION), tmp_path / "base")
    assert not (tmp_path / "base").exists()


def hub_cache(folder, monkeypatch, file, digest):
    """Put a file into an imitation of the Hub's cache, where a large file is named after its SHA-256."""
    repository = folder / "hub/models--org--model"
    (repository / "blobs").mkdir(parents=True)
    shutil.copy(file, repository / "blobs" / digest)
    (repository / "snapshots" / REVISION).mkdir(parents=True)
    (repository / "snapshots" / REVISION / "small.gguf").symlink_to(f"../../blobs/{digest}")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(folder / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return repository / "blobs" / digest


def test_unavailable_hub_file_error_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match=r"base\.gguf: org/model/small\.gguf at .* `snakemake prefetch"):
        convert_base(Base(gguf="org/model/small.gguf", revision=REVISION), tmp_path / "base")


def test_missing_file_error_names_path_and_revision(tmp_path):
    with pytest.raises(UserError, match=r"no file org/model/small\.gguf\. .*base\.revision"):
        convert_base(Base(gguf="org/model/small.gguf"), tmp_path / "base")


def cut(file):
    file.write_bytes(file.read_bytes()[:-1000])


def cut_in_header(file):
    file.write_bytes(file.read_bytes()[:2000])


def replace_with_text(file):
    file.write_text("not a model", encoding="utf-8")


def empty(file):
    file.write_bytes(b"")


@pytest.mark.parametrize("damage", [cut, cut_in_header, replace_with_text, empty])
def test_damaged_file_is_one_error(file, tmp_path, damage):
    damage(file)
    with pytest.raises(UserError, match=r"small\.gguf: (is not a complete GGUF file|ends before its last tensor)"):
        convert_base(Base(gguf=str(file)), tmp_path / "base")
    assert not (tmp_path / "base").exists()


def test_part_of_a_divided_model_is_refused(tmp_path):
    writer = gguf.GGUFWriter(tmp_path / "a-00001-of-00003.gguf", "llama")
    writer.add_uint16("split.count", 3)
    writer.add_tensor("token_embd.weight", np.zeros((4, 4), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(UserError, match=r"is one of 3 parts of a model.*--merge"):
        convert_base(Base(gguf=str(tmp_path / "a-00001-of-00003.gguf")), tmp_path / "base")


def test_unknown_architecture_is_one_error(tmp_path):
    writer = gguf.GGUFWriter(tmp_path / "odd.gguf", "odd")
    writer.add_tensor("token_embd.weight", np.zeros((4, 4), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(UserError, match=r"cannot read this GGUF of the architecture 'odd' .*base\.hub"):
        convert_base(Base(gguf=str(tmp_path / "odd.gguf")), tmp_path / "base")


def test_tensor_that_transformers_leaves_out_is_refused(folder, tmp_path):
    extra = [("blk.0.attn_q.extra", np.ones(8, np.float32))]
    file = write_gguf(folder, tmp_path / "small.gguf", extra=extra)
    with pytest.raises(UserError, match="transformers reads 106,816 of its 106,824 weights"):
        convert_base(Base(gguf=str(file)), tmp_path / "base")


def llama3_factors(config):
    """Return the factors that llama.cpp's converter writes for Llama 3.2's scaling, for these frequencies."""
    size = config.hidden_size // config.num_attention_heads
    wavelengths = 2 * np.pi * config.rope_parameters["rope_theta"] ** (np.arange(0, size, 2) / size)
    smooth = (8192 / wavelengths - 1) / (4 - 1)
    between = 1 / ((1 - smooth) / 32 + smooth)
    return np.where(wavelengths < 8192 / 4, 1, np.where(wavelengths > 8192, 32, between)).astype(np.float32)


def test_rotary_scaling_of_llama3_is_recovered(folder, tmp_path):
    factors = llama3_factors(LlamaConfig.from_pretrained(folder))
    assert len(set(factors)) == 3
    file = write_gguf(folder, tmp_path / "small.gguf", extra=[("rope_freqs.weight", factors)])
    write_dequantized(read_gguf(file), tmp_path / "out")
    found = read_json(tmp_path / "out/config.json")["rope_parameters"]
    assert (found["rope_type"], found["factor"], found["rope_theta"]) == ("llama3", 32, 10000)
    plain, scaled = (
        LlamaForCausalLM.from_pretrained(place).model.rotary_emb.inv_freq for place in (folder, tmp_path / "out")
    )
    assert np.allclose(plain / scaled, factors, rtol=1e-4)


def test_other_rotary_factors_are_refused(folder, tmp_path):
    extra = [("rope_freqs.weight", np.linspace(1, 3, 8, dtype=np.float32))]
    file = write_gguf(folder, tmp_path / "small.gguf", extra=extra)
    with pytest.raises(UserError, match=r"does not read its scaled rotary positions \(rope_freqs\.weight\)"):
        convert_base(Base(gguf=str(file)), tmp_path / "base")


def test_rotary_scaling_that_transformers_does_not_read_is_refused(folder, tmp_path):
    file = write_gguf(folder, tmp_path / "small.gguf", scaling="linear")
    with pytest.raises(UserError, match=r"does not read its scaled rotary positions \(linear\)"):
        convert_base(Base(gguf=str(file)), tmp_path / "base")


def test_vocabulary_with_single_digits_divides_numbers(folder, tmp_path):
    write_dequantized(read_gguf(write_gguf(folder, tmp_path / "small.gguf", division="smollm")), tmp_path / "out")
    tokenizer = load_tokenizer(tmp_path / "out")
    pieces = tokenizer.backend_tokenizer.pre_tokenizer.pre_tokenize_str("in 2024, it's")
    assert [piece for piece, _ in pieces] == ["in", "Ġ", "2", "0", "2", "4", ",", "Ġit", "'s"]
    assert tokenizer("in 10")["input_ids"] != load_tokenizer(folder)("in 10")["input_ids"]


def test_unknown_division_of_text_is_refused(folder, tmp_path):
    file = write_gguf(folder, tmp_path / "small.gguf", division="odd")
    with pytest.raises(UserError, match=r"does not know how its vocabulary divides text \('odd'\)"):
        convert_base(Base(gguf=str(file)), tmp_path / "base")


def test_files_beside_the_gguf_are_not_read(folder, file, tmp_path):
    (tmp_path / "adapter_config.json").write_text('{"base_model_name_or_path": "x"}', encoding="utf-8")
    (tmp_path / "tokenizer.json").write_text("{}", encoding="utf-8")
    write_dequantized(read_gguf(file), tmp_path / "out")
    assert load_tokenizer(tmp_path / "out")("abc")["input_ids"] == load_tokenizer(folder)("abc")["input_ids"]


@pytest.mark.usefixtures("no_llama")
def test_model_that_predicts_no_better_than_chance_is_refused(file, tmp_path):
    with pytest.raises(UserError, match=r"its best perplexity on ordinary sentences is .*, above 22\.63"):
        convert_base(Base(gguf=str(file)), tmp_path / "base")
    assert not (tmp_path / "base").exists()


@pytest.mark.usefixtures("no_llama")
def test_known_file_with_another_value_is_refused(file, tmp_path, monkeypatch):
    monkeypatch.setattr(gguf_check, "recorded_values", lambda: {sha256(file): 1.5})
    with pytest.raises(UserError, match=r"bits per byte, but 1\.5000 are recorded for it"):
        convert_base(Base(gguf=str(file)), tmp_path / "base")


@pytest.mark.slow
@pytest.mark.usefixtures("no_llama")
def test_model_that_knows_a_language_passes_the_bound(folder, tmp_path):
    model, tokenizer = LlamaForCausalLM.from_pretrained(folder), load_tokenizer(folder)
    ids = tokenizer(sentences()["en"], return_tensors="pt")["input_ids"]
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(60):
        model(input_ids=ids, labels=ids).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    shutil.copytree(folder, tmp_path / "trained")
    model.save_pretrained(tmp_path / "trained")
    file = write_gguf(tmp_path / "trained", tmp_path / "small.gguf", Q8_0)
    convert_base(Base(gguf=str(file)), tmp_path / "base")
    compared = read_json(tmp_path / "base/gguf.json")["check"]["compared_with"]
    assert compared.startswith("a bound: best perplexity")
    assert "(en), at most 22.6" in compared


def put_llama(folder, monkeypatch, value):
    """Put a program on the PATH that prints a perplexity as llama.cpp's does."""
    program = folder / "bin/llama-perplexity"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho 'Final estimate: PPL = {value} +/- 0.1'\n", encoding="utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{program.parent}:/bin:/usr/bin")


@pytest.mark.slow
@pytest.mark.parametrize(("factor", "agrees"), [(1.02, True), (1.2, False)])
def test_llama_perplexity_is_compared_where_it_is_installed(folder, file, tmp_path, monkeypatch, factor, agrees):
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), load_tokenizer(folder)
    put_llama(tmp_path, monkeypatch, f"{factor * perplexity_in_chunks(model, tokenizer):.4f}")
    if agrees:
        assert check_conversion(folder, file, "0")["compared_with"].startswith("llama-perplexity: perplexity")
    else:
        with pytest.raises(UserError, match="but llama-perplexity gives"):
            check_conversion(folder, file, "0")


def test_failing_llama_perplexity_is_one_error(folder, file, tmp_path, monkeypatch):
    put_llama(tmp_path, monkeypatch, "nan")
    with pytest.raises(UserError, match="llama-perplexity, found on the PATH, cannot read the file"):
        check_conversion(folder, file, "0")


def test_fit_is_that_of_the_models_own_loss(folder):
    model, tokenizer = LlamaForCausalLM.from_pretrained(folder), load_tokenizer(folder)
    text = sentences()["hu"]
    ids = tokenizer(text, return_tensors="pt")["input_ids"]
    fit = fit_of(model, tokenizer, text)
    assert (fit.tokens, fit.bytes) == (ids.shape[1] - 1, len(text.encode()))
    assert fit.perplexity == pytest.approx(model(input_ids=ids, labels=ids).loss.exp().item(), rel=1e-4)


def test_base_json_of_another_base_has_no_gguf(folder, tmp_path):
    record_base("x", None, folder, tmp_path / "base.json")
    assert "gguf" not in read_json(tmp_path / "base.json")
