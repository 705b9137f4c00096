"""Build a grid with a plain script, as a careful scientist would write it in a day, from TRL, lm-eval and pandas.

    python benchmarks/grid/plain_script.py PLAN.json              one process for each adapter and for each cell
    python benchmarks/grid/plain_script.py PLAN.json --tuned      as the libraries' guides recommend for speed

The plan contains the base, the adapters with their train posts, the test posts and the hyperparameters. The script does
not use babelgrid. It runs `workers` processes (given in the plan) at a time, each with one thread.
"""

import argparse
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

Plan = dict[str, Any]
TUNED_BATCH = 64


def main() -> None:
    """Run the whole grid, or the single step given on the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("plan", type=Path)
    parser.add_argument("--tuned", action="store_true")
    parser.add_argument("--train", metavar="ADAPTER")
    parser.add_argument("--score", metavar="ADAPTER")
    parser.add_argument("--languages", nargs="+")
    arguments = parser.parse_args()
    plan = json.loads(arguments.plan.read_text(encoding="utf-8"))
    if arguments.train:
        train(plan, arguments.train, arguments.tuned)
    elif arguments.score:
        score(plan, arguments.score, arguments.languages, arguments.tuned)
    else:
        run_grid(plan, arguments.plan, arguments.tuned)


def run_grid(plan: Plan, path: Path, tuned: bool) -> None:
    """Run one process per adapter, then one per cell (tuned: per adapter), then tabulate."""
    command = [sys.executable, __file__, str(path), *(["--tuned"] if tuned else [])]
    languages = list(plan["test_posts"])
    scored_together = [languages] if tuned else [[language] for language in languages]
    with ThreadPoolExecutor(plan["workers"]) as pool:
        for steps in (
            [["--train", name] for name in plan["adapters"]],
            [["--score", name, "--languages", *group] for name in plan["adapters"] for group in scored_together],
        ):
            list(pool.map(lambda step: subprocess.run([*command, *step], check=True), steps))
    tabulate(plan)


def train(plan: Plan, name: str, tuned: bool) -> None:
    """Train one adapter on the 4-bit base (QLoRA)."""
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    torch.set_num_threads(1)
    posts = json.loads(Path(plan["adapters"][name]["posts"]).read_text(encoding="utf-8"))
    # With separate prompt and completion, TRL computes the loss only on the answer.
    rows = posts if tuned else [{"text": post["prompt"] + post["completion"]} for post in posts]
    trainer = SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(plan["base"], **_four_bits(plan)),
        args=SFTConfig(
            output_dir=str(_folder(plan, name) / "trainer"),
            **plan["training"],
            # TRL enables checkpointing by default.
            **({"gradient_checkpointing": False} if tuned else {}),
            seed=plan["adapters"][name]["seed"],
            use_cpu=True,
            bf16=False,
            save_strategy="no",
            report_to="none",
        ),
        train_dataset=Dataset.from_list(rows),
        processing_class=AutoTokenizer.from_pretrained(plan["base"]),
        peft_config=LoraConfig(**plan["lora"], task_type="CAUSAL_LM"),
    )
    trainer.train()
    trainer.save_model(str(_folder(plan, name) / "adapter"))


def score(plan: Plan, name: str, languages: list[str], tuned: bool) -> None:
    """Score one adapter in some languages, choosing the answer with the highest log-likelihood for each post."""
    import pandas as pd
    import torch
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(1)
    # transformers 5 rejects the harness's `load_in_4bit`, so pass a loaded model instead.
    base = AutoModelForCausalLM.from_pretrained(plan["base"], **_four_bits(plan))
    harness = HFLM(
        pretrained=PeftModel.from_pretrained(base, str(_folder(plan, name) / "adapter")).eval(),
        tokenizer=AutoTokenizer.from_pretrained(plan["base"]),
        batch_size=TUNED_BATCH if tuned else 1,
    )
    answers = list(plan["answers"].values())
    for language in languages:
        posts = json.loads(Path(plan["test_posts"][language]).read_text(encoding="utf-8"))
        requests = [
            Instance("loglikelihood", {}, (post["prompt"], answer), number)
            for post in posts
            for number, answer in enumerate(answers)
        ]
        scores = torch.tensor([score for score, _ in harness.loglikelihood(requests)]).view(len(posts), -1)
        best = [list(plan["answers"])[column] for column in scores.argmax(1)]
        table = pd.DataFrame({"gold": [post["label"] for post in posts], "predicted": best})
        table.to_csv(_folder(plan, name) / f"{language}.csv", index=False)


def tabulate(plan: Plan) -> None:
    """Write the table of mixtures by test languages: macro-F1 of the view, mean over seeds."""
    import pandas as pd
    from sklearn.metrics import f1_score

    rows = []
    for name, adapter in plan["adapters"].items():
        for language in plan["test_posts"]:
            cell = pd.read_csv(_folder(plan, name) / f"{language}.csv").replace(plan["view"])
            f1 = f1_score(cell["gold"], cell["predicted"], average="macro")
            rows.append({"mixture": adapter["mixture"], "language": language, "macro_f1": f1})
    table = pd.DataFrame(rows).pivot_table(index="mixture", columns="language", values="macro_f1", aggfunc="mean")
    table.to_csv(Path(plan["out"]) / "table.csv")


def _four_bits(plan: Plan) -> dict[str, Any]:
    """Return the arguments for loading the base in NF4 with float32 computation."""
    from transformers import BitsAndBytesConfig

    quantization = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=plan["double_quantization"],
        bnb_4bit_compute_dtype="float32",
    )
    return {"quantization_config": quantization, "dtype": "float32"}


def _folder(plan: Plan, name: str) -> Path:
    return Path(plan["out"]) / name.replace("/", "_")


if __name__ == "__main__":
    main()
