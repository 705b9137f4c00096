"""Label every post of an archive in constant memory; a killed job resumes where it stopped."""

import json
import logging
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain, count
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from babelgrid.classify.reader import Archive, Group, encoded_groups
from babelgrid.classify.score_cache import SeenPosts
from babelgrid.config.base import Base
from babelgrid.config.finetune import Predict
from babelgrid.config.prompt import Label, label_settings
from babelgrid.errors import UserError
from babelgrid.model.base import choose_device, describe_device, note_device
from babelgrid.model.checkpoints import digest
from babelgrid.model.predict import load_adapted
from babelgrid.model.score import label_log_probabilities
from babelgrid.prompts.answers import label_paths
from babelgrid.prompts.tokenizer import load_tokenizer
from babelgrid.runtime.files import PROVENANCE_KEY, provenance, sha256, whole_file, write_csv, write_json
from babelgrid.runtime.places import public_path
from babelgrid.runtime.progress import progress_bar
from babelgrid.runtime.usage import Usage, working

log = logging.getLogger(__name__)

COUNTS_KEY = b"babelgrid-counts"
SECONDS_BETWEEN_LINES = 10.0
SEEN = "seen.sqlite"


@dataclass(frozen=True)
class Classifier:
    """The model that assigns labels: the base, its adapter, and the name in the output."""

    base_path: Path
    base: Base
    adapter: Path | None
    """Folder of the adapter, or None for the untuned base."""
    labels: Mapping[str, Label]
    settings: Predict
    name: str

    @property
    def files(self) -> list[Path]:
        """The model files that the labels depend on."""
        if self.adapter is None:
            return [self.base_path]
        return [self.base_path, self.adapter / "adapter_config.json", self.adapter / "adapter_model.safetensors"]

    @cached_property
    def model_id(self) -> str:
        """The model's name and the first 12 digits of its weights' SHA-256."""
        return f"{self.name}@{sha256(self.files[-1])[:12]}"


@dataclass(frozen=True)
class Classified:
    """The output files of one job: labelled posts, rejected rows, and row counts."""

    posts: Path
    rejected: Path
    counts: Path


def classify(archive: Archive, classifier: Classifier, out: Classified, kept: Path, *, code: str, usage: Usage) -> None:
    """Write id, kept columns, language, predicted, p_<label> and model for every row that has a text.

    p_<label>: probability of the label among all labels. Rows that cannot be classified (no text, broken encoding, …)
    are written to `out.rejected` (file, line, reason). kept: folder for finished groups, from which a killed job
    resumes; groups created with a different file, settings, weights, code or device are removed.
    Raises `UserError` if the archive or the model cannot be read, or if the row counts do not add up.
    """
    record = provenance(_settings_of(archive, classifier), [archive.part.path, *classifier.files])
    made_by = [record, list(classifier.labels), code, describe_device(choose_device(classifier.base))]
    groups = _take_over(kept / digest(made_by))
    done = _whole_groups(groups)
    read = sum(counts["read"] for counts in map(_counts_of, done))
    if done:
        log.info("resuming after %d rows in %d complete groups", read, len(done))
    left = replace(archive, part=archive.part.after(read))
    if not done or left.part.rows != 0:
        _score_groups(left, classifier, groups, len(done), read, usage)
    _assemble(_whole_groups(groups), archive, record, out)
    shutil.rmtree(kept)


def _settings_of(archive: Archive, classifier: Classifier) -> dict[str, Any]:
    blocks = {"classify": archive.settings, "prompt": archive.prompt, "base": classifier.base}
    labels = label_settings(classifier.labels)
    part = {"first": archive.part.first, "rows": archive.part.rows, "aliases": dict(archive.aliases)}
    dumped = {name: block.model_dump(mode="json") for name, block in blocks.items()}
    return {**dumped, "labels": labels, "predict": classifier.settings.model_dump(mode="json"), **part}


def _take_over(groups: Path) -> Path:
    """Create the folder of this job's groups, and remove sibling folders created with other inputs or settings."""
    groups.mkdir(parents=True, exist_ok=True)
    for other in groups.parent.iterdir():
        if other != groups:
            log.info("%s was created with different inputs, settings, code or device: removed", other)
            shutil.rmtree(other)
    return groups


