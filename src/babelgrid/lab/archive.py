"""Write a lab archive of any size, with some rows made invalid on purpose."""

import csv
import gzip
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from babelgrid.config.classify import LabArchive
from babelgrid.lab.compose import POST, chance, draw_content, one_voice, say, text_of
from babelgrid.lab.lexicon import STANCES, Lexicon, load_lexicons
from babelgrid.runtime.files import whole_file, write_json

FAULTS = ("no text", "bytes that are not UTF-8", "a field too many")


def write_lab_archive(settings: LabArchive, seed: int, shard: int, out: Path, counts: Path) -> None:
    """Write one shard as gzipped CSV (id, language, text), and its row count and bad-row count as JSON.

    Rows cycle through the lab's 13 languages. Themes are random; on average, half of the posts are about immigration.
    Content may repeat.
    The random numbers of a row depend only on its own number, so shards are independent of each other, and the start of
    an archive does not depend on its length.
    """
    lexicons = list(load_lexicons().values())
    numbers = range(shard, settings.rows, settings.shards)
    bad = 0
    # The header contains no file name and no time, so that the same archive always has the same bytes.
    with whole_file(out) as path, path.open("wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as stream:
        stream.write(b"id,language,text\n")
        for number in numbers:
            rng = chance(seed, "archive", str(number))
            is_bad = rng.random() < settings.bad
            bad += is_bad
            stream.write(_line(number, lexicons[number % len(lexicons)], rng, is_bad))
    write_json(counts, {"rows": len(numbers), "bad": bad})


def _line(number: int, lexicon: Lexicon, rng: np.random.Generator, is_bad: bool) -> bytes:
    themes: Sequence[str] = STANCES if rng.random() < 0.5 else lexicon.domains
    content = draw_content(rng, themes[int(rng.integers(len(themes)))], lexicon, POST)
    fields = [f"row{number:09d}", lexicon.language, text_of(say(content, lexicon, one_voice(lexicon)))]
    fault = FAULTS[int(rng.integers(len(FAULTS)))] if is_bad else None
    if fault == "no text":
        fields[2] = ""
    if fault == "a field too many":
        fields.append("too many")
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(fields)
    line = text.getvalue().encode()
    return line.replace(b"\n", b"\xff\n") if fault == "bytes that are not UTF-8" else line
