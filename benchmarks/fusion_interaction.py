"""Which fusion finds what no modality tells by itself, and what a wide block of noise costs each.

    python benchmarks/fusion_interaction.py [--stays 40000] [--trials 50]    # 0: without its table

Stays, patients, latents and outcomes are those of `charthouse synth`, with its declared interaction
of vitals and image and without it. Vectors stand for encoders: the levels of the vital signs, the
features of the picture mixed into 64 numbers, words of reports, each with its noise, and absent
for a share of the stays. Everything after that is the project's: folds of
patients, the fusions, resamples of the test patients, AUROC differences with their p-values.

The first table has one cohort with the interaction and one without. The second has many small
cohorts whose images are 64 numbers of noise: how often does a fusion that is given them lose AUROC
against itself without them, at p < 0.05? Two-sided, so 2.5 % would be chance.
"""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from unittest.mock import patch

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from charthouse.jobs.predict.job import FOLDS
from charthouse.models.fusions.base import Fitting
from charthouse.models.fusions.block import Block
from charthouse.models.fusions.registry import fusion_names, make_fusion
from charthouse.stats.bootstrap import BootstrapResult, Difference, bootstrap_metrics
from charthouse.synth import signal
from charthouse.synth.population import DAY, NO_TIME, build_population
from charthouse.synth.studies import CONTENT
from charthouse.synth.vital_signs import VITAL_SIGNS
from measure import PROJECT

WIDTH = 64  # numbers of an image
HAS_VITALS, HAS_IMAGE, HAS_TEXT = 0.995, 0.215, 0.8  # shares of stays, about as in MIMIC
WORDS, WORD_LOADINGS = 4, (0.6, 0.5)  # on severity and the text's own latent
TRIAL_STAYS = 2000
REFERENCE = "concatenate"


@dataclass(frozen=True, eq=False)
class Cohort:
    """Stays in the ICU and alive at 24 h; train, which is fitted on, and test are 70 % and 30 %."""

    fitting: Fitting
    subjects: np.ndarray
    oracle: dict[str, float | None]  # of test stays: the best sum, and the best score

    def auroc(
        self, fusion: str, blocks: tuple[Block, ...], rows: np.ndarray
    ) -> list[BootstrapResult]:
        """AUROC of a fusion on test, and on those of `rows` [n] alone, with its resamples."""
        fitting = replace(self.fitting, blocks=blocks)
        y_score = make_fusion(PROJECT, fusion).fit(fitting).y_score
        test = ~fitting.fitted_on
        return [
            bootstrap_metrics(
                fitting.y_true[some], y_score[some], self.subjects[some], 0.5, ["auroc"]
            )
            for some in (test, test & rows)
        ]


def draw(stays: int, task: str, seed: int, *, noise: bool = False) -> Cohort:
    """A cohort; with `noise` its images hold nothing but noise, and every stay has one."""
    drawn = build_population(stays, seed).stays
    days = drawn.seconds / DAY
    early = (drawn.deathtime != NO_TIME) & (drawn.deathtime < drawn.intime + DAY)
    chosen = np.flatnonzero((days >= 1) & ~early)
    n, latents, subjects = len(chosen), drawn.latents.take(chosen), drawn.patient[chosen]
    rng = np.random.default_rng(seed)

    def block(modality: str, vectors: np.ndarray, share: float = 1.0) -> Block:
        present = rng.random(n) < share
        return Block(
            modality=modality,
            encoder=modality,
            names=tuple(str(place) for place in range(vectors.shape[1])),
            vectors=np.where(present[:, None], vectors, 0).astype(np.float32),
            present=present,
        )

    age = signal.scaled_age(drawn.age[chosen])
    levels = [
        (sign.severity * latents.severity + sign.own * latents.vitals) / sign.between
        for sign in VITAL_SIGNS
        if sign.between
    ]
    features = [
        on_severity * latents.severity
        + on_own * latents.image
        + np.sqrt(1 - on_severity**2 - on_own**2) * rng.standard_normal(n)
        for on_severity, on_own in CONTENT.values()
    ]
    mixing = rng.standard_normal((len(features), WIDTH)) / np.sqrt(len(features))
    image = 0.3 * rng.standard_normal((n, WIDTH)) + np.column_stack(features) @ mixing
    words = WORD_LOADINGS[0] * latents.severity + WORD_LOADINGS[1] * latents.text
    blocks = (
        block("demographics", age[:, None]),
        block("time_series", np.column_stack(levels) + rng.standard_normal((n, len(levels))),
              HAS_VITALS),
        block("text", words[:, None] + 0.6 * rng.standard_normal((n, WORDS)), HAS_TEXT),
        block("image", rng.standard_normal((n, WIDTH))) if noise
        else block("image", image, HAS_IMAGE),
    )  # fmt: skip
    y_true = (drawn.died if task == "in_hospital_mortality" else days > 3)[chosen].astype(int)
    fitted_on = (rng.random(subjects.max() + 1) < 0.7)[subjects]
    folds = np.full(n, -1)
    rows = np.flatnonzero(fitted_on)
    splitter = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    for fold, (_, held_out) in enumerate(splitter.split(rows, y_true[rows], subjects[rows])):
        folds[rows[held_out]] = fold
    test = ~fitted_on
    shown = {each.modality: each.present[test] for each in blocks}
    shown["vitals"] = shown["time_series"]
    oracle = {
        name: signal.oracle_auroc(
            {task: y_true[test].astype(bool)}, age[test], latents.take(test), shown,
            interaction=read,
        )[task]["vitals+image+text"]
        for name, read in (("sum", False), ("score", True))
    }  # fmt: skip
    return Cohort(Fitting(blocks, fitted_on, y_true, folds, seed), subjects, oracle)


