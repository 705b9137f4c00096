"""Provide an experiment's results as tidy data frames for notebooks."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from babelgrid.analysis.bootstrap.replicates import read_replicates
from babelgrid.analysis.tables import read_table
from babelgrid.errors import UserError, nearest
from babelgrid.results_layout import ResultsLayout
from babelgrid.runtime.files import read_parquet


@dataclass(frozen=True)
class Results:
    """The frames of one experiment, each read on first access."""

    folder: Path

    @cached_property
    def posts(self) -> pd.DataFrame:
        """One row per post: id, language, text, label, split, group, source_id."""
        path = Path(ResultsLayout(str(self.folder)).posts("all"))
        if not path.exists():
            raise UserError(f"{path}: there are no posts; imported predictions come without them")
        return read_parquet(path)

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """One row per mixture, seed and post: mixture, seed, language, id, gold, predicted, logp_<label>."""
        tables = []
        for path in sorted(self.folder.glob(ResultsLayout(".").predictions("*", "*", "[!.]*"))):
            mixture, seed = path.parts[-3], int(path.parts[-2].removeprefix("seed"))
            tables.append(read_parquet(path).assign(mixture=mixture, seed=seed, language=path.stem))
        if not tables:
            raise UserError(f"{self.folder / 'predictions'}: there are no predictions yet; run snakemake first")
        table = pd.concat(tables, ignore_index=True)
        keys = ["mixture", "seed", "language"]
        return table[[*keys, *(column for column in table.columns if column not in keys)]]

    @cached_property
    def cells(self) -> pd.DataFrame:
        """One row per mixture, seed, test language and view: every metric, its interval over posts, the baselines."""
        return self.table("cells")

    @cached_property
    def scores(self) -> pd.DataFrame:
        """One row per view, mixture and test language: the score over all seeds, its interval over posts and seeds."""
        return self.table("scores")

    @cached_property
    def exposure(self) -> pd.DataFrame:
        """One row per mixture and language: pre-training shares, fine-tuning tokens."""
        return self.table("exposure")

    @cached_property
    def comparisons(self) -> pd.DataFrame:
        """One row per view, test language and pair: the difference, its paired interval, p-values."""
        return self.table("comparisons")

    @cached_property
    def replicates(self) -> pd.DataFrame:
        """The joint bootstrap, indexed by view, mixture and test_language (see `analysis.bootstrap.replicates`)."""
        return read_replicates(self.folder / "tables" / "replicates.parquet")

    def table(self, name: str) -> pd.DataFrame:
        """Read tables/<name>.csv; raise a `UserError` that lists the existing tables if it does not exist."""
        names = sorted(path.stem for path in (self.folder / "tables").glob("[!.]*.csv"))
        if name not in names:
            raise UserError(
                f"{self.folder}: there is no table {name!r}{nearest(name, names)}. "
                f"Tables there: {', '.join(names) or 'none yet; run snakemake first'}"
            )
        return read_table(self.folder / "tables" / f"{name}.csv")


def open_results(folder: str | Path) -> Results:
    """Return the results under results/<experiment>; raise a `UserError` if the folder does not exist."""
    if not Path(folder).is_dir():
        raise UserError(f"{folder}: there is no such folder; give the experiment's folder, such as results/lab")
    return Results(Path(folder))