def _whole_groups(groups: Path) -> list[Path]:
    """Return the groups before the first missing or damaged one; remove all groups after it."""
    whole: list[Path] = []
    for path in (groups / f"{number:06d}.parquet" for number in count()):
        try:
            _counts_of(path)
        except (OSError, KeyError, pa.ArrowException):
            for later in groups.glob("*.parquet"):
                if later not in whole:
                    later.unlink()
            return whole
        whole.append(path)
    return whole


def _counts_of(group: Path) -> dict[str, Any]:
    """Return the counts in a group's metadata: rows read, rows left out, and the rejected rows."""
    counts: dict[str, Any] = json.loads(pq.read_schema(group).metadata[COUNTS_KEY])
    return counts


def _score_groups(archive: Archive, classifier: Classifier, folder: Path, first: int, read: int, usage: Usage) -> None:
    """Score the remaining groups, publishing each when it is complete. read: number of rows in earlier groups."""
    with encoded_groups(archive) as groups:
        tokenizer = load_tokenizer(archive.tokenizer)
        model = load_adapted(classifier.base_path, classifier.adapter, classifier.base)
        seen = SeenPosts(folder / SEEN, first)
        schema = _schema(archive, classifier)
        first_group = next(groups)
        progress = Progress(read)
        with working(usage):
            for number, group in enumerate(chain([first_group], groups), start=first):
                if number and not group.read:  # no rows were left
                    break
                found = seen.find(group.prompts)
                new = {key: prompt for key, prompt in group.prompts.items() if key not in found}
                scores = _score(new, model, tokenizer, archive, classifier)
                seen.add(scores, number)
                write_group(_table(group, found | scores, schema, classifier), folder / f"{number:06d}.parquet")
                progress.tell(group, len(new), sum(len(tokens) for _, tokens in new.values()))
        seen.close()
        progress.end()
    usage.posts, usage.tokens = progress.posts, progress.tokens
    note_device(usage, choose_device(classifier.base))


def write_group(table: pa.Table, path: Path) -> None:
    """Write a complete group atomically."""
    with whole_file(path) as temporary:
        pq.write_table(table, temporary, write_page_checksum=True)


def _score(
    prompts: Mapping[bytes, tuple[str, list[int]]], model: Any, tokenizer: Any, archive: Archive, classifier: Classifier
) -> dict[bytes, np.ndarray]:
    """Return the log-probabilities [labels] of each prompt, by key."""
    scores: dict[bytes, np.ndarray] = {}
    for template in dict.fromkeys(template for template, _ in prompts.values()):
        own = {key: tokens for key, (its, tokens) in prompts.items() if its == template}
        paths = label_paths(archive.prompt, classifier.labels, template, tokenizer)
        rows = label_log_probabilities(model, list(own.values()), paths, classifier.settings.tokens_per_batch)
        scores |= dict(zip(own, rows, strict=True))
    return scores


def _schema(archive: Archive, classifier: Classifier) -> pa.Schema:
    text = pa.string()
    label = pa.dictionary(pa.int32(), text)
    probabilities = [(f"p_{name}", pa.float32()) for name in classifier.labels]
    fields = [("id", text), *archive.kept_types.items(), ("language", text), ("predicted", label)]
    return pa.schema([*fields, *probabilities, ("model", label)])


def _table(group: Group, scores: Mapping[bytes, np.ndarray], schema: pa.Schema, classifier: Classifier) -> pa.Table:
    """Return the group's rows as a table, with the group's counts in the metadata."""
    names = list(classifier.labels)
    logp = np.array([scores[key] for key in group.keys]).reshape(-1, len(names))
    likely = np.exp(logp - logp.max(axis=1, keepdims=True, initial=-np.inf))
    shares = (likely / likely.sum(axis=1, keepdims=True)).astype(np.float32)
    columns: dict[str, Any] = {name: [row[name] for row in group.rows] for name in ("id", *_kept_names(schema))}
    columns["predicted"] = [names[column] for column in logp.argmax(axis=1)]
    columns |= {f"p_{name}": shares[:, column] for column, name in enumerate(names)}
    columns["model"] = [classifier.model_id] * len(group.rows)
    counts = {"read": group.read, "left_out": group.left_out, "rejected": group.rejected}
    arrays = [pa.array(columns[field.name], type=field.type) for field in schema]
    return pa.table(arrays, schema=schema).replace_schema_metadata({COUNTS_KEY: json.dumps(counts)})


