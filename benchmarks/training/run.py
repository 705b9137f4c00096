"""Train the same adapter with babelgrid and with TRL in turn, and compare speed and learnt weights.

    OMP_NUM_THREADS=1 python -m benchmarks.training.run

Writes benchmarks/results/training.json and prints a Markdown table. The measured time is that of a block of optimizer
steps inside one process, after one warm-up step. benchmarks/startup.py measures loading and importing.
"""

import argparse
import logging
import tempfile
from collections.abc import Mapping, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
import transformers

from babelgrid.config.finetune import Finetune, Lora, Predict
from babelgrid.config.load import read_experiment
from babelgrid.config.prompt import Prompt
from babelgrid.model.attention import ATTENTION
from babelgrid.model.examples import Example, train_examples
from babelgrid.model.score import label_log_probabilities
from babelgrid.prompts.tokenizer import load_tokenizer
from babelgrid.runtime.files import read_json
from benchmarks.measure import summary, write_result
from benchmarks.process import peak_memory, reset_peak_memory, span
from benchmarks.questions import lab_shape, lab_texts, templates, write_random_base
from benchmarks.training.clock import Clock
from benchmarks.training.sides import SIDES

OURS = "babelgrid"
WARM_UP = 1
QUALITY_BATCH = 4
"""Posts per step when losses are compared; small, as TRL takes half a minute for 16 posts at 128,256 tokens."""
NOT_RUN = {
    "LLaMA-Factory": "not run: llamafactory 0.9.5 requires other versions of the pinned packages (pip finds no "
    "solution with envs/constraints.txt), so the two cannot run in one process",
    "unsloth": "not run: needs a GPU; there is none here",
}


def main() -> None:
    """Run the comparison for each vocabulary and template."""
    arguments = _arguments()
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    logging.disable(logging.WARNING)
    rows = []
    for vocabulary in arguments.vocabularies:
        for template in templates():
            with tempfile.TemporaryDirectory() as folder:
                rows += compare(
                    Path(folder), vocabulary, template, arguments.steps, arguments.repeats, arguments.quality_steps
                )
                print(table(rows), flush=True)
    write_result("training", {"repeats": arguments.repeats, "steps": arguments.steps, "rows": rows, "not_run": NOT_RUN})
    print(*(f"{name}: {reason}" for name, reason in NOT_RUN.items()), sep="\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--vocabularies", type=int, nargs="+", default=[1024, 8192, 128_256])
    parser.add_argument("--steps", type=int, default=3, help="timed steps in each repeat")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--quality-steps", type=int, default=50, help="steps over which losses are compared")
    return parser.parse_args()


def compare(
    folder: Path, vocabulary: int, template: str, steps: int, repeats: int, quality_steps: int
) -> list[dict[str, Any]]:
    """Return one record for each side, with its costs and its agreement with babelgrid."""
    texts = lab_texts(folder, posts_per_language=32)
    base_path = write_random_base(folder, lab_shape(vocabulary), texts)
    examples = study_examples(base_path, texts, template, "label")
    timed = Finetune(epochs=1, batch_size=16)
    few = examples[: timed.batch_size * (WARM_UP + steps)]
    rounds = [
        {name: cost_of_a_step(side(base_path, few, timed), steps) for name, side in SIDES.items()}
        for _ in range(repeats)
    ]
    agreement = quality(base_path, examples, quality_steps)
    return [
        {
            "vocabulary": vocabulary,
            "template": template,
            "side": name,
            **{unit: summary([costs[name][unit] for costs in rounds]) for unit in ("wall_s", "cpu_s", "peak_mb")},
            "wall_ratio": summary([costs[name]["wall_s"] / costs[OURS]["wall_s"] for costs in rounds]),
            "cpu_ratio": summary([costs[name]["cpu_s"] / costs[OURS]["cpu_s"] for costs in rounds]),
            **agreement.get(name, {}),
        }
        for name in SIDES
    ]


