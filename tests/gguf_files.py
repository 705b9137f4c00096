"""Write a small Llama base as a GGUF file, as llama.cpp's converter does."""

import json

import gguf
from transformers import AutoTokenizer, LlamaForCausalLM

CONTROL = 3


def permuted(weight, heads):
    """Return query or key rows in llama.cpp's order: it rotates neighbouring pairs, transformers rotates halves."""
    return weight.reshape(heads, 2, -1, weight.shape[-1]).swapaxes(1, 2).reshape(weight.shape)


def write_gguf(folder, path, kind=None, extra=(), scaling=None, division="gpt-2"):
    """Write the base in `folder` (Hugging Face layout, output matrix tied) to a GGUF file; return the path.

    kind: type of the matrices, e.g. `gguf.GGMLQuantizationType.Q8_0`; None keeps float32. extra: more tensors.
    scaling, division: kind of rotary scaling, and of dividing text, that the metadata state.
    """
    model = LlamaForCausalLM.from_pretrained(folder)
    writer = gguf.GGUFWriter(path, "llama")
    _add_config(writer, model.config)
    if scaling:
        writer.add_string("llama.rope.scaling.type", scaling)
    _add_tokenizer(writer, AutoTokenizer.from_pretrained(folder), division)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, model.config.num_hidden_layers)
    heads = {"q_proj": model.config.num_attention_heads, "k_proj": model.config.num_key_value_heads}
    for name, weight in model.model.named_parameters(prefix="model"):
        array = weight.detach().numpy()
        for projection, number in heads.items():
            if projection in name:
                array = permuted(array, number)
        place = names.get_name(name, try_suffixes=(".weight",))
        if kind is None or array.ndim == 1:
            writer.add_tensor(place, array.copy())
        else:
            writer.add_tensor(place, gguf.quantize(array, kind), raw_dtype=kind)
    for name, array in extra:
        writer.add_tensor(name, array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add_config(writer, config):
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_vocab_size(config.vocab_size)


def _add_tokenizer(writer, tokenizer, division):
    content = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
    tokens = sorted(content["vocab"], key=content["vocab"].get)
    special = set(tokenizer.all_special_tokens)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(division)
    writer.add_token_list(tokens)
    writer.add_token_types([CONTROL if token in special else 1 for token in tokens])
    writer.add_token_merges([" ".join(pair) for pair in content["merges"]])
    writer.add_bos_token_id(tokenizer.bos_token_id)
    writer.add_eos_token_id(tokenizer.eos_token_id)
    writer.add_pad_token_id(tokenizer.pad_token_id)
    writer.add_add_bos_token(True)
