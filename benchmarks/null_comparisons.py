"""How often do two arms of equal quality come out as different? Each p-value, at p < 0.05.

    python benchmarks/null_comparisons.py [--stays 150 1500 11600] [--trials 500] [--untested]

Each trial draws patients of 1 to 5 stays, split 7 : 1 : 2, about 10 % of the stays positive;
--stays is the number of test stays. A stay's risk is of its patient and its own. Every arm and
learner sees the risk through a noise of its own, patient and stay again, of the same law for all:
so none is better. The two arms are logistic regressions fitted on train, their thresholds chosen
on validation (Youden); their AUROC is about 0.73, and their scores correlate by about 0.6. The two
learners say yes above a score that is the same for both, to 12 % of the stays, and give P(yes) to
two decimals; one of them is asked a second time, with other noise, as if without the picture. Then
everything is as in `charthouse evaluate`: measure_arm(), difference_rows(), comparison_rows().

Printed are, of each p-value, the rate of p < 0.05 and its binomial standard error, and of how many
trials it is: with fewer than 10 patients of a class there is no p-value. --untested: what the rate
would be of the differences that have none, those of groups (equal ones) too.
"""

import argparse
from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from charthouse.jobs.ask.conditions import FULL
from charthouse.jobs.evaluate.arm_metrics import ArmMetrics, Bootstrap, measure_arm
from charthouse.jobs.evaluate.comparisons import UNTESTED, UNTESTED_MEASURES, difference_rows
from charthouse.jobs.evaluate.learner_answers import Answers, Learner
from charthouse.jobs.evaluate.learner_comparisons import comparison_rows
from charthouse.jobs.evaluate.scored import ALL, Scored, Stays
from charthouse.jobs.predict.arms import Arm
from charthouse.stats.calibration import recalibration

SIZES = (150, 1500, 11_600)
LEVEL, MOST = 0.05, 0.08
YES_FROM = 0.19
CALIBRATED = 0.69, -2.475
"""Slope and intercept of a learner, those of a regression on 3 million stays."""
SHARES = {"train": 3.5, "validation": 0.5, "test": 1.0}  # of the test stays

Found = tuple[str, str, float]  # what is compared, metric, p-value


class Population:
    """Patients, and what each of the arms and learners sees of them; all of one seed."""

    def __init__(self, n: int, rng: np.random.Generator) -> None:
        self.n, self._rng = n, rng
        stays = np.minimum(rng.geometric(0.75, n), 5)
        self.patient = np.repeat(np.arange(n), stays)[:n]
        self.risk = self._both(0.8, 0.6)
        self.y_true = (rng.random(n) < _probability(1.2 * self.risk - 2.7)).astype(np.int64)

    def _both(self, of_patient: float, of_stay: float) -> np.ndarray:
        draws = self._rng.normal(size=(2, self.n))
        return of_patient * draws[0, self.patient] + of_stay * draws[1]

    def seen(self) -> np.ndarray:
        """The risk, through new noise [n]."""
        return self.risk + 0.8 * self._both(0.7, 0.7)

    @property
    def stays(self) -> Stays:
        """As evaluate reads them, in groups that are nothing but chance."""
        ids = np.arange(self.n)
        groups = {"group": self.patient % 3}
        return Stays(ids, self.patient, self.y_true, {ALL: np.ones(self.n, bool)}, groups)


def _probability(log_odds: np.ndarray) -> np.ndarray:
    found: np.ndarray = 1 / (1 + np.exp(-log_odds))
    return found


def arms_of(splits: dict[str, Population]) -> list[Scored]:
    """Two, fitted on train."""
    found = []
    for name in ("a", "b"):
        seen = {split: population.seen() for split, population in splits.items()}
        train = splits["train"]
        regression, deviation = recalibration(train.y_true, seen["train"])
        start = np.array([np.log(train.y_true.mean() / (1 - train.y_true.mean())), 0.0])
        fitted, _ = regression.fit(np.ones((train.n, 1)), start)
        middle = seen["train"].mean()
        y_score = {
            split: _probability(fitted[0, 0] + fitted[1, 0] * (seen[split] - middle) / deviation)
            for split in ("validation", "test")
        }
        found.append(Scored(name, Arm((("structured", (name,)),)), "late", y_score))
    return found


