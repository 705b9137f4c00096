"""Convert a base from a GGUF file to a folder in Hugging Face layout, with the weights dequantised to float32.

GGUF files mostly hold rounded weights. The folder holds exactly these rounded weights, so results on it are results of
the rounded model, not of the original one; `gguf.json` in the folder records how each tensor was rounded.
"""

import logging
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import pre_tokenizers
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel
from transformers.integrations.gguf.gguf_tokenizer_mapping import GGUF_PRE_TOKENIZER_SPLITS
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from babelgrid.base_files import GGUF_RECORD
from babelgrid.config.base import Base
from babelgrid.errors import UserError, in_one_line
from babelgrid.model.base import check_complete
from babelgrid.model.gguf_check import check_conversion
from babelgrid.model.hub import download_file
from babelgrid.runtime.files import sha256, write_folder, write_json, write_text
from babelgrid.runtime.places import public_path

log = logging.getLogger(__name__)

ROTARY = "rope_freqs.weight"
"""Tensor with a factor for each rotary frequency, which Llama 3.1 and later have; transformers leaves it out."""
LLAMA3 = {"low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}
"""Constants of Llama 3's scaling, the same in all published models; the GGUF has none of them."""
LIKE_GPT2 = {"gpt-2", "phi-2", "mpt", "olmo", "jais"}
SINGLE_DIGITS = {"smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"}
"""How a byte-level vocabulary divides text (llama.cpp, llama-vocab.cpp): like GPT-2, or so after each digit.

transformers has a table of other ways, and reads every unknown way as that of GPT-2.
"""


@dataclass(frozen=True)
class GgufFile:
    """A GGUF file: its SHA-256, architecture, number of tensors of each type (`Q4_K`: 27), and number of weights.

    rotary: factors of the rotary frequencies [head size / 2], if the file has them. scaling: kind of rotary scaling.
    division: how a byte-level vocabulary divides text (`tokenizer.ggml.pre`); None for other vocabularies.
    """

    path: Path
    sha256: str
    architecture: str
    types: Mapping[str, int]
    weights: int
    rotary: np.ndarray | None
    scaling: str | None
    division: str | None


def convert_base(settings: Base, out: Path) -> None:
    """Convert the GGUF file of the settings, which is downloaded first if it is on the Hub; see `convert_gguf`."""
    given = str(settings.gguf)
    if settings.revision is not None:
        convert_gguf(download_file("base.gguf", given, settings.revision), out, given, settings.revision)
        return
    path = Path(given).expanduser()
    if not path.is_file():
        raise UserError(
            f"base.gguf: there is no file {given}. Correct the path; for a file on the Hub (owner/name/file.gguf), set "
            "base.revision to a commit of its repository"
        )
    convert_gguf(path, out, Path(public_path(path)).name)


def convert_gguf(
    path: Path, out: Path, name: str, revision: str | None = None, texts: Mapping[str, str] | None = None
) -> None:
    """Write a folder with the model of a GGUF file in float32, its tokenizer and `gguf.json`.

    name, revision: the file's public name, for the record. texts: more files for the folder, such as a licence.
    Memory: about 9 bytes per weight. The conversion is checked (babelgrid.model.gguf_check).
    Raises `UserError`, and writes no folder, if the file is damaged or incomplete, if transformers cannot read it
    completely, or if the check fails.
    """
    source = read_gguf(path)
    log.info("%s: %s, %d weights, tensors by type %s", name, source.architecture, source.weights, dict(source.types))

    def fill(folder: Path) -> None:
        write_dequantized(source, folder)
        record = {
            "file": name,
            "revision": revision,
            "sha256": source.sha256,
            "architecture": source.architecture,
            "tensors_by_type": source.types,
            "weights": "dequantised to float32: results are those of the rounded weights",
            "check": check_conversion(folder, path, source.sha256),
        }
        write_json(folder / GGUF_RECORD, record)
        for file, text in (texts or {}).items():
            write_text(folder / file, text)

    write_folder(out, fill)


def read_gguf(path: Path) -> GgufFile:
    """Return what a GGUF file holds; raise `UserError` if it is no complete GGUF file."""
    from gguf import GGUFReader

    try:
        reader = GGUFReader(path)
        tensors = {tensor.name: tensor for tensor in reader.tensors}
        end = max(int(tensor.data_offset + tensor.n_bytes) for tensor in tensors.values())
        architecture = str(_field(reader, "general.architecture"))
        scaling = _field(reader, f"{architecture}.rope.scaling.type")
        parts = int(_field(reader, "split.count") or 1)
        is_byte_level = _field(reader, "tokenizer.ggml.model") == "gpt2"
        division = str(_field(reader, "tokenizer.ggml.pre")) if is_byte_level else None
    except Exception as error:  # a damaged file may raise any kind of error in the reader
        raise UserError(
            f"{path}: is not a complete GGUF file ({in_one_line(error)}). It may have been cut: fetch it again"
        ) from error
    if end > path.stat().st_size:
        raise UserError(f"{path}: ends before its last tensor. Fetch it again")
    if parts > 1:
        raise UserError(
            f"{path}: is one of {parts} parts of a model, and transformers reads one file only. Join the parts with "
            "llama.cpp's `llama-gguf-split --merge` and set base.gguf to the joined file"
        )
    rotary = tensors.pop(ROTARY, None)
    types = Counter(tensor.tensor_type.name for tensor in tensors.values())
    return GgufFile(
        path,
        sha256(path),
        architecture,
        dict(sorted(types.items())),
        sum(int(tensor.n_elements) for tensor in tensors.values()),
        None if rotary is None else np.array(rotary.data, dtype=np.float32),
        None if scaling in {None, "none"} else str(scaling),
        division,
    )


def _field(reader: Any, key: str) -> Any:
    return reader.fields[key].contents() if key in reader.fields else None


def write_dequantized(source: GgufFile, folder: Path) -> None:
    """Write model and tokenizer to a folder, as transformers reads them from the GGUF file.

    Raises `UserError` if transformers cannot read the file, or leaves out a part that changes the model.
    """
    model = _load(source, folder)
    found, wanted = model.num_parameters(), source.weights
    if found != wanted:
        raise _unread(source, f"reads {found:,} of its {wanted:,} weights")
    if source.rotary is not None:
        _scale_rotary(source, source.rotary, model.config)
    elif source.scaling and "factor" not in str(model.config.get_text_config().rope_parameters):
        raise _unread(source, f"does not read its scaled rotary positions ({source.scaling})")
    model.save_pretrained(folder)


def _scale_rotary(source: GgufFile, rotary: np.ndarray, config: Any) -> None:
    """Set the scaling of Llama 3's rotary positions, recovered from the factors in the file, and check it against them.

    Source: llama.cpp, convert_hf_to_gguf.py, and transformers, modeling_rope_utils.py.
    """
    plain = dict(config.rope_parameters or {})
    if "rope_theta" not in plain:  # each kind of layer has its own positions
        raise _unread(source, f"does not read its scaled rotary positions ({ROTARY})")
    config.rope_parameters = {**plain, "rope_type": "llama3", "factor": float(rotary.max()), **LLAMA3}
    scaled, _ = ROPE_INIT_FUNCTIONS["llama3"](config, device="cpu")
    size = 2 * len(scaled)
    unscaled = plain["rope_theta"] ** (-np.arange(0, size, 2) / size)
    if len(rotary) != len(scaled) or not np.allclose(unscaled / scaled.numpy(), rotary, rtol=1e-3):
        raise _unread(source, f"does not read its scaled rotary positions ({ROTARY})")


def _divide_text(source: GgufFile, tokenizer: Any) -> None:
    """Make the tokenizer divide text as its vocabulary was trained; `UserError` if that is not known."""
    if source.division is None or source.division in {*GGUF_PRE_TOKENIZER_SPLITS, *LIKE_GPT2}:
        return
    if source.division not in SINGLE_DIGITS:
        raise _unread(source, f"does not know how its vocabulary divides text ({source.division!r})")
    digits, rest = pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, rest])


