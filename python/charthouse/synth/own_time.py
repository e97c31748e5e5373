"""The time around each stay that is its own: what happens in it belongs to that stay."""

from dataclasses import dataclass

import numpy as np

from charthouse.synth.population import NO_TIME, Ints, Population
from charthouse.synth.signal import Bools


@dataclass(frozen=True)
class OwnTime:
    """Within its admission, and nearer to no other stay of its patient; shape ``(n,)`` each."""

    since: Ints
    until: Ints
    first: Bools  # whether it is the patient's first stay


def own_time(population: Population) -> OwnTime:
    """From arrival to discharge, or as far as midway to the patient's other stays."""
    stays, admissions = population.stays, population.admissions
    admit, registered = admissions.admittime, admissions.edregtime
    arrival = np.where(registered == NO_TIME, admit, np.minimum(admit, registered))
    since = np.minimum(arrival[stays.admission], stays.intime)
    until = np.maximum(admissions.dischtime[stays.admission], stays.outtime)
    order = np.lexsort((stays.intime, stays.patient))
    same = stays.patient[order[:-1]] == stays.patient[order[1:]]
    earlier, later = order[:-1][same], order[1:][same]
    midway = (stays.outtime[earlier] + stays.intime[later]) // 2
    since[later] = np.maximum(since[later], midway)
    until[earlier] = np.minimum(until[earlier], midway)
    first = np.ones(len(stays), np.bool_)
    first[later] = False
    return OwnTime(since, until, first)
