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
    """Which column of the data holds what. A path may give `{language}` and `{part}` instead of a column.

    Identifiers (`id`, `group`, `source_id`) are compared as text. A whole number is one identifier in every type of
    column and file: `3` and `3.0` are one. All else stays as it is: `007` and `7` are two, `3.1` and `3.10` too.
    """

    text: Text = "text"
    """The post itself."""
    label: Text = "label"
    """The gold label."""
    language: Text | None = "language"
    """The language code. Null when the path gives it (`{language}`)."""
    id: Text | None = None
    """An identifier, made unique by the language in front. Without it rows are numbered in file order."""
    part: Text | None = None
    """Which part of the data a row belongs to; its values are explained in `posts.parts`. Null: see `posts.split`."""
    group: Text | None = None
    """An author, thread or outlet: posts of one group stay on one side of the seeded split."""
    source_id: Text | None = None
    """The sentence a translation comes from (parallel data): it stays on one side of the split in all languages."""

    @model_validator(mode="after")
    def _read_each_column_for_one_thing(self) -> Self:
        refuse_shared_columns(self, ["text", "label", "language", "part"])
        return self


class Split(Settings):
    """The seeded split for data without a part column: stratified by label, whole by group."""

    dev: Number = Field(default=0.1, ge=0, lt=1)
    """Share of each language's posts for development."""
    test: Number = Field(default=0.2, gt=0, lt=1)
    """Share of each language's posts for testing; what is left is for training."""

    @model_validator(mode="after")
    def _leave_something_to_train_on(self) -> Self:
        if self.dev + self.test >= 1:
            raise ValueError(
                f"dev + test is {self.dev + self.test:g}, which leaves nothing for training; use less than 1"
            )
        return self


class Duplicates(Settings):
    """What counts as the same post. The train copy goes, the test copy stays."""

    near: Number | None = Field(default=0.9, gt=0, le=1)
    """Jaccard similarity of character 5-grams from which two posts are near-duplicates; null keeps them."""


class Dataset(Settings):
    """A dataset of the Hugging Face `datasets` library."""

    name: Text
    """Name on the Hub, or path of a folder that `load_dataset` or `load_from_disk` of `datasets` reads.
    A folder that is not there yet is written `./folder`."""
    revision: Text | None = None
    """The 40-digit commit of the Hub repository, so that the data cannot change under the experiment."""
    subsets: Annotated[list[Text], Once] = Field(default=[])
    """Configurations to load, one after the other (often one a language); empty loads the default one."""
    subset_is_language: bool = False
    """Take the subset's name as the language code of its rows."""

    @property
    def is_on_hub(self) -> bool:
        """Whether the name is one of the Hub: `datasets` takes a path that exists first."""
        return bool(HUB_NAME.fullmatch(self.name)) and not Path(self.name).exists()

    @model_validator(mode="after")
    def _pin_what_comes_from_the_hub(self) -> Self:
        if "://" in self.name:
            raise ValueError(f"name: {shown(self.name)} is an address; give a name on the Hub or the path of a folder")
        if self.is_on_hub and not COMMIT.fullmatch(self.revision or ""):
            raise ValueError(
                f"{self.name!r} is no folder here, and a dataset on the Hub needs its revision: the 40-digit commit "
                f"shown on its 'Files' page (a folder that is not there yet is written './{self.name}')"
            )
        return self


class LabPosts(Settings):
    """How many labelled posts the embedded lab writes in each of its 13 languages."""

    train: Whole = Field(default=400, ge=1, le=10**7)
    """Posts to train on, in each language."""
    dev: Whole = Field(default=40, ge=0, le=10**7)
    """Posts for development, in each language."""
    test: Whole = Field(default=200, ge=1, le=10**7)
    """Posts to test on, in each language."""
    related: Number = Field(default=0.5, gt=0, lt=1)
    """Share of posts about immigration, divided evenly between pro, anti and neutral."""


class Posts(Settings):
    """Where labelled posts come from (exactly one of files, dataset, lab) and how they are read."""

    files: Annotated[list[Text], OncePerPath] | None = None
    """Paths of CSV, TSV, JSONL (also .gz, .zst) or Parquet. `*` matches names; `{language}`, `{part}` come from it."""
    dataset: Dataset | None = None
    """A `datasets` name or local path instead of files."""
    lab: LabPosts | None = None
    """Posts written by the embedded lab instead of files."""
    columns: Columns = Columns()
    """Which column holds what."""
    parts: dict[Part, list[Text]] | None = None
    """Values of the part column for each part, e.g. `test: [test, test_extra]`; others are an error. Null: as named."""
    leave_out: Annotated[list[Text], OnceAsSpelled] = Field(default=[])
    """Values of the part column or of `{part}`, or splits of a dataset, that are not read, e.g. `[unsupervised]`."""
    split: Split = Split()
    """The seeded split, used where there is neither a part column nor `{part}` in the path."""
    on_error: Literal["fail", "drop"] = "fail"
    """A row that is broken, has no text, a used id, an unknown label, language or part: stop, or drop and count it."""
    duplicates: Duplicates = Duplicates()
    """What counts as the same post."""

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
                    raise ValueError(f"columns.language is null, so the path must give it: no {{language}} in {path!r}")
            if self.dataset and not self.dataset.subset_is_language:
                raise ValueError("columns.language is null, so dataset.subset_is_language must be true")
        return self

    @model_validator(mode="after")
    def _check_parts(self) -> Self:
        if self.files and self.columns.part is None:
            with_part = ["{part}" in path for path in self.files]
            if any(with_part) and not all(with_part):
                raise ValueError("either every path gives {part} or none does; found some of both")
            for key in ("parts", "leave_out"):
                if getattr(self, key) and not any(with_part):
                    raise ValueError(f"{key} names values of columns.part or of {{part}} in the path; neither is given")
        return self

    @model_validator(mode="after")
    def _read_a_part_or_leave_it_out(self) -> Self:
        for part, values in (self.parts or {}).items():
            for value in values:
                if fold(value) in map(fold, self.leave_out):
                    raise ValueError(f"leave_out: {value!r} is also in parts.{part}; name it in one of them")
        return self

    def read_from_lab(self, path: str) -> Self:
        """Return these settings for reading the file that the lab has written its posts to."""
        columns = Columns(id="id", part="part")
        return self.model_copy(update={"lab": None, "files": [path], "columns": columns})