def learners_of(test: Population) -> list[Learner]:
    """Two, of which one is asked twice."""

    def asked() -> Answers:
        slope, intercept = CALIBRATED
        p_yes = _probability(slope * test.seen() + intercept)
        everyone = np.ones(test.n, bool)
        decision = (p_yes >= YES_FROM).astype(float)
        return Answers(everyone, ~everyone, decision, np.round(p_yes, 2), "")

    return [
        Learner("one", "f", {FULL: asked(), "text_only": asked()}),
        Learner("other", "f", {FULL: asked()}),
    ]


def trial(n: int, seed: int, n_bootstrap: int, *, untested: bool = False) -> Iterator[Found]:
    """Every p-value of one trial; NaN where there is none.

    Args:
        n: Test stays.
        seed: Of the trial; other sizes of one seed share nothing.
        n_bootstrap: How many resamples.
        untested: The p-values of what is not tested, too.
    """
    rng = np.random.default_rng([n, seed])
    splits = {split: Population(int(share * n), rng) for split, share in SHARES.items()}
    stays = {split: splits[split].stays for split in ("validation", "test")}
    bootstrap = Bootstrap(n_bootstrap, seed, min_group=10)
    arm, other = (
        measure_arm(scored, stays, "validation", bootstrap, n_bootstrap)
        for scored in arms_of(splits)
    )
    for row in difference_rows(arm, other, [ALL], n_bootstrap):
        yield "arms", row["metric"], _number(row["p_value"])
    learners = learners_of(splits["test"])
    for row in comparison_rows(learners, [arm], stays["test"], bootstrap):
        if row["learner"] == "one" and row["metric"] not in ("changed", "p_yes_moved"):
            yield row["question"], row["metric"], _number(row["p_value"])
    if untested:
        yield from _untested(arm, other)


def _untested(arm: ArmMetrics, other: ArmMetrics) -> Iterator[Found]:
    for metric, found in arm.compared[ALL].minus(other.compared[ALL]).items():
        if metric in UNTESTED:
            yield "arms, not tested", metric, found.p_value
    by_group = arm.by_attribute["group"].fairness_minus(other.by_attribute["group"])
    for measure in UNTESTED_MEASURES:
        yield "groups, not tested", measure, by_group[measure].p_value


def _number(p_value: float | None) -> float:
    return np.nan if p_value is None else p_value


def rates(
    n: int, trials: int, n_bootstrap: int, *, untested: bool = False
) -> dict[tuple[str, str], tuple[float, int]]:
    """What is compared and metric to the rate of p < 0.05 and the trials that have a p-value."""
    found = defaultdict(list)
    for seed in range(trials):
        for what, metric, p_value in trial(n, seed, n_bootstrap, untested=untested):
            found[what, metric].append(p_value)
    return {
        key: (float(np.mean(tested < LEVEL)), len(tested))
        for key, p_values in found.items()
        if len(tested := np.array(p_values)[~np.isnan(p_values)])
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stays", type=int, nargs="+", default=SIZES, help="test stays")
    parser.add_argument("--trials", type=int, default=500)
    parser.add_argument("--bootstraps", type=int, default=1000)
    parser.add_argument("--untested", action="store_true", help="also what has no p-value")
    given = parser.parse_args()
    for n in given.stays:
        found = rates(n, given.trials, given.bootstraps, untested=given.untested)
        print(
            f"\n{n:,} test stays, {given.trials} trials, {given.bootstraps} resamples\n", flush=True
        )
        print("| compared | metric | p < 0.05 | trials |\n|---|---|---|---|")
        for (what, metric), (rate, trials) in found.items():
            error = np.sqrt(rate * (1 - rate) / trials)
            more = "" if rate <= MOST or "not tested" in what else f", MORE THAN {MOST}"
            print(f"| {what} | {metric} | {rate:.3f} ± {error:.3f}{more} | {trials} |", flush=True)


if __name__ == "__main__":
    main()
