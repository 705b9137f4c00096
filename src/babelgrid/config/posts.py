"""Settings of the posts: where they are, what their columns mean, how they are cleaned and split."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from babelgrid.config.fields import (
    COMMIT,
    HUB_NAME,
    Number,
    Once,
    OnceAsSpelled,
    OncePerPath,
    Settings,
    Text,
    Whole,
    refuse_shared_columns,
    refuse_twice,
)
from babelgrid.config.shown import shown
from babelgrid.spelling import fold

Part = Literal["train", "dev", "test"]


class Columns(Settings):
    """Names of the data's columns. A path may give `{language}` and `{part}` instead of a column.

    Identifiers (`id`, `group`, `source_id`) are compared as text. A whole number is the same identifier in every column
    type and file format: `3` equals `3.0`. Other values are unchanged: `007` differs from `7`, and `3.1` from `3.10`.
    """

    text: Text = "text"
    """Text of the post."""
    label: Text = "label"
    """Gold label."""
    language: Text | None = "language"
    """Language code. Null if the path contains it (`{language}`)."""
    id: Text | None = None
    """Identifier, made unique by prefixing the language. Null: rows are numbered in file order."""
    part: Text | None = None
    """Part of the data that a row belongs to; `posts.parts` maps its values. Null: see `posts.split`."""
    group: Text | None = None
    """Author, thread or outlet: the seeded split puts all posts of a group into the same part."""
    source_id: Text | None = None
    """Sentence that a translation comes from (parallel data): in all languages, it is in the same part of the split."""

    @model_validator(mode="after")
    def _read_each_column_for_one_thing(self) -> Self:
        refuse_shared_columns(self, ["text", "label", "language", "part"])
        return self


class Split(Settings):
    """The seeded split for data without a part column: stratified by label, with groups kept together."""

    dev: Number = Field(default=0.1, ge=0, lt=1)
    """Share of each language's posts for development."""
    test: Number = Field(default=0.2, gt=0, lt=1)
    """Share of each language's posts for testing; the rest is for training."""

    @model_validator(mode="after")
    def _leave_something_to_train_on(self) -> Self:
        if self.dev + self.test >= 1:
            raise ValueError(
                f"dev + test is {self.dev + self.test:g}, which leaves nothing for training; use less than 1"
            )
        return self


class Duplicates(Settings):
    """What counts as a duplicate post. The train copy is removed, the test copy is kept."""

    near: Number | None = Field(default=0.9, gt=0, le=1)
    """Minimum Jaccard similarity of character 5-grams for near-duplicates; null keeps near-duplicates."""


class Dataset(Settings):
    """A dataset for the Hugging Face `datasets` library."""

    name: Text
    """Name on the Hub, or path of a folder that `load_dataset` or `load_from_disk` of `datasets` reads.
    Write a folder that does not exist yet as `./folder`."""
    revision: Text | None = None
    """The 40-digit commit of the Hub repository, so that the data cannot change during the experiment."""
    subsets: Annotated[list[Text], Once] = Field(default=[])
    """Configurations to load, one after the other (often one per language); empty loads the default one."""
    subset_is_language: bool = False
    """Use the subset's name as the language code of its rows."""

    @property
    def is_on_hub(self) -> bool:
        """Return whether the name is on the Hub; `datasets` prefers an existing path."""
        return bool(HUB_NAME.fullmatch(self.name)) and not Path(self.name).exists()

    @model_validator(mode="after")
    def _pin_what_comes_from_the_hub(self) -> Self:
        if "://" in self.name:
            raise ValueError(f"name: {shown(self.name)} is a URL; give a name on the Hub or the path of a folder")
        if self.is_on_hub and not COMMIT.fullmatch(self.revision or ""):
            raise ValueError(
                f"{self.name!r} is not a local folder, and a dataset on the Hub needs its revision: the 40-digit "
                f"commit shown on its 'Files' page (write a folder that does not exist yet as './{self.name}')"
            )
        return self


