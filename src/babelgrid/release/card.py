"""The model card: what the adapter is, how well it does and where not, and the lines that load it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
import yaml

from babelgrid.analysis.tables import read_table
from babelgrid.config.prompt import Label
from babelgrid.config.release import Release
from babelgrid.display.markdown import in_code, plain
from babelgrid.release.name import release_name
from babelgrid.release.weights import PublicBase
from babelgrid.runtime.files import sha256, write_text


@dataclass(frozen=True)
class Row:
    """What is released: a row of the grid, and the files that its card tells of."""

    experiment: str
    mixture: str
    seed: int
    adapter: Path
    """Its folder."""
    base_path: Path
    """base.json."""
    cells_path: Path
    """tables/cells.csv."""
    posts: Mapping[str, Path]
    """The posts file of each language that the adapter was trained on."""


@dataclass(frozen=True)
class Lines:
    """Python source for the card: one piece that loads each form, and one that labels a post with what is loaded."""

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
    """Write README.md. No text of a post and no path of this machine is in it.

    agreement: what `check_parity` found, by form.
    """
    content = {
        "front": front_matter(row, settings, public),
        "name": release_name(row.experiment, row.mixture, row.seed, public.is_llama),
        "row": row,
        "settings": settings,
        "public": public,
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
        autoescape=False,  # noqa: S701  (Markdown: what comes from the config goes through `plain` or `in_code`)
    )
    environment.filters |= {"plain": plain, "in_code": in_code}
    write_text(out, environment.get_template("card.md.j2").render(content))


def front_matter(row: Row, settings: Release, public: PublicBase) -> str:
    """Return the block that the Hub reads."""
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
