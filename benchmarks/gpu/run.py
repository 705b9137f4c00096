"""Measure speed and memory at the shapes of Llama-3.2-3B on one GPU, relative to the card's peak and to peers.

    python -m benchmarks.gpu.run                  on a CUDA card; weights are random, nothing is downloaded
    python -m benchmarks.gpu.run --shape tiny     in miniature, on any device

Writes benchmarks/results/gpu.json (not with --shape tiny) after every round, and prints Markdown tables. Token counts
are those of the posts' prompts, without padding. The first round is reported as cold: the device loads kernels and may
plan for new shapes, although each training has a step of warm-up in every round. benchmarks/grid/run.py measures the
grid of 13 adapters and 13 languages.
"""

import argparse
import logging
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import transformers

from babelgrid.config.base import Base
from babelgrid.config.finetune import Finetune, Lora, Predict
from babelgrid.model.base import choose_device, load_base
from babelgrid.model.examples import Example
from babelgrid.model.lora import add_adapter
from babelgrid.model.score import label_log_probabilities
from babelgrid.prompts.tokenizer import load_tokenizer
from benchmarks.gpu.card import SHAPES, description, has_card, peak_gib, reset_peak
from benchmarks.measure import Record, summary
from benchmarks.process import span
from benchmarks.questions import lab_texts, templates, write_random_base
from benchmarks.scoring import run as scoring
from benchmarks.training.run import WARM_UP, cost_of_a_step, study_examples
from benchmarks.training.sides import SIDES, babelgrid

FLOORS = {"training, loss on the label": 68_700, "training, loss on all tokens": 60_000, "scoring": 138_000}
"""Tokens per second of Llama-3.2-3B for a card that computes at 790 TFLOP/s (H100 and H200, bfloat16) all the time."""


def main() -> None:
    """Measure all sides, write the record as it grows, and print the tables."""
    arguments = _arguments()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    logging.disable(logging.WARNING)
    floors = FLOORS if arguments.shape == "Llama-3.2-3B" else {}
    about = {"shape": arguments.shape, "card": description(), "floors_tokens_per_s": floors}
    record = Record(None if arguments.shape == "tiny" else "gpu", **about, repeats=arguments.repeats)
    with tempfile.TemporaryDirectory() as folder:
        texts = lab_texts(Path(folder), arguments.posts)
        base_path = write_random_base(Path(folder), SHAPES[arguments.shape], texts)
        measure(base_path, texts, arguments.steps, arguments.repeats, record)
        model = load_base(base_path, Base(folder="named in base.json"), choose_device())
        tokenizer = load_tokenizer(base_path.parent / "base")
        peers = record.content["peers"] = []
        for template in templates():
            peers += scoring.compare_template(model, tokenizer, texts[:52], template, arguments.repeats)
            record.write()
    print(table(summaries(record.rows), floors), scoring.table([{"vocabulary": 0, **row} for row in peers]), sep="\n\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--shape", choices=list(SHAPES), default="Llama-3.2-3B")
    parser.add_argument("--posts", type=int, default=64, help="test posts in each of the lab's 13 languages")
    parser.add_argument("--steps", type=int, default=20, help="timed steps in each repeat")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    if arguments.shape != "tiny" and not has_card():
        parser.error(f"{arguments.shape} needs an NVIDIA GPU; --shape tiny runs on any device")
    return arguments


