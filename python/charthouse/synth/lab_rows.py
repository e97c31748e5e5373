"""The rows of laboratory tests: when specimens are drawn, what is measured, and planted errors."""

from dataclasses import dataclass

import numpy as np

from charthouse.synth.columns import Columns, OfStays
from charthouse.synth.lab_tests import LAB_TESTS, PANELS, PLACES, LabTest
from charthouse.synth.own_time import own_time
from charthouse.synth.population import DAY, HOUR, NO_TIME, Ints, Population, Stays
from charthouse.synth.random_streams import RandomStream, rng_for
from charthouse.synth.shifted import lab_latents
from charthouse.synth.signal import Bools, Floats
from charthouse.synth.vital_sign_rows import PLANTED_SHARE, Ints16, Ints32

NO_LABS = 0.008  # of stays
FAILING_FROM, FAILING_OVER = (
    (-12, 72),
    36,
)  # hours of the stay at which kidneys begin to fail; hours

# Why blood is drawn, and the share of draws of which each panel is made.
SHARES: dict[str, dict[str, float]] = {
    "before": dict(chemistry=0.95, count=0.95, differential=0.5, coagulation=0.6, liver=0.45,
                   cardiac=0.3, gas=0.12, lactate=0.4),
    "admission": dict(chemistry=1, count=0.97, differential=0.35, coagulation=0.7, liver=0.4,
                      cardiac=0.15, gas=0.4, lactate=0.35),
    "morning": dict(chemistry=0.97, count=0.95, differential=0.1, coagulation=0.55, liver=0.3),
    "extra": dict(chemistry=0.8, count=0.6, coagulation=0.3, lactate=0.3, liver=0.05),
    "gas": dict(gas=1, lactate=0.45),
    "cardiac": dict(cardiac=1),
    "after": dict(chemistry=0.95, count=0.95, coagulation=0.3, liver=0.2),
    "outpatient": dict(chemistry=0.9, count=0.85, liver=0.6, differential=0.4),
}  # fmt: skip
REASONS = tuple(SHARES)
BEFORE, ADMISSION, MORNING, EXTRA, GAS, CARDIAC, AFTER, OUTPATIENT = range(len(REASONS))

BLANK_BEFORE, BLANK_LATER = 0.58, 0.1  # of specimens before the ICU and after, hadm_id left empty
LATE_SHARE, EARLY_SHARE, UNSTORED_SHARE = 0.04, 0.003, 0.009
COMMENT_SHARE, OTHER_UNIT_SHARE, DUPLICATE_SHARE = 0.003, 0.004, 0.004
ORDERED = 0.16  # of specimens, order_provider_id known

HAS_OTHER_UNIT = np.array([test.other_unit is not None for test in LAB_TESTS])
PANEL_OF_TEST = np.array(
    [[test.itemid in panel.tests for panel in PANELS.values()].index(True) for test in LAB_TESTS]
)


@dataclass(frozen=True)
class LabPlan(Columns):
    """What is decided for every stay before its rows, shape ``(n,)`` each."""

    has: Bools  # whether it has a laboratory value at all
    failing: Floats  # how far its kidneys fail, 0 for most
    failing_from: Ints  # when they begin to
    death: Floats  # the latent that laboratory values show of death
    long_stay: Floats  # and of a stay over 3 days
    since: Ints  # no other stay of its patient, and no earlier admission, reaches beyond this
    until: Ints
    first: Bools  # the patient's first stay


@dataclass(frozen=True)
class PlantedLabs(OfStays):
    """Rows planted at and beyond the bounds, shape ``(k,)`` each."""

    test: Ints16  # position in LAB_TESTS
    value: Ints  # position in its planted values
    charttime: Ints


@dataclass(frozen=True)
class Draws(Columns):
    """Draws of blood, shape ``(d,)`` each."""

    stay: Ints  # position among the stays of the chunk
    time: Ints
    reason: Ints  # position in REASONS


