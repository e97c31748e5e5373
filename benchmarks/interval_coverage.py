"""How often a percentile interval holds the AUROC, by patients with the outcome.

Scores of two normal distributions, an AUROC of 0.85, one stay a patient, one in ten with the
outcome. Why evaluate/precision.py warns below 20, and there are no intervals below 10.

    python benchmarks/interval_coverage.py
"""

import argparse

import numpy as np
from scipy.stats import norm

from charthouse.stats.bootstrap import LEVEL, bootstrap_metrics

AUROC, IN_TEN = 0.85, 10


def covered(positive: int, trial: int, n_bootstrap: int) -> tuple[bool, bool]:
    """Whether the interval of one sample lies below, and above, the truth."""
    n = positive * IN_TEN
    y_true = (np.arange(n) < positive).astype(int)
    apart = np.sqrt(2) * norm.ppf(AUROC)
    y_score = norm.cdf(np.random.default_rng(trial).normal(size=n) + apart * y_true)
    found = bootstrap_metrics(y_true, y_score, np.arange(n), 0.5, ["auroc"], n_bootstrap, trial)
    low, high = np.nanquantile(found.resamples["auroc"], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return bool(high < AUROC), bool(low > AUROC)


def main() -> None:
    """Prints a row for each number of patients."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=600)
    parser.add_argument("--bootstraps", type=int, default=400)
    options = parser.parse_args()
    print(
        "| patients with the outcome | held it | all below it | all above it |\n|---|---|---|---|"
    )
    for positive in (5, 10, 20, 30, 50, 100):
        missed = np.mean(
            [covered(positive, trial, options.bootstraps) for trial in range(options.trials)],
            axis=0,
        )
        cells = [f"{share:.1%}" for share in (1 - missed.sum(), *missed)]
        print(f"| {positive} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
