"""Many arms in turn: which, in what order, and what is said about it."""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import duckdb

from charthouse.core.cohort import Cohort, read_cohort, require_same_cohort
from charthouse.core.errors import CharthouseError, require_known
from charthouse.core.progress import PrintLine, ProgressBar
from charthouse.core.runs import Run
from charthouse.core.warehouse import open_warehouse
from charthouse.jobs.predict import store
from charthouse.jobs.predict.arms import Arm, best_first, default_arms, parse_arm
from charthouse.jobs.predict.job import FitKey, TaskStays, fingerprint, fit_arm
from charthouse.jobs.predict.vectors import NotEncoded, find_sources, read_block
from charthouse.models.encoders.registry import encoder_specs
from charthouse.models.encoders.spec import EncoderSpec
from charthouse.models.fusions.base import MODEL, Fused, Fusion
from charthouse.models.fusions.block import Block, Source
from charthouse.models.fusions.registry import make_fusion
from charthouse.stats.metrics import compute_metrics


@dataclass(frozen=True)
class PredictRequest:
    """What a user may ask of `charthouse predict`."""

    arms: Sequence[str] = ()  # none: those of seeds/registries/arms.csv whose encoders have run
    tasks: Sequence[str] = ()  # none: all
    fusions: Sequence[str] = ()  # none: that of the setting fusion
    seed: int = 0
    dry_run: bool = False


def predict(
    project: Path, warehouse: Path, request: PredictRequest, *, say: PrintLine, watch: ProgressBar
) -> None:
    """Fits each arm asked for, or all of seeds/registries/arms.csv whose encoders have run.

    Raises:
        CharthouseError: an arm that was named cannot be fitted, and those before it are done; or
            none of the default ones can.
    """
    with open_warehouse(warehouse) as db:
        cohort = read_cohort(db)
    specs = encoder_specs(project)
    defaults = default_arms(project, specs)
    named = [parse_arm(name, specs) for name in request.arms]
    arms = named or [default.arm for default in defaults]
    fusions = {
        name: make_fusion(project, name) for name in request.fusions or [cohort.variables["fusion"]]
    }
    for task in request.tasks:
        require_known("--task", task, cohort.tasks)
    say(f"{cohort.describe()} in {warehouse}")
    fitted = 0
    not_encoded: dict[str, None] = {}
    for task in request.tasks or cohort.tasks:
        with open_warehouse(warehouse) as db:
            require_same_cohort(db, cohort)
            stays = store.read_task(db, cohort, task, request.seed)
        session = _Session(warehouse, cohort, specs, stays, request.dry_run, say)
        for name, fusion in fusions.items():
            candidates = [default.arm for default in defaults if default.is_candidate]
            left_out: dict[str, list[str]] = {}
            with watch(f"{task} by {name}", len(arms)) as progress:
                for place, arm in enumerate(sorted(arms, key=lambda arm: arm.needs_best)):
                    try:
                        if arm.needs_best:
                            arm = arm.on(session.best(candidates, name, fusion))
                        session.fit(arm, name, fusion)
                        fitted += 1
                    except CharthouseError as error:
                        if named:
                            raise
                        if isinstance(error, NotEncoded):
                            not_encoded[error.encoder] = None
                        else:
                            left_out.setdefault(str(error), []).append(arm.name)
                    progress(place + 1, len(arms))
            for reason, names in left_out.items():
                rest = f" and {len(names) - 1} more" if names[1:] else ""
                say(f"  {task}  left out {names[0]}{rest}: {reason}")
    if not_encoded:
        say(
            f"  left out: arms of {', '.join(not_encoded)}, which have not encoded this cohort"
            " (charthouse encoders says what each needs)"
        )
    if not fitted:
        raise CharthouseError("No arm could be fitted: the lines above say why.")


