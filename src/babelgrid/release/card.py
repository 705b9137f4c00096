"""Write the model card: what the adapter is, how well it performs, its limits, and the code that loads it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
import yaml

from babelgrid.analysis.tables import read_table
from babelgrid.base_files import read_base
from babelgrid.config.prompt import Label
from babelgrid.config.release import Release
from babelgrid.display.text import in_code, plain
from babelgrid.mixture import is_merged
from babelgrid.release.name import PublicBase, release_name
from babelgrid.runtime.files import sha256, write_text


@dataclass(frozen=True)
class Row:
    """A released row of the grid, and the files that its card describes."""

    experiment: str
    mixture: str
    seed: int
    adapter: Path
    """Folder of the adapter."""
    base_path: Path
    """Path of base.json."""
    cells_path: Path
    """Path of tables/cells.csv."""
    posts: Mapping[str, Path]
    """Posts file of each language that the adapter, or its parents if it is merged, was trained on."""

    @property
    def is_merged(self) -> bool:
        """Return whether the adapter was merged from others without training."""
        return is_merged(self.mixture)


@dataclass(frozen=True)
class Lines:
    """Python source for the card: code that loads each form, and code that labels a post with the loaded model."""

    loading: Mapping[str, str]
    labelling: str


def write_card(
    row: Row,
    settings: Release,
    public: PublicBase,
    labels: Mapping[str, Label],
    lines: Lines,
    agreement: Mapping[str, Mapping[str, Any]],
    out: Path,
) -> None:
    """Write README.md. It contains no text of a post and no path of this machine.

    agreement: results of `check_parity`, by form.
    """
    content = {
        "front": front_matter(row, settings, public),
        "name": release_name(row.experiment, row.mixture, row.seed, public.is_llama),
        "row": row,
        "settings": settings,
        "public": public,
        "rounded": read_base(row.base_path).get("gguf"),
        "labels": labels,
        "scores": _scores(row),
        "data": {language: sha256(path) for language, path in sorted(row.posts.items())},
        "agreement": agreement,
        "lines": lines,
    }
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("babelgrid.release", "."),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # noqa: S701  (Markdown: values from the config go through `plain` or `in_code`)
    )
    environment.filters |= {"plain": plain, "in_code": in_code}
    write_text(out, environment.get_template("card.md.j2").render(content))


def front_matter(row: Row, settings: Release, public: PublicBase) -> str:
    """Return the YAML front matter that the Hub reads."""
    fields: dict[str, Any] = {
        "license": settings.licence,
        "library_name": "peft",
        "pipeline_tag": "text-classification",
    }
    if not public.is_beside:
        fields["base_model"] = public.name
    fields |= {"language": sorted(row.posts), "tags": ["babelgrid", "lora"]}
    text: str = yaml.safe_dump(fields, sort_keys=False, allow_unicode=True)
    return text


def _scores(row: Row) -> pd.DataFrame:
    """Return the row's cells, each with the better of its two baselines."""
    cells = read_table(row.cells_path)
    own = cells[(cells["mixture"] == row.mixture) & (cells["seed"] == row.seed)]
    return own.assign(baseline=own[["majority_macro_f1", "ngram_macro_f1"]].max(axis=1))