def measure(base_path: Path, texts: Sequence[str], steps: int, repeats: int, record: Record) -> None:
    """Record every round of babelgrid and TRL."""
    for work, loss in (("training, loss on the label", "label"), ("training, loss on all tokens", "all")):
        settings = Finetune(epochs=1, loss=loss)
        examples = study_examples(base_path, texts, "study", loss)[: settings.batch_size * (WARM_UP + steps)]
        sides = SIDES if loss == "label" else {name: SIDES[name] for name in ("babelgrid", "TRL as it comes")}
        steppers = {name: _stepper(side, base_path, examples, settings) for name, side in sides.items()}
        in_turn(work, steppers, repeats, record)
    resident = Finetune(epochs=1, loss="label", batch_size=16)
    examples = study_examples(base_path, texts, "study", "label")[: resident.batch_size * (WARM_UP + steps)]
    stepper = _stepper(_with_resident_nf4, base_path, examples, resident)
    in_turn("training, loss on the label, NF4 resident, 16 posts at once", {"babelgrid": stepper}, repeats, record)
    model = load_base(base_path, Base(folder="named in base.json"), choose_device())
    in_turn("scoring", {"babelgrid": _scorer(model, base_path, texts)}, repeats, record)


COLUMNS = ("tokens_per_s", "posts_per_s", "peak_gib")
Work = Callable[[], tuple[float, int, int]]
"""Do the work once; return wall seconds, tokens and posts."""


def _stepper(side: Callable[..., Any], base_path: Path, examples: Sequence[Example], settings: Finetune) -> Work:
    """Return a function that trains on the examples and returns the cost of one step."""

    def run() -> tuple[float, int, int]:
        steps = len(examples) // settings.batch_size
        cost = cost_of_a_step(side(base_path, examples, settings), steps - WARM_UP)
        return cost["wall_s"], sum(len(example.ids) for example in examples) // steps, settings.batch_size

    return run


def _with_resident_nf4(base_path: Path, examples: Sequence[Example], settings: Finetune) -> Any:
    weights = "nf4" if has_card() else "dequantized"  # nf4 needs CUDA
    return babelgrid(base_path, examples, settings, weights)


def _scorer(base: Any, base_path: Path, texts: Sequence[str]) -> Work:
    """Return a function that scores all posts with an adapter that is not merged into the base."""
    model = add_adapter(base, Lora()).eval()
    examples = study_examples(base_path, texts, "study", "label")
    prompts = [example.ids[:-1] for example in examples]
    paths = {str(token): (token,) for token in sorted({example.ids[-1] for example in examples})}

    def run() -> tuple[float, int, int]:
        start = time.perf_counter()
        label_log_probabilities(model, prompts, paths, Predict().tokens_per_batch)
        return time.perf_counter() - start, sum(map(len, prompts)), len(prompts)

    return run


def in_turn(work: str, sides: Mapping[str, Work], repeats: int, record: Record) -> None:
    """Run the sides in turn for `repeats` rounds after a cold one (round 0); record each round as soon as it ends."""
    for number in range(repeats + 1):
        for name, run in sides.items():
            reset_peak()
            wall, tokens, posts = run()
            costs = dict(zip(COLUMNS, (tokens / wall, posts / wall, peak_gib()), strict=True))
            record.add({"work": work, "side": name, "round": number, **costs})


def summaries(rounds: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return one row per work and side: the cold round, and median and range of the warm ones."""
    rows = []
    for work, side in dict.fromkeys((row["work"], row["side"]) for row in rounds):
        cold, *warm = [row for row in rounds if (row["work"], row["side"]) == (work, side)]
        spans = {column: summary([row[column] for row in warm]) for column in COLUMNS}
        rows.append({"work": work, "side": side, "cold_tokens_per_s": cold["tokens_per_s"], **spans})
    return rows


def table(rows: Sequence[Mapping[str, Any]], floors: Mapping[str, int]) -> str:
    """Return the records as a Markdown table."""
    lines = [
        "| work | side | tokens/s | tokens/s, cold | posts/s | share of the floor | peak GiB |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        floor = floors.get(row["work"])
        cells = [
            row["work"],
            row["side"],
            span(row["tokens_per_s"], 0),
            f"{row['cold_tokens_per_s']:.0f}",
            span(row["posts_per_s"], 0),
            f"{row['tokens_per_s']['median'] / floor:.0%}" if floor else "",
            f"{row['peak_gib']['max']:.1f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
