"""Break up the control tokens of chat models in text for a model whose tokenizer is not available."""

import regex

# Spellings in the tokenizers and chat templates of each family (a bar may be full-width, U+FF5C):
#   <|eot_id|> <|im_start|> <|user|> <|turn> <turn|>             Llama 3 and 4, Qwen, Phi, GLM, gpt-oss, DeepSeek, Gemma
#   [|user|] [INST] [/INST] [SYSTEM_PROMPT] [TOOL_CALLS] [gMASK] EXAONE, Llama 2, Mistral, GLM
#   <s> </s> <bos> <start_of_turn> <<SYS>> <think> <sop>         Llama 2, Mistral, Gemma, reasoning models, GLM
#   <extra_id_1> <SPECIAL_12> <unused9> <0x0A>                   T5, Nemotron, Mistral, Gemma, tokens of single bytes
CONTROL_TOKEN = regex.compile(
    r"""
    <[|\uff5c][^<>\s]{1,64}> | <[^<>\s]{1,64}[|\uff5c]> | \[\|[^\[\]\s]{1,64}\|\]
    | \[/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT|CALL_ID|ARGS|THINK|IMG
        |IMG_BREAK|IMG_END|PREFIX|MIDDLE|SUFFIX|CLS|SEP|MASK|PAD|UNK|BOS|EOS|[gs]MASK)\]
    | <</?SYS>>
    | </?(?:s|bos|eos|pad|unk|mask|cls|sep|sop|eop|eod|start_of_turn|end_of_turn|start_of_image|end_of_image
        |think|thinking|tool_call|tool_calls|tool_response|tools|tool|system|user|assistant|human|model
        |image_soft_token|fim_prefix|fim_middle|fim_suffix
        |(?:extra_id|special|unused|reserved|reserved_special_token)_?[0-9]{1,5}|0x[0-9a-f]{2})>
    """,
    regex.VERBOSE | regex.IGNORECASE | regex.VERSION1,
)


def open_control_tokens(post: str, before: str = "", after: str = "") -> str:
    """Return the post with a space inserted into every well-known control token: `< |eot_id|>`.

    before, after: the text around the post, which may form a control token together with the post.
    """
    prompt = before + post + after
    start, end = len(before), len(before) + len(post)
    pieces: list[str] = []
    place = start
    for found in CONTROL_TOKEN.finditer(prompt, overlapped=True):
        if found.start() < end and found.end() > start:
            cut = max(found.start() + 1, start)
            pieces += [prompt[place:cut], " "]
            place = cut
    return "".join([*pieces, prompt[place:end]])
