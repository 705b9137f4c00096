"""Convert merged weights to GGUF for llama.cpp and tools based on it, with llama.cpp's own converter."""

import logging
import shutil
import subprocess
import sys
from pathlib import Path

from babelgrid.errors import UserError

log = logging.getLogger(__name__)

CONVERTER = "convert_hf_to_gguf.py"


def write_gguf(merged: Path, numbers: str, out: Path) -> None:
    """Convert merged weights; numbers: f32, f16, bf16 or q8_0, as the converter names them.

    Raises `UserError` if there is no converter or it fails.
    """
    converter = shutil.which(CONVERTER)
    if converter is None:
        raise UserError(
            f"release.gguf: no {CONVERTER} on the PATH. Add a checkout of llama.cpp to the PATH and install its "
            "requirements, or set release.gguf to null"
        )
    out.parent.mkdir()
    command = [sys.executable, converter, str(merged), "--outfile", str(out), "--outtype", numbers]
    ended = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if ended.returncode != 0 or not out.is_file():
        last = (ended.stderr.strip().splitlines() or ["no error message"])[-1]
        raise UserError(f"release.gguf: {converter} failed: {last}")
    log.info("gguf: %d bytes", out.stat().st_size)
