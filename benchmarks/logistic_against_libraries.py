"""The grid search of the logistic regression: ours beside scikit-learn's.

    python benchmarks/logistic_against_sklearn.py [--full] [--arms 3 7] [--no-sklearn]

Synthetic embeddings: low-rank and correlated, columns of very different scale, pictures and
reports absent for a share of the rows (zeros, with an indicator). C in {0.01, 0.1, 1, 10} x {l1,
l2}, and no penalty once; five folds grouped by patient. scikit-learn's side gets the same folds and
float32 features, standardised outside its clock; lbfgs for l2 and none, saga for l1, the fastest
that it has for each at these sizes and the same objective, with its own default tolerance 1e-4 and
at most 1,000 iterations (ours has 1e-6, and at most 200).

By default 3,000 rows and 185 features, both sides whole. --full is the paper's size: 58,544 rows,
the features of 11 arms, the prevalences of both tasks. There scikit-learn fits one fold of one arm,
l1 at one C only; what the whole would take is extrapolated from that, and the table says so.
--arms picks arms by number, of both tasks.

Seconds are wall clock; CPU seconds are of both cores, which other programs disturb less.
"""

import argparse
import resource
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from charthouse.logistic.search import PAPER_GRID, Choice, LogisticFit, search

ROWS, FOLDS = 58_544, 5
MOST = 1000  # iterations of scikit-learn's
TASKS = {"mortality": 0.11, "length of stay": 0.34}  # share of positives
# Static and demographic features, vital signs; then pictures; then reports.
ARMS: tuple[tuple[tuple[int, int], int, int], ...] = (
    ((60, 312), 0, 0),
    ((60, 1024), 0, 0),
    ((60, 1024), 0, 0),
    ((60, 1024), 1376, 0),
    ((60, 1024), 1024, 0),
    ((60, 1024), 0, 768),
    ((60, 1024), 0, 1024),
    ((60, 1024), 1376, 768),
    ((60, 1024), 1376, 1024),
    ((60, 1024), 1024, 768),
    ((60, 1024), 1024, 1024),
)
SMALL = ((25, 80), 40, 38)
BESIDE = 9  # the arm of about 3,000 features that scikit-learn fits one fold of
ABSENT = {"image": 0.4, "text": 0.2}
LATENT = 48
HEAD = "| ours | features | s | CPU s | peak GB | choice | converged |\n" + "|---" * 7 + "|"


@dataclass(frozen=True)
class Seconds:
    wall: float
    cpu: float