def study_examples(
    base_path: Path, texts: Sequence[str], template: str, loss: Literal["label", "all"]
) -> list[Example]:
    """Return training examples with the study's labels, assigned in rotation, because the base is random."""
    labels = read_experiment(Path("config/paper.yaml")).labels
    names = [list(labels)[number % len(labels)] for number in range(len(texts))]
    posts = pd.DataFrame({"language": "en", "text": texts, "label": names})
    tokenizer = load_tokenizer(read_json(base_path)["folder"])
    return train_examples(posts, Prompt(template=templates()[template]), labels, loss, tokenizer)


def cost_of_a_step(trainer: Any, steps: int) -> dict[str, float]:
    """Return wall_s and cpu_s of one step, and peak_mb of the process."""
    clock = Clock()
    trainer.add_callback(clock)
    reset_peak_memory()
    trainer.train()
    (wall, cpu), (wall_end, cpu_end) = clock.times[WARM_UP - 1], clock.times[-1]
    return {"wall_s": (wall_end - wall) / steps, "cpu_s": (cpu_end - cpu) / steps, "peak_mb": peak_memory()}


def quality(base_path: Path, examples: Sequence[Example], steps: int) -> dict[str, dict[str, float]]:
    """Compare tuned TRL with babelgrid, without dropout: first gradient, losses, and labels after all steps."""
    settings = Finetune(epochs=1, batch_size=QUALITY_BATCH, lora=Lora(dropout=0.0))
    many = list(islice(cycle(examples), settings.batch_size * steps))
    pair = (OURS, "TRL tuned")
    gradients = [_first_gradient(SIDES[name](base_path, many[: settings.batch_size], settings)) for name in pair]
    trainers = [SIDES[name](base_path, many, settings) for name in pair]
    losses = [_losses(trainer) for trainer in trainers]
    labels = [_labels(trainer.model, examples) for trainer in trainers]
    return {
        "TRL tuned": {
            "gradient_cosine": float(torch.nn.functional.cosine_similarity(*gradients, dim=0)),
            "largest_loss_difference": max(abs(ours - theirs) / theirs for ours, theirs in zip(*losses, strict=True)),
            "label_agreement": float((labels[0] == labels[1]).mean()),
            "steps": steps,
        }
    }


def _first_gradient(trainer: Any) -> torch.Tensor:
    [batch] = trainer.get_train_dataloader()
    trainer.current_gradient_accumulation_steps = 1  # `train` would set this
    trainer.training_step(trainer.model, batch)
    gradients = [weight.grad.flatten() for weight in trainer.model.parameters() if weight.requires_grad]
    return torch.cat(gradients).double()


def _losses(trainer: Any) -> list[float]:
    trainer.train()
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


def _labels(model: Any, examples: Sequence[Example]) -> np.ndarray:
    """Return the index of a trained model's preferred answer token for each post, among all trained answer tokens."""
    answers = sorted({example.ids[example.first_target] for example in examples})
    model.set_attn_implementation(ATTENTION)
    prompts = [example.ids[: example.first_target] for example in examples]
    paths = {str(token): (token,) for token in answers}
    return label_log_probabilities(model.eval(), prompts, paths, Predict().tokens_per_batch).argmax(1)


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the records as a Markdown table."""
    lines = [
        "| vocabulary | template | side | CPU s a step | wall s a step | peak MB | x ours, CPU | x ours, wall | "
        "gradient cosine | largest loss difference | same labels |",
        "|---:|---|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        cells = [
            f"{row['vocabulary']:,}",
            row["template"],
            row["side"],
            span(row["cpu_s"], 3),
            span(row["wall_s"], 3),
            f"{row['peak_mb']['max']:.0f}",
            span(row["cpu_ratio"], 1),
            span(row["wall_ratio"], 1),
            f"{row['gradient_cosine']:.6f}" if "gradient_cosine" in row else "",
            f"{row['largest_loss_difference']:.1e}" if "largest_loss_difference" in row else "",
            f"{row['label_agreement']:.1%}" if "label_agreement" in row else "",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