@dataclass
class _Session:
    """One task: its stays, the vectors that several arms read, and the runs of this session."""

    warehouse: Path
    cohort: Cohort
    specs: dict[str, EncoderSpec]
    stays: TaskStays
    dry_run: bool
    say: PrintLine
    blocks: dict[str, Block] = field(default_factory=dict)
    runs: dict[FitKey, str] = field(default_factory=dict)
    baselines: dict[str, Arm] = field(default_factory=dict)  # by fusion

    def fit(self, arm: Arm, fusion_name: str, fusion: Fusion) -> None:
        """Fits an arm, unless just these scores are there."""
        asked = FitKey(self.stays.task, arm, fusion_name)
        if asked in self.runs:
            return
        with self._marts() as db:
            sources = {
                encoder: find_sources(db, self.cohort, encoder, asked.task)
                for encoder in arm.encoders
            }
            print_of = fingerprint(self.stays, fusion, asked.name, sources)
            standing = store.current_run(db, asked, print_of)
        if standing:
            self.runs[asked] = standing
            self.say(f"  {asked.task}  {arm.name}: kept ({standing})")
        elif self.dry_run:
            self.say(f"  {asked.task}  {arm.name}: would be fitted, by {fusion_name}")
        else:
            self._fit(asked, fusion, sources, print_of)

    def best(self, candidates: Sequence[Arm], fusion_name: str, fusion: Fusion) -> Arm:
        """The best time-series baseline by this fusion, each fitted first if need be.

        Raises:
            CharthouseError: none of them could be fitted.
        """
        if fusion_name in self.baselines:
            return self.baselines[fusion_name]
        why_not = "none of those in seeds/registries/arms.csv has been fitted yet."
        for arm in candidates:
            try:
                self.fit(arm, fusion_name, fusion)
            except CharthouseError as error:
                why_not = str(error)
        asked = [FitKey(self.stays.task, arm, fusion_name) for arm in candidates]
        runs = {each.arm: self.runs[each] for each in asked if each in self.runs}
        if not runs:
            raise CharthouseError(f"there is no time-series baseline to build on: {why_not}")
        split = self.cohort.variables["baseline_chosen_on"]
        found = self._aurocs(runs, split)
        if any(math.isnan(auroc) for auroc in found.values()):
            split = f"{self.stays.fit_splits[0]}, out of fold ({split} has one class)"
            found = self._aurocs(runs, self.stays.fit_splits[0])
        place = best_first({arm.name: auroc for arm, auroc in found.items()})
        best = min(found, key=lambda arm: place(arm.name))
        others = ", ".join(f"{arm.name} {auroc:.3f}" for arm, auroc in found.items() if arm != best)
        self.say(
            f"  {self.stays.task}  best baseline on {split}: {best.name}, AUROC {found[best]:.3f}"
            + (f" ({others})" if others else "")
        )
        self.baselines[fusion_name] = best
        return best

    def _aurocs(self, runs: dict[Arm, str], split: str) -> dict[Arm, float]:
        with open_warehouse(self.warehouse) as db:
            scores = {arm: store.read_scores(db, run_id, split) for arm, run_id in runs.items()}
        return {
            arm: compute_metrics(y_true, y_score, 0.5, ("auroc",))["auroc"].value
            for arm, (y_true, y_score) in scores.items()
        }

    def _fit(
        self, asked: FitKey, fusion: Fusion, sources: dict[str, tuple[Source, ...]], print_of: str
    ) -> None:
        with Run(
            warehouse=self.warehouse,
            cohort=self.cohort,
            kind="predict",
            name=asked.name,
            task=asked.task,
            seed=self.stays.seed,
            settings={
                "arm": asked.arm.name,
                "fusion": asked.fusion,
                "fusion_version": fusion.version,
                "fit_splits": self.stays.fit_splits,
                "folds": self.stays.made_folds,
            },
            fingerprint=print_of,
            reads=self.cohort.reads(("task", asked.task), *asked.arm.parts_read(self.specs)),
        ) as run:
            started = time.monotonic()
            fused = fit_arm(self.stays, fusion, asked.arm.reads, partial(self._block, sources))
            seconds = time.monotonic() - started
            hashes = {encoder: self.blocks[encoder].vectors_hash for encoder in sources}
            with run.transaction() as db:
                scores_hash = store.write(db, run.run_id, asked, self.stays, sources, hashes, fused)
                run.counts = {
                    "stays": len(self.stays.stay_ids),
                    "seconds": round(seconds, 3),
                    "scores_hash": scores_hash,
                }
                run.finish(db)
        self.runs[asked] = run.run_id
        failed = [f"{each.name} {each.reason}" for each in fused.components if not each.converged]
        self.say(
            f"  {asked.task}  {asked.arm.name}: {_summary(fused)}, {seconds:.1f} s"
            + (f"; NOT CONVERGED: {', '.join(failed)}" if failed else "")
        )

    def _block(self, sources: dict[str, tuple[Source, ...]], encoder: str) -> Block:
        """The vectors of an encoder, or the presences; read once a task.

        They are read again if embed has since made others: those that are scored are those that
        the run names.
        """
        wanted = sources.get(encoder, ())
        if encoder not in self.blocks or self.blocks[encoder].sources != wanted:
            stay_ids, task = self.stays.stay_ids, self.stays.task
            with self._marts() as db:
                self.blocks[encoder] = read_block(
                    db, self.cohort, self.specs, encoder, task, stay_ids
                )
        if self.blocks[encoder].sources != wanted:
            raise CharthouseError(
                f"the vectors of {encoder} were replaced meanwhile. Run charthouse predict again."
            )
        return self.blocks[encoder]

    @contextmanager
    def _marts(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """The warehouse, while its marts are those of the cohort."""
        with open_warehouse(self.warehouse) as db:
            require_same_cohort(db, self.cohort)
            yield db


def _summary(fused: Fused) -> str:
    model = next(found for found in fused.components if found.name == MODEL)
    choice = ""
    if model.logistic:
        strength = f", C = {model.logistic.choice.C:g}" if model.logistic.choice.C else ""
        choice = f" ({model.logistic.choice.penalty}{strength})"
    return f"fitted on {int(model.fitted_on.sum())} stays x {model.features} features{choice}"
