"""Load the base's own tokenizer from a local folder."""

from pathlib import Path

from transformers import AutoTokenizer, PreTrainedTokenizerBase

from babelgrid.base_files import base_folder
from babelgrid.errors import UserError, in_one_line


def load_base_tokenizer(base_path: str | Path) -> PreTrainedTokenizerBase:
    """Load the tokenizer of the base recorded in a base.json; `UserError` if its files have changed since."""
    return load_tokenizer(base_folder(base_path, tokenizer_only=True))


def load_tokenizer(folder: str | Path) -> PreTrainedTokenizerBase:
    """Load a tokenizer from a folder in Hugging Face layout, without network access or custom code.

    Raises `UserError` if the folder has no loadable tokenizer, or one without character offsets.
    """
    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
    except Exception as error:  # untrusted files may cause any kind of error in the libraries
        raise UserError(f"{folder}: no tokenizer can be loaded from this folder ({in_one_line(error)})") from error
    if not tokenizer.is_fast:
        raise UserError(
            f"{folder}: the tokenizer gives no character offsets, so posts cannot be truncated. "
            "Convert it to tokenizer.json (with the tokenizers library)"
        )
    return tokenizer