@dataclass(frozen=True)
class Specimens(Columns):
    """Specimens of some stays, shape ``(s,)`` each."""

    stay: Ints  # position among the stays of the chunk
    charttime: Ints
    storetime: Ints
    blank: Bools  # hadm_id left empty
    urgent: Bools
    ordered: Bools  # order_provider_id known


@dataclass(frozen=True)
class LabRows:
    """Rows of some stays in no order, shape ``(r,)`` each."""

    specimens: Specimens
    specimen: Ints  # position among them
    test: Ints16  # position in LAB_TESTS
    step: Ints32  # value in steps of the last digit
    planted: Ints  # position among the test's planted values, or -1
    below: Bools  # below what can be measured, which a comment says
    only_comment: Bools  # not measured at all
    other_unit: Bools
    wording: Ints  # 0 to 5, of what only a comment tells


def plan_labs(population: Population, seed: int) -> LabPlan:
    """Decide for every stay whether it has laboratory values, and what bounds and drives them."""
    rng = rng_for(seed, RandomStream.LAB_PLANS)
    stays = population.stays
    n = len(stays)
    logit = -1.5 + 0.7 * stays.latents.severity
    failing = rng.random(n) < 1.0 / (1.0 + np.exp(-logit))
    hours = rng.uniform(*FAILING_FROM, n)
    shown, own = lab_latents(stays, seed), own_time(population)
    return LabPlan(
        has=rng.random(n) >= NO_LABS,
        failing=failing * rng.gamma(2.0, 0.6, n),
        failing_from=stays.intime + (hours * HOUR).astype(np.int64),
        death=shown["in_hospital_mortality"],
        long_stay=shown["icu_stay_over_3_days"],
        since=own.since,
        until=own.until,
        first=own.first,
    )


def plan_planted_labs(stays: Stays, plan: LabPlan, seed: int) -> PlantedLabs:
    """Choose the stay and time of every planted value, within the first day of the stay.

    Each value of each test is planted at least once, wherever any stay has laboratory values.
    """
    rng = rng_for(seed, RandomStream.LAB_PLANS, 1)
    each = max(1, round(len(stays) * PLANTED_SHARE)) * bool(plan.has.any())
    counts = [len(test.planted) for test in LAB_TESTS]
    test = np.repeat(np.arange(len(LAB_TESTS), dtype=np.int16), np.array(counts) * each)
    value = np.concatenate([np.tile(np.arange(count), each) for count in counts])
    stay = rng.choice(np.flatnonzero(plan.has), len(test))
    within = rng.uniform(0.02, 0.9, len(test)) * np.minimum(stays.seconds[stay], DAY)
    charttime = (stays.intime[stay] + within.astype(np.int64)) // 60 * 60 + 60
    order = np.argsort(stay, kind="stable")
    return PlantedLabs(stay[order], test[order], value[order], charttime[order])


