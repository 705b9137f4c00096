"""Write docs/bases.md, the forward path of each type of base: `python -m babelgrid.operations.bases`."""

import argparse
import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from transformers import AutoConfig
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from babelgrid.errors import UserError, in_one_line
from babelgrid.model.base_types import EXAMPLES, judge_model, small_model
from babelgrid.model.forward import answer_logits, causal_model
from babelgrid.model.forward_path import at_predictions, gradient_error, own_logits
from babelgrid.model.packing import collate
from babelgrid.runtime.files import whole_file

# Settings that fit together, for types whose default configuration cannot be made small.
SHAPE = {
    "vocab_size": 256,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 256,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
NOT_CHECKED = "no small model can be built from the default configuration"
DOCS = Path(__file__).parents[3] / "docs"


@dataclass(frozen=True)
class Checked:
    """Result for a type: its path and how much it differs from the model's own forward pass, or why it has none."""

    type: str
    path: str = ""
    log_probability: float = 0.0
    """Largest difference of a log-probability, in nats."""
    gradient: float = 0.0
    """Norm of the difference of LoRA gradients, relative to their norm."""
    reason: str = ""


def check_type(name: str) -> Checked:
    """Build a small random model of a type and find its forward path."""
    try:
        model = _model_of(name)
        if model is None:
            return Checked(name, reason=NOT_CHECKED)
        judge_model(model, name)
    except UserError as error:
        return Checked(name, reason=str(error).removeprefix(f"{name}: ").split(". Use ")[0])
    except Exception as error:  # code of many models, which may raise any exception
        return Checked(name, reason=f"{type(error).__name__}: {in_one_line(error)}")
    causal = causal_model(model)
    return Checked(name, causal.forward_path, _log_probability_difference(model), gradient_error(model, EXAMPLES))


def _model_of(name: str) -> Any | None:
    """Return a small model of a type's default configuration, or else of `SHAPE`; None if neither can be built."""
    for settings in ({}, SHAPE):
        with suppress(Exception):  # code of many models, which may raise any exception
            model = small_model(AutoConfig.for_model(name, **settings))
            if model is not None:
                return model
    return None


@torch.inference_mode()
def _log_probability_difference(model: Any) -> float:
    """Return the largest difference of a log-probability from the model's own forward pass, in nats."""
    batch = collate(EXAMPLES)
    theirs = at_predictions(own_logits(model, EXAMPLES), batch)
    return float((answer_logits(model, batch).log_softmax(-1) - theirs.log_softmax(-1)).abs().max())


def check_types(names: list[str]) -> Iterator[Checked]:
    """Yield the result for each type, in order."""
    for name in names:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield check_type(name)


def page(checked: list[Checked]) -> str:
    """Return docs/bases.md: its hand-written introduction, a table of types that work, and one of those that do not."""
    works, unchecked = [each for each in checked if each.path], [each for each in checked if each.reason == NOT_CHECKED]
    fails = [each for each in checked if each.reason not in ("", NOT_CHECKED)]
    counts = {path: sum(each.path == path for each in works) for path in ("thin", "packed", "padded")}
    count = ", ".join(f"{number} *{path}*" for path, number in counts.items())
    examples = pd.read_csv(DOCS / "bases/examples.csv", dtype=str, keep_default_na=False)
    return "\n".join(
        [
            (DOCS / "bases/introduction.md").read_text(encoding="utf-8"),
            f"With transformers {version('transformers')}, {len(works)} types work ({count}) and {len(fails)} do not. "
            f"{len(unchecked)} were not checked.\n",
            *_table(["type", "forward path", "log-probabilities", "gradients", "examples"],
                    [_row(each, examples) for each in works]),
            "\n## Types that do not work\n",
            *_table(["type", "why"], [[f"`{each.type}`", each.reason.replace("|", "/")] for each in fails]),
            "\n## Types that were not checked\n",
            f"For these types, {NOT_CHECKED}. If a real base of such a type cannot be made small either, its path is "
            f"found when a job loads it: {', '.join(f'`{each.type}`' for each in unchecked) or 'none'}.",
            "",
        ]
    )  # fmt: skip


def _row(checked: Checked, examples: pd.DataFrame) -> list[str]:
    bases = examples[examples["type"] == checked.type]
    named = [f"{base.base} ({base.languages}; {base.licence})" for base in bases.itertuples()]
    differences = [f"{number:.0e}" for number in (checked.log_probability, checked.gradient)]
    return [f"`{checked.type}`", checked.path, *differences, "; ".join(named)]


def _table(header: list[str], rows: list[list[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (header, ["---"] * len(header), *rows)]


def main() -> None:
    """Check all types, or those named, and write docs/bases.md or print its text."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("types", nargs="*", help="check only these types, and print the table")
    named = parser.parse_args().types
    logging.getLogger("transformers").setLevel(logging.ERROR)
    checked = []
    for each in check_types(named or sorted(set(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES))):
        checked.append(each)
        print(f"{each.type}: {each.path or each.reason}", file=sys.stderr, flush=True)
    if named:
        print(page(checked))
        return
    with whole_file(DOCS / "bases.md") as temporary:
        temporary.write_text(page(checked), encoding="utf-8")


if __name__ == "__main__":
    main()
