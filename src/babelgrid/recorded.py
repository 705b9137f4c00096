"""Check that results were made with the settings shown next to them."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from babelgrid.config.finetune import NON_RESULT_KEYS
from babelgrid.errors import UserError
from babelgrid.runtime.files import PROVENANCE_KEY, read_json, sha256
from babelgrid.runtime.places import public_settings

_BLOCKS = ("base", "prompt", "labels", "finetune", "api", "import", "budget", "rivals")
# Neither the paths of input files nor the frequency of saving affects results.
_NON_RESULT_PLACES = {("base", "folder"), ("import", "files"), *(("finetune", name) for name in NON_RESULT_KEYS)}


def check_predictions(paths: Iterable[Path], config: Mapping[str, Any], base: Path | None) -> None:
    """Compare the settings recorded in Parquet files of predictions with the config and base.json.

    config: all blocks of the experiment's config or some of them; only settings that a file records are compared.
    Raises `UserError` for the first file that was created with different settings or a different base, or that has no
    record.
    """
    digest = None if base is None else sha256(base)
    for path in paths:
        _check(path, _record_of(path), config, digest)


def check_adapters(paths: Iterable[Path], config: Mapping[str, Any], base: Path | None) -> None:
    """Compare the settings recorded in provenance.json files of adapters with the config and base.json.

    Raises `UserError` as `check_predictions` does.
    """
    digest = None if base is None else sha256(base)
    for path in paths:
        _check(path, read_json(path), config, digest)


def _check(path: Path, record: Mapping[str, Any], config: Mapping[str, Any], base: str | None) -> None:
    settings = record.get("settings", {})
    elsewhere = {
        "import": (config.get("predictions") or {}).get("import"),
        "budget": (config.get("mixtures") or {}).get("posts"),
    }
    wanted = public_settings({**config, **elsewhere})  # in the form of the records
    recorded = {block: settings[block] for block in _BLOCKS if block in settings and block in wanted}
    others = list(_differences((), recorded, wanted))
    bases = [digest for name, digest in record.get("inputs", {}).items() if Path(name).name == "base.json"]
    if base is not None and any(digest != base for digest in bases):
        others.append("base.json")
    if others:
        raise UserError(
            f"{path} was created with a different {others[0]} than in the current config, so they cannot be shown "
            f"together. Delete {path} and run snakemake again, or undo the change in the config"
        )


def _record_of(path: Path) -> dict[str, Any]:
    try:
        metadata = pq.read_schema(path).metadata or {}
        record: dict[str, Any] = json.loads(metadata[PROVENANCE_KEY])
    except (OSError, KeyError, ValueError, pa.ArrowException) as error:
        raise UserError(f"{path}: does not record how it was created ({error}). Delete it and run again") from error
    return record


def _differences(place: tuple[str, ...], recorded: Any, wanted: Any) -> Iterator[str]:
    """Yield the place of each recorded value that differs in the config."""
    if place in _NON_RESULT_PLACES:
        return
    if isinstance(recorded, Mapping) and isinstance(wanted, Mapping):
        # A new label affects all results; a new template does not change those that were used.
        if place == ("labels",) and list(recorded) != list(wanted):
            yield "labels"
        for key, value in recorded.items():
            yield from _differences((*place, str(key)), value, wanted.get(key))
    elif recorded != wanted:
        yield ".".join(place)
