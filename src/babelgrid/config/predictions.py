"""Settings of predictions made elsewhere."""

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
    """Names of the file's columns."""

    id: Text = "id"
    """Identifier of the post, the same in all mixtures."""
    language: Text = "language"
    """Language of the post; map the data's own codes in `languages.aliases`."""
    mixture: Text = "mixture"
    """Mixture that the model was trained on; map the data's own names in `predictions.import.mixtures`."""
    gold: Text = "gold"
    """Gold label; add other spellings to `labels.<name>.aliases`."""
    predicted: Text = "predicted"
    """Predicted label."""
    seed: Text | None = None
    """Number of the run, one of `seeds`. Null: there is one run per mixture, and `seeds` has one number."""
    part: Text | None = None
    """Part of the data, such as test or test_extra; tables/parts.csv contains scores for each part."""

    @model_validator(mode="after")
    def _read_each_column_for_one_thing(self) -> Self:
        refuse_shared_columns(self, type(self).model_fields)
        return self


class Import(Settings):
    """Predictions made elsewhere, analysed as if the grid had made them."""

    files: Annotated[list[Text], OncePerPath] = Field(min_length=1)
    """Paths of CSV, TSV, JSONL or Parquet files, one row per mixture (and seed) and post. `*` is a wildcard."""
    columns: ImportColumns = ImportColumns()
    """Names of the columns."""
    parts: Annotated[list[Text], Once] | None = None
    """Values of the part column to read, e.g. `[test, test_extra]`. Null: read every row."""
    mixtures: dict[Text, Text] = Field(default={})
    """Mixture name in the file -> its name here, e.g. `multi: all`. `en`, `en-es` and similar names need no entry."""
    probabilities: dict[LabelName, Text] = Field(default={})
    """Label -> column with its probability, for all labels or none. Empty: the predicted label has probability 1."""
    failures: Annotated[list[Text], Once] = Field(default=[""])
    """Values of the predicted label that mean that there is no answer."""
    on_failure: Literal["wrong", "leave_out"] = "wrong"
    """Count a post without an answer as wrong, or leave it out of the scores of that mixture."""

    @field_validator("probabilities")
    @classmethod
    def _give_each_label_a_column_of_its_own(cls, columns: dict[str, str]) -> dict[str, str]:
        refuse_twice(list(columns.values()))
        return columns

    @model_validator(mode="after")
    def _name_the_column_of_the_parts(self) -> Self:
        if self.parts is not None and self.columns.part is None:
            raise ValueError("parts selects values of a column; set columns.part")
        return self


class Predictions(Settings):
    """Where predictions come from when the grid does not make them."""

    imported: Import = Field(alias="import")
    """Predictions made elsewhere, analysed as if the grid had made them."""
