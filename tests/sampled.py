"""Create artificial replicates: cells with known scores, each replicate shifted by a known amount."""

import numpy as np
import pandas as pd


def replicates(scores, noise=0.0, view="topic", n=100, seeds=2, resamples=200, seed=0):
    """Return the frame of replicates.parquet for {(mixture, test language): score}."""
    generator = np.random.default_rng(seed)
    keys = pd.DataFrame([(view, *cell) for cell in scores], columns=["view", "mixture", "test_language"])
    observed = np.array(list(scores.values()), float)
    drawn = observed[:, None] + noise * generator.standard_normal((len(scores), resamples))
    described = keys.assign(seeds=seeds, n=n, score=observed)
    values = pd.DataFrame(drawn.astype(np.float32), columns=[f"r{number}" for number in range(resamples)])
    return pd.concat([described, values], axis=1)


def sampled(scores, min_posts=50, **described):
    """Return `SampledScores` of artificial cells, see `replicates`."""
    from babelgrid.analysis.bootstrap.statistics import SampledScores

    frame = replicates(scores, **described).drop(columns="view").set_index(["mixture", "test_language"])
    return SampledScores(frame, min_posts)
