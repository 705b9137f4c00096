"""Measure speed and memory at the shapes of Llama-3.2-3B on one GPU, relative to the card's peak and to peers.

    python -m benchmarks.gpu.run                  on a CUDA card; weights are random, nothing is downloaded
    python -m benchmarks.gpu.run --shape tiny     in miniature, on any device

Writes benchmarks/results/gpu.json (not with --shape tiny) and prints Markdown tables. Token counts are those of the
posts' prompts, without padding. benchmarks/grid/run.py measures the grid of 13 adapters and 13 languages.
"""

import argparse
import json
import logging
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import LlamaConfig

from babelgrid.config.base import Base
from babelgrid.config.finetune import Finetune, Lora, Predict
from babelgrid.model.base import choose_device, load_base
from babelgrid.model.examples import Example
from babelgrid.model.lora import add_adapter
from babelgrid.model.score import label_log_probabilities
from babelgrid.prompts.tokenizer import load_tokenizer
from benchmarks.measure import summary, write_result
from benchmarks.process import peak_memory, reset_peak_memory, span
from benchmarks.questions import lab_shape, lab_texts, write_random_base
from benchmarks.scoring import run as scoring
from benchmarks.training.run import WARM_UP, cost_of_a_step, study_examples
from benchmarks.training.sides import SIDES, babelgrid

LLAMA_3B = LlamaConfig(
    vocab_size=128_256,
    hidden_size=3072,
    intermediate_size=8192,
    num_hidden_layers=28,
    num_attention_heads=24,
    num_key_value_heads=8,
    head_dim=128,
    max_position_embeddings=8192,
    rope_theta=500_000.0,
    tie_word_embeddings=True,
    bos_token_id=0,
    eos_token_id=1,
    pad_token_id=2,
)
"""The published config.json of Llama-3.2-3B, without RoPE scaling for long contexts, which has no cost."""
SHAPES = {"Llama-3.2-3B": LLAMA_3B, "tiny": lab_shape(1024)}
FLOORS = {"training, loss on the label": 68_700, "training, loss on all tokens": 60_000, "scoring": 138_000}
"""Tokens per second of Llama-3.2-3B for a card that computes at 790 TFLOP/s (H100 and H200, bfloat16) all the time."""


def main() -> None:
    """Measure all sides, print the tables and write the record."""
    arguments = _arguments()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        texts = lab_texts(Path(folder), arguments.posts)
        base_path = write_random_base(Path(folder), SHAPES[arguments.shape], texts)
        rows = measure(base_path, texts, arguments.steps, arguments.repeats)
        model = load_base(base_path, Base(folder="named in base.json"), choose_device())
        peers = scoring.compare_sides(model, load_tokenizer(base_path.parent / "base"), texts[:52], arguments.repeats)
    floors = FLOORS if arguments.shape == "Llama-3.2-3B" else {}
    print(table(rows, floors), scoring.table([{"vocabulary": 0, **row} for row in peers]), sep="\n\n")
    if arguments.shape != "tiny":
        about = {"shape": arguments.shape, "floors_tokens_per_s": floors, "repeats": arguments.repeats}
        write_result("gpu", {**about, "rows": rows, "peers": peers})


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--shape", choices=list(SHAPES), default="Llama-3.2-3B")
    parser.add_argument("--posts", type=int, default=64, help="test posts in each of the lab's 13 languages")
    parser.add_argument("--steps", type=int, default=20, help="timed steps in each repeat")
    parser.add_argument("--repeats", type=int, default=5)
    return parser.parse_args()


def measure(base_path: Path, texts: Sequence[str], steps: int, repeats: int) -> list[dict[str, Any]]:
    """Return the records of babelgrid and TRL."""
    rows = []
    for work, loss in (("training, loss on the label", "label"), ("training, loss on all tokens", "all")):
        settings = Finetune(epochs=1, loss=loss)
        examples = study_examples(base_path, texts, "study", loss)[: settings.batch_size * (WARM_UP + steps)]
        sides = SIDES if loss == "label" else {name: SIDES[name] for name in ("babelgrid", "TRL as it comes")}
        steppers = {name: _stepper(side, base_path, examples, settings) for name, side in sides.items()}
        rows += in_turn(work, steppers, repeats)
    resident = _stepper(_with_resident_nf4, base_path, examples[: 16 * (WARM_UP + 1)], settings)
    rows += in_turn("training, NF4 resident, 16 posts at once", {"babelgrid": resident}, 1)
    model = load_base(base_path, Base(folder="named in base.json"), choose_device())
    return rows + in_turn("scoring", {"babelgrid": _scorer(model, base_path, texts)}, repeats)


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
    weights = "nf4" if choose_device().name == "cuda" else "dequantized"  # nf4 needs CUDA
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


def in_turn(work: str, sides: Mapping[str, Work], repeats: int) -> list[dict[str, Any]]:
    """Run the sides in turn for `repeats` rounds after a warm-up round; return one record per side."""
    costs: dict[str, list[tuple[float, float, float]]] = {name: [] for name in sides}
    for _ in range(repeats + 1):
        for name, run in sides.items():
            _reset_peak()
            seconds, tokens, posts = run()
            costs[name].append((tokens / seconds, posts / seconds, _peak_gib()))
    columns = ("tokens_per_s", "posts_per_s", "peak_gib")
    records = []
    for name, rounds in costs.items():
        summaries = {
            column: summary(list(values)) for column, values in zip(columns, zip(*rounds[1:], strict=True), strict=True)
        }
        records.append({"work": work, "side": name, **summaries})
        print(json.dumps(records[-1]), flush=True)
    return records


def _reset_peak() -> None:
    if choose_device().name == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    else:
        reset_peak_memory()


def _peak_gib() -> float:
    """Return the peak memory reserved on the GPU, or the peak resident memory of the process without a GPU."""
    return torch.cuda.max_memory_reserved() / 2**30 if choose_device().name == "cuda" else peak_memory() / 2**10


def table(rows: Sequence[Mapping[str, Any]], floors: Mapping[str, int]) -> str:
    """Return the records as a Markdown table."""
    lines = ["| work | side | tokens/s | posts/s | share of the floor | peak GiB |", "|---|---|---:|---:|---:|---:|"]
    for row in rows:
        floor = floors.get(row["work"])
        cells = [
            row["work"],
            row["side"],
            span(row["tokens_per_s"], 0),
            span(row["posts_per_s"], 0),
            f"{row['tokens_per_s']['median'] / floor:.0%}" if floor else "",
            f"{row['peak_gib']['max']:.1f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
