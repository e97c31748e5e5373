"""Metrics on 1,000 resamples of patients: ours beside a loop over scikit-learn.

    python benchmarks/bootstrap_against_sklearn.py [--full]

14,637 stays (the paper's test split) of 10,900 patients, 11 % positive, synthetic scores without
ties. The loop repeats the rows of the same resamples and calls scikit-learn on them, one resample
after the other; what it does not have is a few lines of numpy (ECE, the intercept) or its
LogisticRegression without a penalty, tolerance 1e-8 (the slope). By default the loop runs on the
first 50 resamples and its time is scaled to 1,000; with --full it runs on all. Runs alternate, one
thread for BLAS in both. Also the largest difference between the two, and the memory that ours adds
to the process.
"""

import argparse
import resource
import statistics
import time

import numpy as np
from sklearn import metrics as sklearn_metrics
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from charthouse.stats.bootstrap import bootstrap_metrics, patient_weights
from charthouse.stats.calibration import logit
from charthouse.stats.metrics import choose_threshold

STAYS, PATIENTS, RESAMPLES = 14_637, 10_900, 1000
IN_SKLEARN = ("auroc", "auprc", "accuracy", "sensitivity", "specificity", "ppv", "f1", "brier")
BY_HAND = ("calibration_slope", "calibration_intercept", "ece")

Stays = tuple[np.ndarray, np.ndarray, np.ndarray]


def synthetic_stays() -> Stays:
    """y_true, y_score and subject_ids [STAYS]; most patients have one stay, some several."""
    rng = np.random.default_rng(0)
    frequent = rng.integers(PATIENTS // 5, size=STAYS - PATIENTS)
    subject = np.concatenate([np.arange(PATIENTS), frequent])
    seen = -2.56 + rng.normal(size=PATIENTS)[subject] + 0.5 * rng.normal(size=STAYS)
    y_true = (rng.random(STAYS) < 1 / (1 + np.exp(-seen - 0.3 * rng.normal(size=STAYS)))).astype(
        int
    )
    return y_true, 1 / (1 + np.exp(-0.9 * seen)), 10_000_000 + subject


def by_sklearn(y_true: np.ndarray, y_score: np.ndarray, threshold: float) -> dict[str, float]:
    """The metrics that scikit-learn has, on explicit rows."""
    called = (y_score >= threshold).astype(int)
    return {
        "auroc": sklearn_metrics.roc_auc_score(y_true, y_score),
        "auprc": sklearn_metrics.average_precision_score(y_true, y_score),
        "accuracy": sklearn_metrics.accuracy_score(y_true, called),
        "sensitivity": sklearn_metrics.recall_score(y_true, called),
        "specificity": sklearn_metrics.recall_score(y_true, called, pos_label=0),
        "ppv": sklearn_metrics.precision_score(y_true, called),
        "f1": sklearn_metrics.f1_score(y_true, called),
        "brier": sklearn_metrics.brier_score_loss(y_true, y_score),
    }


def by_hand(y_true: np.ndarray, y_score: np.ndarray) -> dict[str, float]:
    """The others, on explicit rows."""
    x = logit(y_score)
    model = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-8).fit(x[:, None], y_true)
    intercept, step = 0.0, 1.0
    while abs(step) > 1e-9:
        p = 1 / (1 + np.exp(-x - intercept))
        step = (y_true - p).sum() / (p * (1 - p)).sum()
        intercept += step
    gaps = np.bincount(np.digitize(y_score, np.arange(1, 10) / 10), y_true - y_score)
    return {
        "calibration_slope": model.coef_[0, 0],
        "calibration_intercept": intercept,
        "ece": np.abs(gaps).sum() / len(x),
    }


def loop(stays: Stays, threshold: float, n: int, others: bool) -> dict[str, np.ndarray]:
    """Metrics of the first n resamples, each [n]."""
    y_true, y_score, subject = stays
    _, patient = np.unique(subject, return_inverse=True)
    found = []
    for drawn in patient_weights(subject, n):
        rows = np.repeat(np.arange(len(patient)), drawn[patient])
        each = by_sklearn(y_true[rows], y_score[rows], threshold)
        found.append(each | (by_hand(y_true[rows], y_score[rows]) if others else {}))
    return {name: np.array([each[name] for each in found]) for name in found[0]}


def peak_mb() -> float:
    """The largest resident set of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="the loop runs on all resamples")
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    n = RESAMPLES if arguments.full else 50

    stays = synthetic_stays()
    threshold = choose_threshold(*stays[:2])
    print(f"{STAYS:,} stays, {PATIENTS:,} patients, {stays[0].mean():.1%} positive")
    print(f"loop on {n:,} of {RESAMPLES:,} resamples" + ("" if arguments.full else ", scaled"))
    print("| metrics | ours | loop | ratio | differ by |\n|---|---|---|---|---|")
    before = peak_mb()
    for names in ((*IN_SKLEARN, *BY_HAND), IN_SKLEARN):
        others = set(names) - set(IN_SKLEARN)
        ours, theirs = [], []
        for run in range(arguments.runs):
            started = time.perf_counter()
            found = bootstrap_metrics(*stays, threshold, names, RESAMPLES).resamples
            ours.append(time.perf_counter() - started)
            if not run and others:
                added = peak_mb() - before
            started = time.perf_counter()
            expected = loop(stays, threshold, n, bool(others))
            theirs.append((time.perf_counter() - started) * RESAMPLES / n)
        ratios = sorted(slow / fast for slow, fast in zip(theirs, ours, strict=True))
        apart = {name: np.abs(found[name][:n] - expected[name]).max() for name in names}
        print(
            f"| {len(names)} | {statistics.median(ours):.2f} s | {statistics.median(theirs):.1f} s "
            f"| {statistics.median(ratios):.0f} ({ratios[0]:.0f} to {ratios[-1]:.0f}) "
            f"| {max(apart[name] for name in names if name in IN_SKLEARN):.0e} |",
            flush=True,
        )
        if others:
            print({name: f"{value:.0e}" for name, value in apart.items()})
    print(f"memory that ours added: {added:.0f} MB (to {before:.0f} MB of imports and data)")


if __name__ == "__main__":
    with threadpool_limits(1, user_api="blas"):
        main()
