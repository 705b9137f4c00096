"""The base's own tokenizer, from a local folder."""

from pathlib import Path

from transformers import AutoTokenizer, PreTrainedTokenizerBase

from babelgrid.errors import UserError


def load_tokenizer(folder: str | Path) -> PreTrainedTokenizerBase:
    """Load a tokenizer from a folder in Hugging Face layout; never from the network, never with foreign code.

    Raises `UserError` if the folder holds none.
    """
    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
    except (OSError, ValueError) as error:
        raise UserError(f"{folder}: no tokenizer can be loaded from here ({error})") from error
    return tokenizer
