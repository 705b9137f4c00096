"""Release an adapter: write a complete folder, but only if its weights give the grid's labels."""

from collections.abc import Mapping
from pathlib import Path

from babelgrid.config.base import Base
from babelgrid.config.prompt import Label, Prompt
from babelgrid.config.release import Release
from babelgrid.release.card import Lines, Row, write_card
from babelgrid.release.gguf import write_gguf
from babelgrid.release.loading import label_lines, load_adapter_lines, load_gguf_lines, load_merged_lines
from babelgrid.release.name import public_base
from babelgrid.release.parity import Cells, check_parity
from babelgrid.release.weights import check_paths, write_weights
from babelgrid.runtime.files import read_json, write_folder


def release_adapter(
    row: Row,
    cells: Cells,
    out: Path,
    parity_path: Path,
    *,
    base: Base,
    prompt: Prompt,
    labels: Mapping[str, Label],
    settings: Release,
) -> None:
    """Write a folder with the adapter, merged weights, model card and, if it has no public name, the base.

    parity_path: file for the results of the parity check, including the ids of differing posts; it is not released.
    Raises `UserError`, and writes no folder, if a form loaded as on the card does not give the grid's labels.
    """
    public = public_base(row.base_path, base, settings)
    loading = {"adapter": load_adapter_lines(base, public.name, public.revision), "merged": load_merged_lines()}
    if settings.gguf:
        loading["gguf"] = load_gguf_lines()
    lines = Lines(loading, label_lines(row.base_path, prompt, labels))
    # Jobs have no network, so they load the base from a local folder instead of by its public name.
    here = "base" if public.is_beside else str(Path(read_json(row.base_path)["folder"]).resolve())
    loading_here = {**loading, "adapter": load_adapter_lines(base, here, None)}

    def fill(folder: Path) -> None:
        write_weights(row.adapter, row.base_path, base, public, folder)
        if settings.gguf:
            write_gguf(folder / "merged", settings.gguf, folder / "gguf/model.gguf")
        forms = {form: source + lines.labelling for form, source in loading_here.items()}
        agreement = check_parity(folder, forms, cells, prompt, settings.parity, parity_path)
        write_card(row, settings, public, labels, lines, agreement, folder / "README.md")
        check_paths(folder, row.base_path)

    write_folder(out, fill)
