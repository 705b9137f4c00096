"""Count the tokens of each post with the base's own tokenizer."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from babelgrid.config.prompt import Prompt
from babelgrid.prompts.template import count_tokens, encode_prompts, frame_of
from babelgrid.prompts.tokenizer import load_base_tokenizer
from babelgrid.runtime.files import provenance, read_parquet, write_parquet


def count_post_tokens(prompt: Prompt, posts_path: Path, base_path: Path, languages: Sequence[str], out: Path) -> None:
    """Write id, language, text_tokens, prompt_tokens, truncated for every post in `languages`.

    text_tokens: tokens of the full text without the prompt. prompt_tokens: tokens that the model reads, including the
    frame, after truncating the post. truncated: whether the post was truncated.
    """
    tokenizer = load_base_tokenizer(base_path)
    posts = read_parquet(posts_path, ["id", "language", "text"])
    counted = []
    for language in languages:
        rows = posts[posts["language"] == language]
        texts = rows["text"].tolist()
        lengths = count_tokens(texts, tokenizer)
        prompts = encode_prompts(frame_of(prompt, language, tokenizer), texts, tokenizer, prompt.max_post_tokens)
        counts = pd.DataFrame(
            {
                "id": rows["id"].tolist(),
                "language": language,
                "text_tokens": lengths,
                "prompt_tokens": [len(ids) for ids in prompts],
                "truncated": [length > prompt.max_post_tokens for length in lengths],
            }
        )
        counted.append(counts)
    settings = prompt.model_dump(mode="json")
    write_parquet(out, pd.concat(counted, ignore_index=True), provenance(settings, [posts_path, base_path]))
