"""Measure the speed of classifying an archive (read, clean, tokenise, score, write) relative to scoring alone.

Run `python -m benchmarks.classify` after `make run`. On a CPU, one thread scores, as in the workflow. Both sides score
the same posts. With `--configfile config/mine.yaml --row en/seed0`, the base and an adapter of another experiment are
used. The benchmark runs on a GPU if there is one.
"""

import argparse
import tempfile
import time
from pathlib import Path

import babelgrid.runtime.offline  # noqa: F401  (first: it sets variables that the libraries read)
from babelgrid.classify.job import Classified, Classifier, classify
from babelgrid.classify.reader import Archive, Group, Slice, read_groups
from babelgrid.config.classify import ArchiveColumns, Classify, LabArchive
from babelgrid.config.experiment import Experiment
from babelgrid.config.load import read_experiment
from babelgrid.grid import build_grid, find_row
from babelgrid.lab.archive import write_lab_archive
from babelgrid.model.predict import load_adapted
from babelgrid.model.score import label_log_probabilities
from babelgrid.prompts.answers import label_paths
from babelgrid.prompts.tokenizer import load_tokenizer
from babelgrid.runtime.files import read_json
from babelgrid.runtime.job import limit_threads
from babelgrid.runtime.usage import Usage
from benchmarks.measure import write_result


def main() -> None:
    """Run both sides in turn and print the posts and tokens per second of each; repeated posts count once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--configfile", nargs="+", default=["config/config.yaml"])
    parser.add_argument("--row", default="all/seed0")
    parser.add_argument("--rows", type=int, default=60_000)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    limit_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        experiment = read_experiment(*arguments.configfile)
        archive, classifier = prepare(Path(folder), experiment, arguments.row, arguments.rows)
        groups = list(read_groups(archive))
        rounds = [
            {**whole(archive, classifier, Path(folder)), "pure_seconds": pure(groups, archive, classifier)}
            for _ in range(arguments.repeats)
        ]
    prompts = [tokens for group in groups for _, tokens in group.prompts.values()]
    counts = {"posts": len(prompts), "tokens": sum(map(len, prompts))}
    write_result("classify", {"rows": arguments.rows, **counts, "rounds": rounds})
    for own in rounds:
        for side in ("whole", "scored", "pure"):
            posts, tokens = (count / own[f"{side}_seconds"] for count in counts.values())
            share = own["pure_seconds"] / own[f"{side}_seconds"]
            print(f"{side}: {posts:.0f} posts/s, {tokens:.0f} tokens/s, {share:.2f} of pure")


def prepare(folder: Path, experiment: Experiment, row: str, rows: int) -> tuple[Archive, Classifier]:
    """Write an archive of one shard; return it with the classifier."""
    write_lab_archive(LabArchive(rows=rows, shards=1), 1, 0, folder / "shard.csv.gz", folder / "counts.json")
    settings = Classify(input=["x"], adapter="x", columns=ArchiveColumns(id="id", language="language"))
    results = Path("results", experiment.experiment)
    base_path = results / "base.json"
    tokenizer = read_json(base_path)["folder"]
    archive = Archive(Slice(folder / "shard.csv.gz"), settings, {}, experiment.prompt, tokenizer)
    mixture, seed = find_row(build_grid(experiment), row, "--row")
    adapter = results / "adapters" / mixture / f"seed{seed}"
    return archive, Classifier(base_path, experiment.base, adapter, experiment.labels, experiment.predict, row)


def whole(archive: Archive, classifier: Classifier, folder: Path) -> dict[str, float]:
    """Return the seconds of the whole job, including the reader's start, and the seconds since the first group."""
    out = Classified(folder / "posts.parquet", folder / "rejected.csv", folder / "counted.json")
    usage, start = Usage(), time.monotonic()
    classify(archive, classifier, out, folder / "kept", code="", usage=usage)
    return {"whole_seconds": time.monotonic() - start, "scored_seconds": usage.work_seconds}


def pure(groups: list[Group], archive: Archive, classifier: Classifier) -> float:
    """Return the seconds for loading the base and scoring each tokenised prompt once."""
    tokenizer = load_tokenizer(archive.tokenizer)
    start = time.monotonic()
    model = load_adapted(classifier.base_path, classifier.adapter, classifier.base)
    for group in groups:
        for template in {template for template, _ in group.prompts.values()}:
            paths = label_paths(archive.prompt, classifier.labels, template, tokenizer)
            prompts = [tokens for own, tokens in group.prompts.values() if own == template]
            label_log_probabilities(model, prompts, paths, classifier.settings.tokens_per_batch)
    return time.monotonic() - start


if __name__ == "__main__":
    main()