class _Chunk:
    """Draws the rows of one chunk of stays."""

    def __init__(
        self, rng: np.random.Generator, stays: Stays, plan: LabPlan, chosen: slice
    ) -> None:
        self.rng = rng
        self.intime = stays.intime[chosen]
        self.outtime = stays.outtime[chosen]
        self.severity = stays.latents.severity[chosen]
        self.plan = plan.take(chosen)
        self.n = len(self.intime)

    def draws(self) -> Draws:
        """Every draw of blood."""
        rng, plan, n = self.rng, self.plan, self.n
        intime, outtime = self.intime, self.outtime
        days = (outtime - intime) / DAY
        sick = np.exp(0.3 * self.severity)
        gases = 2.6 * sick * np.minimum(days, 9)
        early = np.maximum(plan.since, intime - 8 * HOUR)
        late = np.minimum(plan.until, outtime + 2 * DAY)
        soon = intime + np.minimum(90 * 60, (outtime - intime) // 2)
        day_one = np.minimum(outtime, intime + 18 * HOUR)
        on_gas = rng.random(n) < 1.0 / (1.0 + np.exp(0.2 - 0.6 * self.severity))
        on_heart = rng.random(n) < 0.25
        before = np.where(intime - early > HOUR // 2, 1 + rng.poisson(0.6, n), 0)
        after = np.where(late - outtime > 2 * HOUR, rng.poisson(1.2, n), 0)
        outpatient = (plan.first & (rng.random(n) < 0.3)) * (1 + rng.poisson(1.0, n))
        parts = [
            self._mornings(),
            self._spread(BEFORE, before, early, intime),
            self._spread(ADMISSION, np.ones(n, np.int64), intime, soon),
            self._spread(EXTRA, rng.poisson(0.5 * sick * days), intime, outtime),
            self._spread(GAS, on_gas * rng.poisson(gases), soon, outtime),
            self._spread(CARDIAC, on_heart * rng.poisson(2.0, n), intime, day_one),
            self._spread(AFTER, after, outtime, late),
            self._spread(OUTPATIENT, outpatient, intime - 500 * DAY, intime - 30 * DAY),
        ]
        return Draws.joined(parts)

    def _spread(self, reason: int, count: Ints, start: Ints, stop: Ints) -> Draws:
        """That many draws for each stay, evenly between two times."""
        stay = np.repeat(np.arange(self.n), count * self.plan.has)
        time = start[stay] + (self.rng.random(len(stay)) * (stop - start)[stay]).astype(np.int64)
        return Draws(stay, time // 60 * 60, np.full(len(stay), reason))

    def _mornings(self) -> Draws:
        """Between three and six, each day of the stay but for its first three hours."""
        first = self.intime // DAY
        count = (self.outtime // DAY - first + 1) * self.plan.has
        stay = np.repeat(np.arange(self.n), count)
        rank = np.arange(len(stay)) - (np.cumsum(count) - count)[stay]
        hour = self.rng.uniform(3, 6, len(stay))
        time = (first[stay] + rank) * DAY + (hour * HOUR).astype(np.int64) // 60 * 60
        keep = (time > self.intime[stay] + 3 * HOUR) & (time < self.outtime[stay])
        return Draws(stay, time, np.full(len(stay), MORNING)).take(keep)

    def measured(self, test: LabTest, draws: Draws) -> tuple[Ints32, Bools]:
        """Steps of a test's values, and which lie below what can be measured."""
        rng, plan, stay = self.rng, self.plan, draws.stay
        shift = test.death * plan.death + test.long_stay * plan.long_stay
        shift = shift + test.severity * self.severity
        failed = np.clip((draws.time - plan.failing_from[stay]) / (FAILING_OVER * HOUR), 0, 1)
        away = shift[stay] + test.kidney * plan.failing[stay] * failed
        away = away * (draws.reason != OUTPATIENT)
        away = away + (test.between * rng.standard_normal(self.n))[stay]
        away = away + test.within * rng.standard_normal(len(stay))
        value = test.median * np.exp(away) if test.log else test.median + away
        step = np.rint(np.clip(value, *test.natural) * 10**test.decimals)
        below = (value < test.natural[0]) & bool(test.below)
        return step.astype(np.int32), below

    def specimens(self, draws: Draws, panel: Ints) -> Specimens:
        """One specimen for each draw, with what belongs to it as a whole."""
        rng, n = self.rng, len(draws)
        minutes, spread = np.array([(each.minutes, each.spread) for each in PANELS.values()]).T
        wait = np.maximum(minutes[panel] * np.exp(spread[panel] * rng.standard_normal(n)), 1)
        odd = rng.random(n)
        wait = np.where(odd < LATE_SHARE, rng.uniform(3, 30, n) * 60, wait)
        wait = np.where(odd > 1 - EARLY_SHARE, -1.0 - rng.integers(0, 9, n), wait)
        storetime = draws.time + wait.astype(np.int64) * 60
        before = draws.time < self.intime[draws.stay]
        blank = rng.random(n) < np.where(before, BLANK_BEFORE, BLANK_LATER)
        hurried = np.isin(draws.reason, (MORNING, AFTER, OUTPATIENT))
        return Specimens(
            stay=draws.stay,
            charttime=draws.time,
            storetime=np.where(rng.random(n) < UNSTORED_SHARE, NO_TIME, storetime),
            blank=blank | (draws.reason == OUTPATIENT),
            urgent=rng.random(n) < np.where(hurried, 0.15, 0.85),
            ordered=rng.random(n) < ORDERED,
        )


def draw_labs(
    stays: Stays, plan: LabPlan, plants: PlantedLabs, chosen: slice, seed: int, chunk: int
) -> LabRows:
    """Draw all rows of the consecutive stays in ``chosen``, the chunk of that number.

    Plan and planted rows are those of all stays.
    """
    rng = rng_for(seed, RandomStream.LABS, chunk)
    work = _Chunk(rng, stays, plan, chosen)
    drawn = work.draws()
    taken, panels, specimens, tests, steps, belows = [], [], [], [], [], []
    made = 0
    for number, (name, panel) in enumerate(PANELS.items()):
        share = np.array([SHARES[reason].get(name, 0.0) for reason in REASONS])
        of_panel = drawn.take(rng.random(len(drawn)) < share[drawn.reason])
        taken.append(of_panel)
        panels.append(np.full(len(of_panel), number))
        for itemid, measured in panel.tests.items():
            at = np.flatnonzero(rng.random(len(of_panel)) < measured)
            step, below = work.measured(LAB_TESTS[PLACES[itemid]], of_panel.take(at))
            specimens.append(made + at)
            tests.append(np.full(len(at), PLACES[itemid], np.int16))
            steps.append(step)
            belows.append(below)
        made += len(of_panel)

    added = plants.of(chosen)
    planted = added.test
    taken.append(Draws(added.stay, added.charttime, np.full(len(added), EXTRA)))
    panels.append(PANEL_OF_TEST[planted])
    draws, kind = Draws.joined(taken), np.concatenate(panels)
    specimen, test = np.concatenate(specimens), np.concatenate(tests)
    step, below = np.concatenate(steps), np.concatenate(belows)

    # A second specimen of the same time gives another value.
    copy = np.flatnonzero(rng.random(n := len(test)) < DUPLICATE_SHARE)
    copies = len(draws) + np.arange(len(copy))
    draws = Draws.joined([draws, draws.take(specimen[copy])])
    kind = np.concatenate((kind, kind[specimen[copy]]))
    middle = np.array([each.steps[len(each.steps) // 2] for each in LAB_TESTS])[test[copy]]
    another = step[copy] + np.where(step[copy] > middle, -1, 1).astype(np.int32)
    only_comment = (rng.random(n) < COMMENT_SHARE) & ~below
    other_unit = (rng.random(n) < OTHER_UNIT_SHARE) & HAS_OTHER_UNIT[test] & ~below & ~only_comment

    def flags(of_drawn: Bools) -> Bools:
        """Those of the rows drawn; the others have none."""
        return np.concatenate((of_drawn, np.zeros(len(planted) + len(copy), np.bool_)))

    return LabRows(
        specimens=work.specimens(draws, kind),
        specimen=np.concatenate((specimen, made + np.arange(len(planted)), copies)),
        test=np.concatenate((test, planted, test[copy])),
        step=np.concatenate((step, np.zeros(len(planted), np.int32), another)),
        planted=np.concatenate((np.full(n, -1), added.value, np.full(len(copy), -1))),
        below=flags(below),
        only_comment=flags(only_comment),
        other_unit=flags(other_unit),
        wording=rng.integers(0, 6, n + len(planted) + len(copy)),
    )
