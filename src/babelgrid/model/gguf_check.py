"""Check a base that was converted from GGUF: how well it predicts ordinary sentences.

A conversion that goes wrong (weights in another order, a missing scale, a wrong tokenizer) still gives a model that
loads and runs, but predicts text hardly better than chance. Three checks, the first that is possible:

1. `llama-perplexity` of llama.cpp, if it is on the PATH: both programs must give the same perplexity.
2. The value recorded in gguf_bases.csv, if the file's SHA-256 is there.
3. A bound: in the language that the model predicts best, its perplexity is at most the square root of the size of its
   vocabulary, so the mean logarithm of a token's probability is at most half that of a uniform guess.
"""

import csv
import logging
import math
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerBase

from babelgrid.base_files import GGUF_RECORD
from babelgrid.errors import UserError
from babelgrid.prompts.tokenizer import load_tokenizer
from babelgrid.runtime.files import read_json

log = logging.getLogger(__name__)

PROGRAM = "llama-perplexity"
CONTEXT = 64
"""Tokens in a chunk for llama.cpp: short, as it wants two chunks at least and the sentences are few."""
TOLERANCE_TO_LLAMA = 0.05
"""Relative difference of perplexity. llama.cpp rounds activations to 8 bits, which babelgrid does not."""
TOLERANCE_TO_RECORD = 0.002
"""Difference in bits per byte. The weights are the same numbers on every machine; only sums are rounded differently."""


@dataclass(frozen=True)
class Fit:
    """How well a model predicts a text: sum of -log2 of its tokens' probabilities, their number, and bytes of text."""

    bits: float
    tokens: int
    bytes: int

    @property
    def bits_per_byte(self) -> float:
        """Return the mean over bytes, which does not depend on the tokenizer."""
        return self.bits / self.bytes

    @property
    def perplexity(self) -> float:
        """Return 2 to the power of the mean over tokens."""
        return float(2.0 ** (self.bits / self.tokens))


def check_conversion(folder: Path, source: Path, digest: str) -> dict[str, Any]:
    """Return what was measured and compared, rounded; see the module for the checks.

    folder: the converted base. source, digest: the GGUF file and its SHA-256.
    Raises `UserError` if the check fails.
    """
    model, tokenizer = _load(folder)
    fits = {language: fit_of(model, tokenizer, text) for language, text in sentences().items()}
    total = bits_per_byte(fits.values())
    log.info("bits per byte: %.4f in all; %s", total, {name: round(fit.bits_per_byte, 3) for name, fit in fits.items()})
    if not math.isfinite(total):
        raise _failed(source, "it predicts sentences with probabilities that are not finite numbers")
    recorded = recorded_values().get(digest)
    if shutil.which(PROGRAM):
        compared = _compare_with_llama(source, perplexity_in_chunks(model, tokenizer))
    elif recorded is not None:
        compared = _compare_with_record(source, total, recorded)
    else:
        compared = _compare_with_bound(source, fits, model.config.get_text_config().vocab_size)
    return {
        "compared_with": compared,
        "bits_per_byte": round(total, 3),
        "by_language": {
            language: {"bits_per_byte": round(fit.bits_per_byte, 3), "perplexity": float(f"{fit.perplexity:.3g}")}
            for language, fit in fits.items()
        },
    }


def _load(folder: Path) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    model: Any = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, local_files_only=True, use_safetensors=True, trust_remote_code=False
    )
    return model.eval(), load_tokenizer(folder)


def bits_per_byte(fits: Iterable[Fit]) -> float:
    """Return the mean over the bytes of several texts."""
    its = list(fits)
    return sum(fit.bits for fit in its) / sum(fit.bytes for fit in its)


def recorded_values() -> dict[str, float]:
    """Return bits per byte of all sentences for known GGUF files, by SHA-256 (gguf_bases.csv)."""
    return {row["sha256"]: float(row["bits_per_byte"]) for row in _rows("gguf_bases.csv")}


def sentences() -> dict[str, str]:
    """Return two ordinary sentences in each of several languages (sentences.csv)."""
    return {row["language"]: row["text"] for row in _rows("sentences.csv")}


def _rows(name: str) -> list[dict[str, str]]:
    text = files("babelgrid.model").joinpath(name).read_text(encoding="utf-8")
    return list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))


def fit_of(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, text: str) -> Fit:
    """Return how well a model predicts a text after its BOS token, if it has one; else after the first token."""
    ids = _ids(tokenizer, text)
    bos = tokenizer.bos_token_id
    if bos is not None and ids[0] != bos:
        ids = [bos, *ids]
    return Fit(_bits(model, ids).sum().item(), len(ids) - 1, len(text.encode()))