def _kept_names(schema: pa.Schema) -> list[str]:
    names: list[str] = schema.names
    return names[1 : names.index("predicted")]


def _assemble(groups: list[Path], archive: Archive, record: Mapping[str, Any], out: Classified) -> None:
    """Concatenate the groups into one file, each as a row group, and check that no row was lost."""
    counts = [_counts_of(group) for group in groups]
    rejected = [(line, reason) for own in counts for line, reason in own["rejected"]]
    read, left_out = (sum(own[name] for own in counts) for name in ("read", "left_out"))
    with whole_file(out.posts) as temporary:
        written = _concatenate(groups, temporary, record)
        if read != written + left_out + len(rejected) or read != (archive.rows_there or read):
            raise UserError(
                f"{archive.part.path}: row counts do not add up: {archive.rows_there or read} in the file, {read} "
                f"read, {written} classified, {left_out} left out, {len(rejected)} rejected. Delete {groups[0].parent} "
                "and run again"
            )
    source = public_path(archive.part.path)
    rows = pd.DataFrame(rejected, columns=["line", "reason"])
    rows.insert(0, "file", source)
    write_csv(out.rejected, rows)
    counted = {"read": read, "classified": written, "left_out": left_out, "rejected": len(rejected)}
    # Two files outside the working directory may have the same public path.
    write_json(out.counts, {"file": source, "place": digest(str(archive.part.path)), **counted})


def _concatenate(groups: list[Path], path: Path, record: Mapping[str, Any]) -> int:
    """Copy the groups, one at a time, into one Parquet file; return the number of rows in its footer."""
    schema = pq.read_schema(groups[0]).with_metadata({PROVENANCE_KEY: json.dumps(record)})
    with pq.ParquetWriter(path, schema, write_page_checksum=True) as writer:
        for group in groups:
            writer.write_table(pq.read_table(group).replace_schema_metadata(schema.metadata))
    return int(pq.read_metadata(path).num_rows)


class Progress:
    """Report rows, speed and time left in the log and, on a terminal, in a progress bar."""

    def __init__(self, read: int) -> None:
        """Start the timer. read: number of rows read by earlier jobs."""
        self.read, self.rows, self.posts, self.scored, self.tokens = read, 0, 0, 0, 0
        self._start = self._last = time.monotonic()
        self._bar = progress_bar(100, 0, " %")

    def tell(self, group: Group, scored: int, tokens: int) -> None:
        """Add a group: its rows, and the numbers of posts and tokens scored for it."""
        now = time.monotonic()
        self.read += group.read
        self.rows += group.read
        self.posts += len(group.rows)
        self.scored += scored
        self.tokens += tokens
        self._bar.update(round(100 * group.done) - self._bar.n)
        if now - self._last < SECONDS_BETWEEN_LINES:
            return
        self._last = now
        seconds = now - self._start
        left = f"{seconds * (1 - group.done) / group.done:.0f} s left" if group.done else "time left unknown"
        self._bar.set_postfix({"rows/s": round(self.rows / seconds)}, refresh=False)
        log.info("%d rows, %s, %s", self.read, self._speed(seconds), left)

    def end(self) -> None:
        """Log the overall speed."""
        self._bar.close()
        seconds = time.monotonic() - self._start
        log.info("%d rows in %.1f s: %s", self.rows, seconds, self._speed(seconds))

    def _speed(self, seconds: float) -> str:
        scored, tokens = self.scored / seconds, self.tokens / seconds
        return f"{self.rows / seconds:.0f} rows/s, {scored:.0f} posts scored/s, {tokens:.0f} tokens/s"