@contextmanager
def interaction(task: str, *, planted: bool) -> Iterator[None]:
    """With the declared one, or with none."""
    declared = signal.INTERACTIONS[task]
    with patch.dict(
        signal.INTERACTIONS, {task: declared if planted else replace(declared, size=0.0)}
    ):
        yield


def find_interaction(stays: int) -> None:
    """Prints the first table."""
    print("| interaction | fusion | AUROC, all test stays | minus concatenate | with an image |"
          " minus concatenate |\n|---|---|---|---|---|---|")  # fmt: skip
    for task in signal.COEFFICIENTS:
        for planted in (True, False):
            with interaction(task, planted=planted):
                cohort = draw(stays, task, seed=0)
            blocks = cohort.fitting.blocks
            by_fusion = {
                fusion: cohort.auroc(fusion, blocks, blocks[-1].present)
                for fusion in [REFERENCE, *fusion_names(PROJECT)]
            }
            for fusion, found in by_fusion.items():
                cells = [
                    cell
                    for one, other in zip(found, by_fusion[REFERENCE], strict=True)
                    for cell in (
                        f"{one.point_estimates['auroc'].value:.4f}",
                        "" if fusion == REFERENCE else _signed(one.minus(other)["auroc"]),
                    )
                ]
                what = f"{task}, {'planted' if planted else 'none'}"
                print(f"| {what} | {fusion} | {' | '.join(cells)} |", flush=True)
            print(f"| | best sum, best score | {cohort.oracle['sum']}, {cohort.oracle['score']} |"
                  " | | |", flush=True)  # fmt: skip


def penalise_noise(trials: int) -> None:
    """Prints the second table."""
    task = "in_hospital_mortality"
    print(f"\n| fusion | lost AUROC at p < 0.05, of {trials} | gained | mean change |"
          "\n|---|---|---|---|")  # fmt: skip
    cohorts = [draw(TRIAL_STAYS, task, seed, noise=True) for seed in range(trials)]
    for fusion in fusion_names(PROJECT):
        changes = []
        for cohort in cohorts:
            *structured, noise = cohort.fitting.blocks
            given, without = (
                cohort.auroc(fusion, blocks, noise.present)[0]
                for blocks in ((*structured, noise), tuple(structured))
            )
            changes.append(given.minus(without)["auroc"])
        sure = [change for change in changes if change.p_value < 0.05]
        lost = sum(change.difference < 0 for change in sure)
        mean = np.mean([change.difference for change in changes])
        print(f"| {fusion} | {lost} | {len(sure) - lost} | {mean:+.4f} |", flush=True)


def _signed(found: Difference) -> str:
    return f"{found.difference:+.4f} [{found.ci_low:+.4f}, {found.ci_high:+.4f}]"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--stays", type=int, default=40_000)
    parser.add_argument("--trials", type=int, default=50)
    options = parser.parse_args()
    if options.stays:
        find_interaction(options.stays)
    if options.trials:
        penalise_noise(options.trials)
