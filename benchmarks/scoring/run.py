"""Score the same posts with babelgrid, lm-evaluation-harness and `generate` in turn, and compare.

    OMP_NUM_THREADS=1 python -m benchmarks.scoring.run

Writes benchmarks/results/scoring.json and prints a Markdown table. Every side takes the posts as text and returns one
label for each. All sides use the same model object (NF4 weights dequantised once to float32) and one thread.
"""

import argparse
import logging
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import transformers

from babelgrid.config.base import Base
from babelgrid.model.base import choose_device, load_base
from babelgrid.prompts.tokenizer import load_tokenizer
from benchmarks.measure import summary, write_result
from benchmarks.process import peak_memory, reset_peak_memory, span
from benchmarks.questions import Questions, ask, lab_shape, lab_texts, templates, write_random_base
from benchmarks.scoring import sides

OURS = "babelgrid"
# On a CPU, "auto" chooses 64, after five additional forward passes.
LM_EVAL_BATCHES = (4, 16, 64)
GENERATE_BATCHES = ((8, "dynamic"), (32, "dynamic"), (128, "dynamic"), (32, "static"))
NOT_RUN = {
    "vllm": "not run: no NVIDIA GPU here. Its wheels on PyPI (0.33.0, checked on 2026-11-24) are built for CUDA and "
    "require transformers<5.20, while babelgrid pins 5.23.0, so it needs its own environment"
}


def main() -> None:
    """Run the comparison for each vocabulary and template."""
    arguments = _arguments()
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    logging.disable(logging.WARNING)
    rows = []
    for vocabulary in arguments.vocabularies:
        with tempfile.TemporaryDirectory() as folder:
            rows += compare_vocabulary(Path(folder), vocabulary, arguments.posts, arguments.repeats)
    write_result("scoring", {"repeats": arguments.repeats, "rows": rows, "not_run": NOT_RUN})
    print(table(rows), *(f"\n{name}: {reason}" for name, reason in NOT_RUN.items()), sep="\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--vocabularies", type=int, nargs="+", default=[1024, 8192, 128_256])
    parser.add_argument("--posts", type=int, default=8, help="posts in each of the lab's 13 languages")
    parser.add_argument("--repeats", type=int, default=5)
    return parser.parse_args()


def compare_vocabulary(folder: Path, vocabulary: int, posts_per_language: int, repeats: int) -> list[dict[str, Any]]:
    """Return one record for each template and side, on a random base with this vocabulary."""
    texts = lab_texts(folder, posts_per_language)
    base_path = write_random_base(folder, lab_shape(vocabulary), texts)
    model = load_base(base_path, Base(folder=str(folder / "base")), choose_device()).eval()
    tokenizer = load_tokenizer(folder / "base")
    rows = [row for name in templates() for row in compare_template(model, tokenizer, texts, name, repeats)]
    return [{"vocabulary": vocabulary, **row} for row in rows]


def compare_template(
    model: Any, tokenizer: Any, texts: Sequence[str], template: str, repeats: int
) -> list[dict[str, Any]]:
    """Return one record for each side, with a template of `templates`."""
    questions = ask(texts, templates()[template], tokenizer)
    contestants, tuning = line_up(model, tokenizer, questions)
    about = {"template": template, "posts": len(texts), "tokens": sum(map(len, questions.prompts))}
    of_generate = sides.labels_in_generate(model, tokenizer, questions)
    rows = compare(contestants, of_generate, repeats)
    return [{**about, **row, "tuning_s": tuning.get(row["side"])} for row in rows]


def line_up(
    model: Any, tokenizer: Any, questions: Questions
) -> tuple[dict[str, sides.Side], dict[str, dict[str, float]]]:
    """Return the sides by name, the tuned ones with their fastest settings, and the time of each setting."""
    batched = {f"batch_size={size}": sides.lm_eval(model, tokenizer, questions, size) for size in LM_EVAL_BATCHES}
    generated = {
        f"batch={size}, {cache} cache": sides.generate_batches(model, tokenizer, questions, size, cache)
        for size, cache in GENERATE_BATCHES
    }
    tuning = {"lm_eval tuned": _seconds_of_each(batched), "generate tuned": _seconds_of_each(generated)}
    contestants = {
        OURS: sides.babelgrid(model, tokenizer, questions),
        "lm_eval as it comes": sides.lm_eval(model, tokenizer, questions, 1),
        "lm_eval tuned": batched[_fastest(tuning["lm_eval tuned"])],
        "generate as it comes": sides.generate_each(model, tokenizer, questions),
        "generate tuned": generated[_fastest(tuning["generate tuned"])],
    }
    return contestants, tuning


def _seconds_of_each(settings: Mapping[str, sides.Side]) -> dict[str, float]:
    return {name: measure(side)[1]["cpu_s"] for name, side in settings.items()}


def _fastest(seconds: Mapping[str, float]) -> str:
    return min(seconds, key=lambda name: seconds[name])


def measure(side: sides.Side) -> tuple[list[str], dict[str, float]]:
    """Run a side once; return its labels and its cost: wall_s, cpu_s and peak_mb (of the whole process)."""
    reset_peak_memory()
    wall, cpu = time.perf_counter(), time.process_time()
    labels = side()
    return labels, {
        "wall_s": time.perf_counter() - wall,
        "cpu_s": time.process_time() - cpu,
        "peak_mb": peak_memory(),
    }


def compare(
    contestants: Mapping[str, sides.Side], labels_of_generate: Sequence[str], repeats: int
) -> list[dict[str, Any]]:
    """Run the sides in turn for `repeats` rounds after a warm-up; return one record per side."""
    labels = {name: side() for name, side in contestants.items() if name == OURS or name.startswith("lm_eval")}
    rounds = [{name: measure(side)[1] for name, side in contestants.items()} for _ in range(repeats)]
    return [
        {
            "side": name,
            **{unit: summary([costs[name][unit] for costs in rounds]) for unit in ("wall_s", "cpu_s", "peak_mb")},
            "wall_ratio": summary([costs[name]["wall_s"] / costs[OURS]["wall_s"] for costs in rounds]),
            "cpu_ratio": summary([costs[name]["cpu_s"] / costs[OURS]["cpu_s"] for costs in rounds]),
            "label_agreement": _agreement(labels.get(name, labels_of_generate), labels[OURS]),
        }
        for name in contestants
    ]


def _agreement(labels: Sequence[str], ours: Sequence[str]) -> float:
    return sum(one == other for one, other in zip(labels, ours, strict=True)) / len(ours)


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the records as a Markdown table."""
    lines = [
        "| vocabulary | template | side | wall s | CPU s | peak MB | x ours, wall | x ours, CPU | same labels |",
        "|---:|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        cells = [
            f"{row['vocabulary']:,}",
            row["template"],
            row["side"],
            span(row["wall_s"], 2),
            span(row["cpu_s"], 2),
            f"{row['peak_mb']['max']:.0f}",
            span(row["wall_ratio"], 1),
            span(row["cpu_ratio"], 1),
            f"{row['label_agreement']:.1%}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