def _unread(source: GgufFile, what: str) -> UserError:
    return UserError(
        f"{source.path}: transformers {what}, so the base would be another model. Use its original repository "
        "(base.hub)"
    )


def _load(source: GgufFile, out: Path) -> PreTrainedModel:
    """Return the model, and save the tokenizer to `out`."""
    with tempfile.TemporaryDirectory() as folder:
        # A folder of its own: beside the file there may be a tokenizer or an adapter, which would be loaded too.
        (Path(folder) / "model.gguf").symlink_to(source.path.resolve())
        place: dict[str, Any] = {"gguf_file": "model.gguf", "local_files_only": True, "trust_remote_code": False}
        try:
            tokenizer = AutoTokenizer.from_pretrained(folder, **place)
            loaded: Any = AutoModelForCausalLM.from_pretrained(
                folder, dtype=torch.float32, output_loading_info=True, **place
            )
        except Exception as error:  # third-party files may raise any exception in the libraries
            raise UserError(
                f"{source.path}: transformers cannot read this GGUF of the architecture {source.architecture!r} "
                f"({in_one_line(error)}). Use the base's original repository (base.hub)"
            ) from error
    check_complete(source.path, loaded[0], loaded[1])
    _divide_text(source, tokenizer)
    tokenizer.save_pretrained(out)
    return _as_plain_model(loaded[0])


def _as_plain_model(model: Any) -> PreTrainedModel:
    """Return the same weights in a model that can be saved: transformers saves none that was read from GGUF."""
    config = model.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    with torch.device("meta"):  # no memory, as the tensors are taken over
        plain: PreTrainedModel = type(model)(config)
    plain.load_state_dict(model.state_dict(), assign=True)
    plain.tie_weights()
    return plain
