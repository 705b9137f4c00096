"""Settings of classifying an archive with an adapter of the grid, or with one from elsewhere."""

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
    """Which column of the archive holds what."""

    text: Text = "text"
    """The post itself."""
    id: Text | None = None
    """An identifier, kept as text (3.0 as 3). Null: the number of the line where the row starts (Parquet: of a row)."""
    language: Text | None = None
    """The language code; codes of the data's own go into `languages.aliases`. Null: see `classify.language`."""

    @model_validator(mode="after")
    def _read_each_column_for_one_thing(self) -> Self:
        refuse_shared_columns(self, ["text", "language"])
        return self


class LabArchive(Settings):
    """An archive that the embedded lab writes, to try all this on: CSV, gzipped, some of its rows broken on purpose."""

    rows: Whole = Field(default=1_000_000, ge=1, le=10**10)
    """Rows in all, in the lab's 13 languages in turn."""
    shards: Whole = Field(default=8, ge=1, le=100_000)
    """Files that they are divided into."""
    bad: Number = Field(default=0.01, ge=0, lt=1)
    """Share of rows without a text, with bytes that are not UTF-8, or with a broken line."""


class Classify(Settings):
    """An archive of posts without labels, and the adapter that gives them some."""

    input: Annotated[list[Text], OncePerPath] | None = None
    """Paths of CSV, TSV, JSONL (each also .gz or .zst) or Parquet files; `*` matches names. One job for each file."""
    lab: LabArchive | None = None
    """An archive written by the embedded lab instead of files."""
    adapter: Text | None = None
    """A row of the grid: `en+hu@25/seed1`, or `en+hu@25` for its first seed; `none` is the untuned base."""
    folder: Text | None = None
    """A folder with an adapter in peft's layout (adapter_config.json, adapter_model.safetensors) instead."""
    hub: HubName | None = None
    """Name of an adapter on the Hugging Face Hub instead. Needs `revision`."""
    revision: Text | None = None
    """The 40-digit commit of the Hub repository."""
    columns: ArchiveColumns = ArchiveColumns()
    """Which column holds what."""
    keep: Annotated[list[Text], Once] = Field(default=[])
    """Columns that go into the output as they are. Those of CSV, TSV and JSONL are kept as text."""
    language: Language | None = None
    """The language of all posts, where no column says it. Needed only if each language has a template of its own."""
    languages: Annotated[list[Language], Once] | None = None
    """Rows in these languages are classified, others are counted and left out. Null: all."""
    rows_per_job: Whole | None = Field(default=None, ge=1, le=10**10)
    """Divide files into jobs of so many rows. Null: one job for each file."""
    rows_per_group: Whole = Field(default=8192, ge=1, le=10**7)
    """Rows that are read, scored and written together; a killed job goes on after the last whole group."""

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
            raise ValueError("revision goes with hub only; remove it")
        return self

    @model_validator(mode="after")
    def _know_the_language_to_filter_by(self) -> Self:
        if self.languages is not None and self.columns.language is None and self.lab is None:
            raise ValueError("languages chooses rows by columns.language; name that column")
        return self

    @model_validator(mode="after")
    def _keep_columns_under_names_of_their_own(self) -> Self:
        taken = {"id", "language", "predicted", "model"}
        for name in self.keep:
            if name in taken or name.startswith("p_"):
                raise ValueError(
                    f"keep: the output has a column {name!r} of its own (id, language, predicted, p_<label>, model)"
                )
        return self

    def of_one_job(self) -> Self:
        """Return what a job's rows depend on: not which other files there are, nor how the adapter is spelt."""
        columns = ArchiveColumns(id="id", language="language") if self.lab else self.columns
        one = {"input": ["-"], "lab": None, "rows_per_job": None, "columns": columns}
        return self.model_copy(update={**one, "adapter": "-", "folder": None, "hub": None, "revision": None})
