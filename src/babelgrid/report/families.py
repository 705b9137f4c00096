"""Look up language families, to place related languages side by side."""

from collections.abc import Iterable
from functools import cache
from importlib import resources
from io import StringIO

import pandas as pd

UNLISTED = "not listed"


def families_of(languages: Iterable[str]) -> dict[str, str]:
    """Return language -> family and branch, e.g. `Indo-European, Romance`, or `not listed` if not in families.csv.

    A code with a script or region that is not listed is looked up without them.
    """
    table = _families()
    return {code: table.get(code, table.get(code.split("-")[0], UNLISTED)) for code in languages}


@cache
def _families() -> dict[str, str]:
    text = (resources.files("babelgrid.report") / "families.csv").read_text(encoding="utf-8")
    table = pd.read_csv(StringIO(text), comment="#", dtype=str, keep_default_na=False)
    names = [
        f"{family}, {branch}" if branch else family for family, branch in zip(table.family, table.branch, strict=True)
    ]
    return dict(zip(table.language, names, strict=True))
