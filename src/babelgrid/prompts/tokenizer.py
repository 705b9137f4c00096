"""The base's own tokenizer, from a local folder."""

from pathlib import Path

from transformers import AutoTokenizer, PreTrainedTokenizerBase

from babelgrid.base_files import base_folder
from babelgrid.errors import UserError, in_one_line


def load_base_tokenizer(base_path: str | Path) -> PreTrainedTokenizerBase:
    """Load the tokenizer of the base that a base.json records; `UserError` where its files have changed since."""
    return load_tokenizer(base_folder(base_path, tokenizer_only=True))


def load_tokenizer(folder: str | Path) -> PreTrainedTokenizerBase:
    """Load a tokenizer from a folder in Hugging Face layout; never from the network, never with foreign code.

    Raises `UserError` if the folder holds none, or one without character offsets.
    """
    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
    except Exception as error:  # these files come from others, and what they raise in the libraries is open
        raise UserError(f"{folder}: no tokenizer can be loaded from here ({in_one_line(error)})") from error
    if not tokenizer.is_fast:
        raise UserError(
            f"{folder}: its tokenizer does not tell which characters a token stands for, so posts cannot be cut. "
            "Convert it to tokenizer.json (the tokenizers library)"
        )
    return tokenizer
