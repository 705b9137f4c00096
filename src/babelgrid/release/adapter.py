"""Release an adapter: its folder appears whole, and only if it says what the grid says."""

from collections.abc import Mapping
from pathlib import Path

from babelgrid.config.base import Base
from babelgrid.config.prompt import Label, Prompt
from babelgrid.config.release import Release
from babelgrid.release.card import Lines, Row, write_card
from babelgrid.release.gguf import write_gguf
from babelgrid.release.loading import label_lines, load_adapter_lines, load_gguf_lines, load_merged_lines
from babelgrid.release.parity import Cells, check_parity
from babelgrid.release.weights import check_paths, public_base, write_weights
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
    """Write a folder with adapter, merged weights, card and, where it has no public name, the base.

    parity_path: where the gate writes what it found, the ids of differing posts among it; it is not released.
    Raises `UserError` where a form, loaded as others load it, does not say what the grid says; then there is no folder.
    """
    public = public_base(row.base_path, base, settings)
    loading = {"adapter": load_adapter_lines(base, public.name, public.revision), "merged": load_merged_lines()}
    if settings.gguf:
        loading["gguf"] = load_gguf_lines()
    lines = Lines(loading, label_lines(row.base_path, prompt, labels))
    # Jobs have no network: they have the base under another name than others, and load it by that.
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
