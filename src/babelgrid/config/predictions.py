"""Settings of predictions that were made elsewhere."""

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from babelgrid.config.fields import (
    LabelName,
    Once,
    OncePerPath,
    Settings,
    Text,
    refuse_shared_columns,
    refuse_twice,
)


class ImportColumns(Settings):
    """Which column of the file holds what."""

    id: Text = "id"
    """Identifier of the post, the same for all mixtures."""
    language: Text = "language"
    """Language of the post; codes of the data's own go into `languages.aliases`."""
    mixture: Text = "mixture"
    """What the model was trained on; names of the data's own go into `predictions.import.mixtures`."""
    gold: Text = "gold"
    """The gold label; other spellings go into `labels.<name>.aliases`."""
    predicted: Text = "predicted"
    """The predicted label."""
    seed: Text | None = None
    """Number of the run, one of `seeds`. Null: there is one run of each mixture, and `seeds` has one number."""
    part: Text | None = None
    """A part of the data, such as test or test_extra: tables/parts.csv scores each of them."""

    @model_validator(mode="after")
    def _read_each_column_for_one_thing(self) -> Self:
        refuse_shared_columns(self, type(self).model_fields)
        return self


class Import(Settings):
    """Predictions made elsewhere, which enter the analysis as if the grid had made them."""

    files: Annotated[list[Text], OncePerPath] = Field(min_length=1)
    """Paths of CSV, TSV, JSONL or Parquet files, one row for each mixture (and seed) and post. `*` matches names."""
    columns: ImportColumns = ImportColumns()
    """Which column holds what."""
    parts: Annotated[list[Text], Once] | None = None
    """Values of the part column that are read, e.g. `[test, test_extra]`. Null: every row."""
    mixtures: dict[Text, Text] = Field(default={})
    """The file's name of a mixture, and its name here, e.g. `multi: all`. `en`, `en-es` and the like need none."""
    probabilities: dict[LabelName, Text] = Field(default={})
    """Label -> column with its probability, for every label or none. None: the predicted label has all of it."""
    failures: Annotated[list[Text], Once] = Field(default=[""])
    """Values of the predicted label that stand for no answer."""
    on_failure: Literal["wrong", "leave_out"] = "wrong"
    """A post without an answer counts as wrong, or is left out of the scores of that mixture."""

    @field_validator("probabilities")
    @classmethod
    def _give_each_label_a_column_of_its_own(cls, columns: dict[str, str]) -> dict[str, str]:
        refuse_twice(list(columns.values()))
        return columns

    @model_validator(mode="after")
    def _name_the_column_of_the_parts(self) -> Self:
        if self.parts is not None and self.columns.part is None:
            raise ValueError("parts are values of a column; name it in columns.part")
        return self


class Predictions(Settings):
    """Where predictions come from when the grid does not make them."""

    imported: Import = Field(alias="import")
    """Predictions made elsewhere, which enter the analysis as if the grid had made them."""
