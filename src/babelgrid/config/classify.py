"""Settings for classifying an archive with an adapter of the grid or from elsewhere."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from babelgrid.config.fields import (
    COMMIT,
    HubName,
    Language,
    Number,
    Once,
    OncePerPath,
    Settings,
    Text,
    Whole,
    refuse_shared_columns,
)


class ArchiveColumns(Settings):
    """Names of the archive's columns."""

    text: Text = "text"
    """Text of the post."""
    id: Text | None = None
    """Identifier, kept as text (3.0 as 3). Null: the line number where the row starts (Parquet: row number)."""
    language: Text | None = None
    """Language code; map the data's own codes in `languages.aliases`. Null: see `classify.language`."""

    @model_validator(mode="after")
    def _read_each_column_for_one_thing(self) -> Self:
        refuse_shared_columns(self, ["text", "language"])
        return self


class LabArchive(Settings):
    """An archive written by the embedded lab, to try out `classify`: gzipped CSV, with some rows broken on purpose."""

    rows: Whole = Field(default=1_000_000, ge=1, le=10**10)
    """Total number of rows; the lab's 13 languages take turns."""
    shards: Whole = Field(default=8, ge=1, le=100_000)
    """Number of files that the rows are divided into."""
    bad: Number = Field(default=0.01, ge=0, lt=1)
    """Share of broken rows: without a text, with bytes that are not UTF-8, or with a malformed line."""


class Classify(Settings):
    """An archive of posts without labels, and the adapter that labels them."""

    input: Annotated[list[Text], OncePerPath] | None = None
    """Paths of CSV, TSV, JSONL (each also .gz or .zst) or Parquet files; `*` is a wildcard. One job per file."""
    lab: LabArchive | None = None
    """Archive written by the embedded lab, instead of files."""
    adapter: Text | None = None
    """Row of the grid: `en+hu@25/seed1`, or `en+hu@25` for its first seed; `none` is the untuned base."""
    folder: Text | None = None
    """Instead of a row: a folder with an adapter in peft's layout (adapter_config.json, adapter_model.safetensors)."""
    hub: HubName | None = None
    """Instead of a row: name of an adapter on the Hugging Face Hub. Requires `revision`."""
    revision: Text | None = None
    """The 40-digit commit of the Hub repository."""
    columns: ArchiveColumns = ArchiveColumns()
    """Names of the columns."""
    keep: Annotated[list[Text], Once] = Field(default=[])
    """Columns copied to the output unchanged. Values from CSV, TSV and JSONL stay text."""
    language: Language | None = None
    """Language of all posts, if no column contains it. Needed only if each language has its own template."""
    languages: Annotated[list[Language], Once] | None = None
    """Classify only rows in these languages; others are counted and skipped. Null: all languages."""
    rows_per_job: Whole | None = Field(default=None, ge=1, le=10**10)
    """Divide files into jobs of this many rows. Null: one job per file."""
    rows_per_group: Whole = Field(default=8192, ge=1, le=10**7)
    """Rows that are read, scored and written together; a killed job resumes after the last complete group."""

    @model_validator(mode="after")
    def _take_one_archive_and_one_adapter(self) -> Self:
        for names in (("input", "lab"), ("adapter", "folder", "hub")):
            given = [name for name in names if getattr(self, name) is not None]
            if len(given) != 1:
                raise ValueError(f"give exactly one of {', '.join(names)}; found {', '.join(given) or 'none'}")
        if self.input == []:
            raise ValueError("input is an empty list; name at least one path")
        if self.hub and not COMMIT.fullmatch(self.revision or ""):
            raise ValueError("an adapter on the Hub needs its revision: the 40-digit commit on its 'Files' page")
        if self.revision and not self.hub:
            raise ValueError("revision can only be used with hub; remove it")
        return self

    @model_validator(mode="after")
    def _know_the_language_to_filter_by(self) -> Self:
        if self.languages is not None and self.columns.language is None and self.lab is None:
            raise ValueError("languages selects rows by columns.language; set that column")
        return self

    @model_validator(mode="after")
    def _keep_columns_under_names_of_their_own(self) -> Self:
        taken = {"id", "language", "predicted", "model"}
        for name in self.keep:
            if name in taken or name.startswith("p_"):
                raise ValueError(
                    f"keep: {name!r} is already an output column (id, language, predicted, p_<label>, model); remove it"
                )
        return self

    def of_one_job(self) -> Self:
        """Return the settings that a job's rows depend on, without the other files and the adapter's spelling."""
        columns = ArchiveColumns(id="id", language="language") if self.lab else self.columns
        one = {"input": ["-"], "lab": None, "rows_per_job": None, "columns": columns}
        return self.model_copy(update={**one, "adapter": "-", "folder": None, "hub": None, "revision": None})