def perplexity_in_chunks(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> float:
    """Return the perplexity of all sentences as `llama-perplexity` defines it.

    The text is cut into chunks of `CONTEXT` tokens; a BOS token replaces the first of each chunk if the tokenizer adds
    one; only the second half of a chunk is counted (llama.cpp, tools/perplexity/perplexity.cpp).
    """
    ids = _ids(tokenizer, _all_sentences())
    bos = tokenizer.bos_token_id
    adds_bos = bos is not None and ids[0] == bos
    chunks = [ids[start : start + CONTEXT] for start in range(0, len(ids) - CONTEXT + 1, CONTEXT)]
    bits = [_bits(model, [bos if adds_bos else chunk[0], *chunk[1:]])[CONTEXT // 2 :] for chunk in chunks]
    return float(2.0 ** torch.cat(bits).mean().item())


@torch.inference_mode()
def _bits(model: PreTrainedModel, ids: Sequence[int]) -> torch.Tensor:
    """Return -log2 of the probability of each token but the first, [tokens - 1], as float64."""
    row = torch.tensor([ids])
    logits = model(input_ids=row, use_cache=False).logits[0, :-1]
    bits: torch.Tensor = -logits.log_softmax(-1).gather(1, row[0, 1:, None])[:, 0].double() / math.log(2)
    return bits


def _ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    ids: list[int] = tokenizer(text)["input_ids"]
    return ids


def _all_sentences() -> str:
    return "\n".join(sentences().values())


def _compare_with_llama(source: Path, ours: float) -> str:
    theirs = llama_perplexity(source)
    log.info("perplexity in chunks of %d tokens: %.4f; %s: %.4f", CONTEXT, ours, PROGRAM, theirs)
    if not abs(ours / theirs - 1) <= TOLERANCE_TO_LLAMA:
        raise _failed(
            source, f"its perplexity on ordinary sentences is {ours:.4g}, but {PROGRAM} gives {theirs:.4g} for the file"
        )
    return f"{PROGRAM}: perplexity {theirs:.4g} there, {ours:.4g} here"


def llama_perplexity(source: Path) -> float:
    """Return the perplexity of all sentences that llama.cpp's own program gives for a GGUF file.

    Raises `UserError` if the program fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "sentences.txt"
        text.write_text(_all_sentences(), encoding="utf-8")
        command = [PROGRAM, "-m", str(source), "-f", str(text), "-c", str(CONTEXT), "-ngl", "0"]
        ended = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    found = re.findall(r"Final estimate: PPL\b[^\n]*?=\s*([0-9.]+)", ended.stdout + ended.stderr)
    if ended.returncode != 0 or not found:
        last = (ended.stderr.strip().splitlines() or ["no error message"])[-1]
        raise UserError(
            f"{source}: {PROGRAM}, found on the PATH, cannot read the file ({last}). Update llama.cpp, or take it off "
            "the PATH to check the conversion without it"
        )
    return float(found[-1])


def _compare_with_record(source: Path, ours: float, recorded: float) -> str:
    if not abs(ours - recorded) <= TOLERANCE_TO_RECORD:
        raise _failed(
            source, f"ordinary sentences take {ours:.4f} bits per byte, but {recorded:.4f} are recorded for it"
        )
    return f"the recorded value: {recorded:.4f} bits per byte"


def _compare_with_bound(source: Path, fits: dict[str, Fit], vocabulary: int) -> str:
    best = min(fits, key=lambda language: fits[language].perplexity)
    least, bound = fits[best].perplexity, math.sqrt(vocabulary)
    if not least <= bound:
        raise _failed(
            source,
            f"its best perplexity on ordinary sentences is {least:.4g} ({best}), above {bound:.4g} (the square root of "
            f"the vocabulary); a language model that was read correctly is far below",
        )
    return f"a bound: best perplexity {least:.3g} ({best}), at most {bound:.3g}"


def _failed(source: Path, what: str) -> UserError:
    return UserError(
        f"{source}: the converted base is not the model of the file: {what}. Nothing was written. Use the base's "
        "original repository (base.hub), or another GGUF of it"
    )


def main() -> None:
    """Print the lines of gguf_bases.csv for converted folders."""
    print("file,sha256,bits_per_byte")
    for folder in map(Path, sys.argv[1:]):
        record = read_json(folder / GGUF_RECORD)
        model, tokenizer = _load(folder)
        total = bits_per_byte(fit_of(model, tokenizer, text) for text in sentences().values())
        print(f"{record['file']},{record['sha256']},{total:.4f}", flush=True)


if __name__ == "__main__":
    main()
