"""Paths of an experiment's files: the workflow, `status` and `babelgrid.load` take them from here."""

from dataclasses import dataclass

TRAINED = {"embedding": "classifier.parquet", "encoder": "trained.safetensors"}
"""Rival -> the file of what it learnt from a mixture."""


@dataclass(frozen=True)
class ResultsLayout:
    """Files under results/<experiment>; arguments of the methods may be Snakemake wildcards or glob patterns.

    folder: results/<experiment>. job: name of a job with its wildcards, such as `finetune/en/seed0`.
    """

    folder: str

    def posts(self, language: str) -> str:
        """Return the posts file of one language; `all` is not a language, so posts/all.parquet is never one of them."""
        return f"{self.folder}/posts/{language}.parquet"

    def translated(self, language: str) -> str:
        """Return the posts file of one language with translations in place of the texts."""
        return f"{self.folder}/posts/translated/{language}.parquet"

    def answers(self, template: str) -> str:
        """Return the file of checked answers for one template."""
        return f"{self.folder}/answers/{template}.json"

    def adapter(self, mixture: str, seed: int | str, file: str = "adapter_model.safetensors") -> str:
        """Return a file of an adapter's folder: its weights, or the file with this name."""
        return f"{self.folder}/adapters/{mixture}/seed{seed}/{file}"

    def predictions(self, mixture: str, seed: int | str, language: str) -> str:
        """Return the predictions of a cell."""
        return f"{self.folder}/predictions/{mixture}/seed{seed}/{language}.parquet"

    def baselines(self, mixture: str, seed: int | str) -> str:
        """Return the predictions of the baselines of a row."""
        return f"{self.folder}/baselines/{mixture}/seed{seed}.parquet"

    def embeddings(self, language: str, part: str) -> str:
        """Return the sentence embeddings of one language's posts in one part (`train` or `test`)."""
        return f"{self.folder}/embeddings/{language}/{part}.parquet"

    def rival(self, row: str, seed: int | str, file: str) -> str:
        """Return a file of what a rival learnt from a mixture."""
        return f"{self.folder}/rivals/{row}/seed{seed}/{file}"

    def usage(self, job: str) -> str:
        """Return the usage record of a job."""
        return f"{self.folder}/usage/{job}.json"

    def log(self, job: str) -> str:
        """Return the log of a job."""
        return f"{self.folder}/logs/{job}.log"

    def benchmark(self, job: str) -> str:
        """Return Snakemake's benchmark file of a job."""
        return f"{self.folder}/benchmarks/{job}.tsv"
