"""Treatments planned for every stay: who is ventilated when, and what the patient weighs.

What is decided here are a few numbers a stay; the rows are streamed by the tables' own modules.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from charthouse.synth.columns import OfStays
from charthouse.synth.population import DAY, HOUR, NO_TIME, Ints, Stays
from charthouse.synth.random_streams import RandomStream, rng_for
from charthouse.synth.signal import Bools, Floats, Latents

# Log odds by the latents that vital signs show, so that what begins after a day can be predicted.
LOG_ODDS: dict[str, dict[str, float]] = {
    "invasive_ventilation_after_24h": dict(intercept=-2.3, severity=0.8, vitals=0.5),
    "invasive_ventilation_in_24h_without_tube": dict(intercept=-3.6, severity=0.9, vitals=0.5),
    "noninvasive_ventilation_in_24h": dict(intercept=-3.4, severity=0.5, vitals=0.3),
    "noninvasive_ventilation_after_24h": dict(intercept=-5.0, severity=0.7, vitals=0.4),
    "vasopressor_in_24h": dict(intercept=-1.3, severity=0.9, vitals=0.6),
    "vasopressor_after_24h": dict(intercept=-2.9, severity=1.0, vitals=0.8),
    "infection_suspected_in_24h": dict(intercept=-0.8, severity=0.7, vitals=0.6),
    "infection_suspected_after_24h": dict(intercept=-2.3, severity=0.7, vitals=0.6),
}


@dataclass(frozen=True)
class Spans(OfStays):
    """Times during which something goes on, shape ``(k,)`` each."""

    start: Ints
    stop: Ints


def sorted_spans(parts: list[Spans]) -> Spans:
    """Several lists as one, by stay and start, on whole minutes."""
    joined = Spans.joined(parts)
    joined = Spans(joined.stay, joined.start // 60 * 60, joined.stop // 60 * 60)
    return joined.take(np.lexsort((joined.start, joined.stay)))


def chance(name: str, latents: Latents) -> Floats:
    """The declared chance of each stay, ``(n,)``."""
    by = LOG_ODDS[name]
    logit = by["intercept"] + by["severity"] * latents.severity + by["vitals"] * latents.vitals
    return np.asarray(1.0 / (1.0 + np.exp(-logit)))


WRONG_WEIGHT = 0.004


def draw_weights(stays: Stays, seed: int) -> Floats:
    """Weight in kg, ``(n,)``, one of a patient; some are off by a factor, as typed wrongly."""
    rng = rng_for(seed, RandomStream.WEIGHTS)
    patients = int(stays.patient[-1]) + 1
    weight = np.clip(82 * np.exp(0.25 * rng.standard_normal(patients)), 35, 220)[stays.patient]
    wrong = rng.random(len(stays)) < WRONG_WEIGHT
    weight = np.where(wrong, weight * rng.choice((0.1, 2.2), len(stays)), weight)
    return np.asarray(np.round(weight, 1))


@dataclass(frozen=True)
class Ventilation:
    """When stays are ventilated."""

    invasive: Spans
    noninvasive: Spans

    def of(self, chosen: slice) -> "Ventilation":
        """That of consecutive stays."""
        return Ventilation(self.invasive.of(chosen), self.noninvasive.of(chosen))


def started(spans: Spans, stays: Stays) -> tuple[Bools, Bools]:
    """Which stays it began in before hour 24, and which of at least a day first after, ``(n,)``."""
    first = np.full(len(stays), np.iinfo(np.int64).max)
    np.minimum.at(first, spans.stay, spans.start)
    before = first < stays.intime + DAY
    return before, ~before & (first < stays.outtime) & (stays.seconds >= DAY)


def count_started(name: str, spans: Spans, stays: Stays) -> Counter[str]:
    """Stays in which it began before hour 24, first after it, and those of a day without before."""
    before, after = started(spans, stays)
    return Counter(
        {
            f"{name}_before_24h": int(before.sum()),
            f"first_{name}_after_24h": int(after.sum()),
            f"not_{name}_before_24h": int((~before & (stays.seconds >= DAY)).sum()),
        }
    )


def _some(rng: np.random.Generator, share: float | Floats, n: int) -> Bools:
    return np.asarray(rng.random(n) < share, dtype=np.bool_)


def plan_ventilation(stays: Stays, tube_seen: Ints, seed: int) -> Ventilation:
    """Decide who is ventilated when.

    Args:
        stays: All stays.
        tube_seen: When the verbal response was last charted as lacking for a tube, or NO_TIME; that
            is from the stay's first hour on.
        seed: Seed of every random choice.
    """
    rng = rng_for(seed, RandomStream.VENTILATION)
    n, intime, outtime = len(stays), stays.intime, stays.outtime
    minutes = stays.seconds // 60
    day_end = intime + DAY

    def span(who: Bools, start: Floats | Ints, hours: float) -> Spans:
        """From ``start`` on, for that many hours on average and no longer than the stay."""
        rows = np.flatnonzero(who)
        length = (1 + rng.exponential(hours, n)) * HOUR
        stop = np.minimum(start + length, outtime)
        return Spans(rows, start[rows].astype(np.int64), stop[rows].astype(np.int64))

    def within(start: Ints, stop: Ints) -> Floats:
        return np.asarray(start + rng.random(n) * (stop - start))

    tubed = tube_seen != NO_TIME
    charted = tubed & _some(rng, 0.97, n)
    at_once = np.flatnonzero(charted)
    start = intime + np.minimum(rng.exponential(10, n), minutes / 4) * 60
    until = np.minimum(tube_seen + rng.uniform(0.2, 3.8, n) * HOUR, outtime)
    first = Spans(
        at_once,
        start[at_once].astype(np.int64),
        np.maximum(until, start + 600)[at_once].astype(np.int64),
    )
    early = within(intime + HOUR, np.minimum(outtime - HOUR, day_end - HOUR))
    late = within(day_end, np.minimum(outtime - HOUR, day_end + 3 * DAY))
    long = stays.seconds > DAY + 2 * HOUR
    name = "invasive_ventilation_in_24h_without_tube"
    soon = ~tubed & (stays.seconds > 3 * HOUR) & _some(rng, chance(name, stays.latents), n)
    name = "invasive_ventilation_after_24h"
    later = ~tubed & ~soon & long & _some(rng, chance(name, stays.latents), n)
    once = [first, span(soon, early, 30), span(later, late, 50)]
    again = Spans.joined(once)
    again = again.take(_some(rng, 0.07, len(again)))
    pause = rng.uniform(4, 60, len(again)) * HOUR
    restart = (again.stop + pause).astype(np.int64)
    stop = np.minimum(restart + rng.exponential(40 * HOUR, len(again)) + HOUR, outtime[again.stay])
    again = Spans(again.stay, restart, stop.astype(np.int64))
    again = again.take(again.start < outtime[again.stay] - HOUR)

    name = "noninvasive_ventilation_in_24h"
    mask = ~tubed & (stays.seconds > 3 * HOUR) & _some(rng, chance(name, stays.latents), n)
    name = "noninvasive_ventilation_after_24h"
    mask_later = ~mask & long & _some(rng, chance(name, stays.latents), n)
    early = within(intime, np.minimum(outtime - HOUR, day_end - HOUR))
    late = within(day_end, np.minimum(outtime - HOUR, day_end + 3 * DAY))
    return Ventilation(
        invasive=sorted_spans([*once, again]),
        noninvasive=sorted_spans([span(mask, early, 12), span(mask_later, late, 12)]),
    )


def plan_vasopressors(stays: Stays, seed: int) -> Spans:
    """Decide who is given vasopressors when."""
    rng = rng_for(seed, RandomStream.VASOPRESSORS)
    n, intime, outtime = len(stays), stays.intime, stays.outtime
    day_end = intime + DAY
    soon = _some(rng, chance("vasopressor_in_24h", stays.latents), n)
    soon &= stays.seconds > 2 * HOUR
    later = ~soon & _some(rng, chance("vasopressor_after_24h", stays.latents), n)
    later &= stays.seconds > DAY + 2 * HOUR
    wait = rng.exponential(4 * HOUR, n) * (rng.random(n) < 0.8)
    early = intime + np.minimum(wait, np.minimum(stays.seconds / 2, DAY - HOUR))
    late = day_end + rng.random(n) * np.minimum(outtime - HOUR - day_end, 3 * DAY)
    who = np.flatnonzero(soon | later)
    start = np.where(soon, early, late)[who]
    stop = np.minimum(start + (2 + rng.exponential(22, len(who))) * HOUR, outtime[who])
    first = Spans(who, start.astype(np.int64), stop.astype(np.int64))
    again = first.take(_some(rng, 0.15, len(first)))
    start = again.stop + rng.exponential(20 * HOUR, len(again)) + HOUR
    stop = np.minimum(start + (1 + rng.exponential(12, len(again))) * HOUR, outtime[again.stay])
    again = Spans(again.stay, start.astype(np.int64), stop.astype(np.int64))
    return sorted_spans([first, again.take(again.start < outtime[again.stay] - HOUR)])