class Clock:
    """Wall clock and CPU seconds since it was made."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def read(self) -> Seconds:
        return Seconds(time.perf_counter() - self._wall, time.process_time() - self._cpu)


def cohort(
    rows: int, arm: tuple[tuple[int, int], int, int], rate: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x [rows, p] float32, y and folds [rows]."""
    rng = np.random.default_rng(0)
    (static, vitals), image, text = arm
    dims = [(static, 0.0), (vitals, 0.0), (image, ABSENT["image"]), (text, ABSENT["text"])]
    dims = [(dim, absent) for dim, absent in dims if dim]
    x = np.empty((rows, sum(dim + (absent > 0) for dim, absent in dims)), dtype=np.float32)
    weight = (1 / np.sqrt(1 + np.arange(LATENT))).astype(np.float32)
    latent = rng.standard_normal((rows, LATENT), dtype=np.float32)
    at = 0
    for dim, absent in dims:
        own = rng.standard_normal((rows, dim // 4 + 1), dtype=np.float32)
        decay = (1 / np.sqrt(1 + np.arange(own.shape[1]))).astype(np.float32)
        block = x[:, at : at + dim]
        block[:] = rng.standard_normal((rows, dim), dtype=np.float32) * np.float32(0.3)
        block += latent @ (weight[:, None] * rng.standard_normal((LATENT, dim), dtype=np.float32))
        block += own @ (0.7 * decay[:, None] * rng.standard_normal((len(decay), dim), np.float32))
        block *= np.exp(rng.normal(size=dim)).astype(np.float32)
        block += rng.normal(size=dim).astype(np.float32)
        at += dim
        if absent:
            gone = rng.random(rows) < absent
            block[gone] = 0
            x[:, at] = ~gone
            at += 1
    risk = latent @ (weight * rng.normal(size=LATENT))
    seen = 1.2 * risk / risk.std() + rng.logistic(size=rows)
    patients = rows * 3 // 4
    patient = rng.integers(patients, size=rows)
    return (
        x,
        (seen > np.quantile(seen, 1 - rate)).astype(int),
        rng.permutation(patients)[patient] % 5,
    )


def by_sklearn(choice: Choice) -> LogisticRegression:
    """The fastest of scikit-learn's for that penalty."""
    l1 = choice.penalty == "l1"
    C = np.inf if choice.C is None else choice.C
    solver = "saga" if l1 else "lbfgs"
    return LogisticRegression(C=C, l1_ratio=int(l1), solver=solver, max_iter=MOST)


def fit_fold(
    data: tuple[np.ndarray, np.ndarray, np.ndarray],
    fold: int,
    choices: Sequence[Choice],
) -> dict[Choice, tuple[Seconds, float, bool]]:
    """By choice: what scikit-learn's fit of that fold took, its AUROC, whether it converged."""
    x, y, folds = data
    seen = folds != fold
    scaler = StandardScaler()
    train, held_out = scaler.fit_transform(x[seen]), scaler.transform(x[~seen])
    found = {}
    for choice in choices:
        clock = Clock()
        model = by_sklearn(choice).fit(train, y[seen])
        took = clock.read()
        auroc = roc_auc_score(y[~seen], model.decision_function(held_out))
        found[choice] = (took, float(auroc), int(model.n_iter_[0]) < MOST)
    return found


def peak_gb() -> float:
    """The largest resident set of this process so far, 10^9 bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def ours(data: tuple[np.ndarray, np.ndarray, np.ndarray], name: str) -> tuple[LogisticFit, Seconds]:
    clock = Clock()
    fit = search(*data)
    took = clock.read()
    failed = [f"{each.choice}: {each.reason}" for each in fit.candidates if not each.converged]
    print(
        f"| {name} | {data[0].shape[1]:,} | {took.wall:.1f} | {took.cpu:.1f} | {peak_gb():.2f} "
        f"| {fit.choice.penalty}, C = {fit.choice.C} | {'; '.join(failed) or 'all'} |",
        flush=True,
    )
    return fit, took


def small() -> None:
    """Both sides whole, on a small cohort."""
    data = cohort(3000, SMALL, TASKS["mortality"])
    print(HEAD)
    fit, took = ours(data, "3,000 rows")
    print(f"\n{'':20} {'scikit-learn s':>14} {'CPU s':>7} {'AUROC':>7} {'ours':>7} converged")
    wall, cpu, aurocs = 0.0, 0.0, {}
    folds = [fit_fold(data, fold, PAPER_GRID) for fold in range(FOLDS)]
    for candidate in fit.candidates:
        of_fold = [fold[candidate.choice] for fold in folds]
        seconds = sum(each[0].wall for each in of_fold), sum(each[0].cpu for each in of_fold)
        wall, cpu = wall + seconds[0], cpu + seconds[1]
        aurocs[candidate.choice] = float(np.mean([each[1] for each in of_fold]))
        print(
            f"{candidate.choice.penalty:5} C = {candidate.choice.C!s:10} {seconds[0]:14.2f} "
            f"{seconds[1]:7.2f} {aurocs[candidate.choice]:7.4f} {candidate.mean_auroc:7.4f} "
            f"{sum(each[2] for each in of_fold)} of {FOLDS}"
        )
    best = max(aurocs, key=lambda choice: aurocs[choice])
    apart = max(abs(each.mean_auroc - aurocs[each.choice]) for each in fit.candidates)
    same = "agree" if best == fit.choice else "differ"
    print(f"choices {same}; mean fold AUROCs differ by at most {apart:.1e}")
    print(f"scikit-learn {wall:.1f} s ({cpu:.1f} CPU s) without its refit; ours {took.wall:.2f} s")
    print(f"ratio {wall / took.wall:.0f}, of CPU seconds {cpu / took.cpu:.0f}")


def full(arms: Sequence[int], beside: bool) -> None:
    """Ours at the paper's size; scikit-learn on one fold of one arm, and what follows from it."""
    print(HEAD)
    total, features, reference = Seconds(0, 0), 0, None
    for arm in arms:
        for task, rate in TASKS.items():
            data = cohort(ROWS, ARMS[arm], rate)
            fit, took = ours(data, f"arm {arm}, {task}")
            total = Seconds(total.wall + took.wall, total.cpu + took.cpu)
            features += data[0].shape[1]
            if arm == BESIDE and task == "mortality":
                reference = fit, took
            del data
    print(
        f"all {2 * len(arms)}: {total.wall:.0f} s, {total.cpu:.0f} CPU s, peak {peak_gb():.2f} GB"
    )
    if not beside or reference is None:
        return
    data = cohort(ROWS, ARMS[BESIDE], TASKS["mortality"])
    measured = [choice for choice in PAPER_GRID if choice.penalty != "l1"] + [Choice("l1", 1.0)]
    per_search, cpu = 0.0, 0.0
    by_choice = {each.choice: each for each in reference[0].candidates}
    print(f"\nscikit-learn, one fold of arm {BESIDE}, mortality, {data[0].shape[1]:,} features")
    for choice in measured:
        took, auroc, converged = fit_fold(data, 0, [choice])[choice]
        times = FOLDS * (4 if choice.penalty == "l1" else 1)
        per_search, cpu = per_search + times * took.wall, cpu + times * took.cpu
        print(
            f"{choice.penalty}, C = {choice.C}: {took.wall:.1f} s, {took.cpu:.1f} CPU s, AUROC "
            f"{auroc:.4f} (ours {by_choice[choice].fold_auroc[0]:.4f}), "
            f"{'converged' if converged else 'NOT converged'}",
            flush=True,
        )
    scale, took = features / data[0].shape[1], reference[1]
    print("extrapolated: five folds, l1 at four C by the one measured, no refit; then by features")
    print(
        f"this search: {per_search:.0f} s ({cpu:.0f} CPU s), ratio {per_search / took.wall:.0f} "
        f"(of CPU seconds {cpu / took.cpu:.0f})"
    )
    print(
        f"all searches above: {per_search * scale:.0f} s ({cpu * scale:.0f} CPU s), ratio "
        f"{per_search * scale / total.wall:.0f} (of CPU seconds {cpu * scale / total.cpu:.0f})"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="the paper's size")
    parser.add_argument("--arms", type=int, nargs="+", default=range(len(ARMS)), metavar="ARM")
    parser.add_argument("--no-sklearn", action="store_true", help="with --full: ours only")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)  # said in the table
    if arguments.full:
        full(arguments.arms, not arguments.no_sklearn)
    else:
        small()


if __name__ == "__main__":
    main()
