"""Test unusual but realistic texts in every reader, the tokenizer and the tables."""

import csv
import json

import pandas as pd
import pytest

from babelgrid.config.prompt import Prompt
from babelgrid.prompts.template import encode_prompts, frame_of
from babelgrid.runtime.files import read_parquet, write_parquet
from bases import train_tokenizer

ODD = {
    "markup": '<script>alert("x")</script><img src=x onerror=alert(1)>',
    "formula": '=HYPERLINK("A1","click")',
    "NUL": "before\x00after the zero",
    "long": "a long word and " * 65_536,
    "emoji": "😀👩\u200d👩\u200d👧🏳️\u200d🌈",
    "right-to-left": "\u202eesrever ni\u202c, \u2067\u05e9\u05dc\u05dd\u2069",
    "lone surrogate": "half a pair \ud83d of two",
    "control": "bell \x07 escape \x1b[31m red \x85",
    "line ends": "one\r\ntwo\u2028three\x0bfour",
    "special token": "<|begin|> and {text} and %s",
}


@pytest.fixture(params=["csv", "tsv", "jsonl", "parquet"])
def odd_file(request, tmp_path):
    """Write a file in each format with the odd texts that the format can represent, between two plain ones."""
    texts = ["the first plain text", *ODD.values(), "the last plain text"]
    rows = [{"language": "en", "text": text, "label": "pro"} for text in texts]
    path = tmp_path / f"posts.{request.param}"
    if request.param == "jsonl":
        path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    elif request.param == "parquet":
        whole = [row for row in rows if "\ud83d" not in row["text"]]
        pd.DataFrame(whole).to_parquet(path)
    else:
        with path.open("w", encoding="utf-8", errors="surrogatepass", newline="") as stream:
            writer = csv.DictWriter(stream, rows[0], delimiter="," if request.param == "csv" else "\t")
            writer.writeheader()
            writer.writerows(rows)
    return path


@pytest.mark.slow
def test_odd_text_is_cleaned_or_dropped_with_reason(odd_file, prepare):
    posts, dropped = prepare(odd_file.name, on_error="drop")
    kept = posts["text"].tolist()
    assert kept[0] == "the first plain text"
    assert kept[-1] == "the last plain text"
    assert ODD["markup"] in kept
    assert ODD["formula"] in kept
    assert len(kept) + len(dropped) >= len(ODD) + 1
    assert dropped["reason"].notna().all()
    for text in kept:
        assert text.encode("utf-8")
        assert "\x00" not in text


@pytest.mark.slow
def test_kept_texts_can_be_tokenised_and_written(odd_file, prepare, tmp_path):
    posts, _ = prepare(odd_file.name, on_error="drop")
    tokenizer = train_tokenizer()
    prompts = encode_prompts(frame_of(Prompt(), "en", tokenizer), posts["text"].tolist(), tokenizer, 64)
    assert all(ids.count(tokenizer.bos_token_id) == 1 for ids in prompts)
    write_parquet(tmp_path / "again.parquet", posts)
    assert read_parquet(tmp_path / "again.parquet")["text"].tolist() == posts["text"].tolist()