class LabPosts(Settings):
    """Numbers of labelled posts that the embedded lab writes in each of its 13 languages."""

    train: Whole = Field(default=400, ge=1, le=10**7)
    """Posts for training, in each language."""
    dev: Whole = Field(default=40, ge=0, le=10**7)
    """Posts for development, in each language."""
    test: Whole = Field(default=200, ge=1, le=10**7)
    """Posts for testing, in each language."""
    related: Number = Field(default=0.5, gt=0, lt=1)
    """Share of posts about immigration, divided evenly among pro, anti and neutral."""


class Posts(Settings):
    """Where labelled posts come from (exactly one of files, dataset, lab) and how they are read."""

    files: Annotated[list[Text], OncePerPath] | None = None
    """Paths of CSV, TSV, JSONL (also .gz, .zst) or Parquet files. `*` is a wildcard; `{language}` and `{part}` are read
    from the path."""
    dataset: Dataset | None = None
    """A dataset name or local folder for `datasets`, instead of files."""
    lab: LabPosts | None = None
    """Posts written by the embedded lab, instead of files."""
    columns: Columns = Columns()
    """Names of the columns."""
    parts: dict[Part, list[Text]] | None = None
    """Values of the part column for each part, e.g. `test: [test, test_extra]`; others are an error. Null: the usual
    names, such as `validation` for dev."""
    leave_out: Annotated[list[Text], OnceAsSpelled] = Field(default=[])
    """Values of the part column or of `{part}`, or splits of a dataset, to skip, e.g. `[unsupervised]`."""
    split: Split = Split()
    """The seeded split, used if there is neither a part column nor `{part}` in the path."""
    on_error: Literal["fail", "drop"] = "fail"
    """Stop at a row that is broken, has no text, a duplicate id, or an unknown label, language or part; or drop it and
    count it."""
    duplicates: Duplicates = Duplicates()
    """What counts as a duplicate post."""

    @field_validator("parts")
    @classmethod
    def _give_each_value_one_part(cls, parts: dict[Part, list[str]] | None) -> dict[Part, list[str]] | None:
        refuse_twice([value for values in (parts or {}).values() for value in values], fold)
        return parts

    @model_validator(mode="after")
    def _take_exactly_one_source(self) -> Self:
        given = [name for name in ("files", "dataset", "lab") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"give exactly one of files, dataset, lab; found {', '.join(given) or 'none'}")
        if self.files == []:
            raise ValueError("files is an empty list; name at least one path")
        return self

    @model_validator(mode="after")
    def _know_the_language_of_every_file(self) -> Self:
        if self.columns.language is None:
            for path in self.files or []:
                if "{language}" not in path:
                    raise ValueError(f"columns.language is null, so the path must contain {{language}}; found {path!r}")
            if self.dataset and not self.dataset.subset_is_language:
                raise ValueError("columns.language is null, so dataset.subset_is_language must be true")
        return self

    @model_validator(mode="after")
    def _check_parts(self) -> Self:
        if self.files and self.columns.part is None:
            with_part = ["{part}" in path for path in self.files]
            if any(with_part) and not all(with_part):
                raise ValueError("either all paths contain {part} or none does; found both kinds")
            for key in ("parts", "leave_out"):
                if getattr(self, key) and not any(with_part):
                    raise ValueError(f"{key} names values of columns.part or of {{part}} in the path; neither is given")
        return self

    @model_validator(mode="after")
    def _read_a_part_or_leave_it_out(self) -> Self:
        for part, values in (self.parts or {}).items():
            for value in values:
                if fold(value) in map(fold, self.leave_out):
                    raise ValueError(f"leave_out: {value!r} is also in parts.{part}; remove it from one of them")
        return self

    def read_from_lab(self, path: str) -> Self:
        """Return a copy of these settings that reads the file with the lab's posts."""
        columns = Columns(id="id", part="part")
        return self.model_copy(update={"lab": None, "files": [path], "columns": columns})
