"""l2-penalised and unpenalised fits: limited-memory BFGS on top of a factorised Hessian.

The Hessian of nearby weights (see Curvature) is factorised once per fit and penalty, and BFGS
corrections (solver.BfgsPairs) compensate for its error. All fits step together, so a gradient of
all is two matrix products.

An unpenalised fit whose classes are separated has no optimum. It stops at the first coefficients
that separate them. In a grid with l2 these are close to those of its largest C; where other solvers
stop depends only on their steps.
"""

from functools import partial

import numpy as np

from charthouse.stats.logistic.problems import Curvature, FoldProblems
from charthouse.stats.logistic.solver import (
    PAIRS,
    SEPARATED,
    BfgsPairs,
    Fits,
    StoppingRule,
    cholesky,
    line_search,
    solve,
    store_pair,
)

LEAST = 1e-7
"""1 / C of a fit without penalty: no coefficient that means anything is moved by it, but columns
that are the same up to rounding get no huge ones that cancel."""
PATIENCE = 12  # iterations before new weights are worth their Gram matrix


def solve_ridge(
    problems: FoldProblems, curvature: Curvature, start: Fits, strength: float, limits: StoppingRule
) -> Fits:
    """Minimises mean loss + strength / (2 rows) |w|^2, w = ratio v; strength is 1 / C, or 0.

    The start is not changed; the curvature is refreshed where its weights have become too old.
    """
    now = Fits.at(start.v, start.margins)
    penalty = max(strength, LEAST) / problems.rows * problems.ratio**2
    penalty[-1] = 0
    own_scale = np.where(problems.ratio > 0, problems.ratio, 1)
    active = problems.possible
    gradient = np.zeros_like(now.v)
    gradient[:, active] = problems.gradients(now.margins[:, active], active)
    gradient += penalty * now.v
    memory = {fit: BfgsPairs(maxlen=PAIRS) for fit in active}
    factors: dict[int, np.ndarray] = {}
    age = 0
    while True:
        now.residual[active] = np.abs(gradient[:, active] / own_scale[:, active]).max(axis=0)
        if not strength:
            for fit in active:
                if problems.separates(now.margins[:, fit], fit):
                    now.reasons[fit] = SEPARATED
        active = now.unsolved(active, limits)
        if not active:
            break
        if age >= PATIENCE:
            if curvature.refresh(now.margins):
                factors.clear()
            age = 0
        age += 1
        direction = np.empty((len(now.v), len(active)))
        for column, fit in enumerate(active):
            if fit not in factors:
                factors[fit] = _penalised(curvature.hessian(fit), penalty[:, fit])
            direction[:, column] = -_times_inverse(factors[fit], memory[fit], gradient[:, fit])
        direction = direction.astype(problems.z.dtype).astype(np.float64)  # as margins has it
        along = problems.margins(direction)
        steps = np.empty(len(active))
        for column, (fit, d, m) in enumerate(zip(active, direction.T, along.T, strict=True)):
            squared = partial(_squared, penalty[:, fit])
            slope = float(gradient[:, fit] @ d)
            steps[column] = line_search(problems, now, fit, d, m, slope, squared)
        now.v[:, active] += steps * direction
        now.margins[:, active] += steps * along
        now.iterations[active] += 1
        before = gradient[:, active]
        gradient[:, active] = problems.gradients(now.margins[:, active], active)
        gradient[:, active] += penalty[:, active] * now.v[:, active]
        for column, fit in enumerate(active):
            moved = steps[column] * direction[:, column]
            store_pair(memory[fit], moved, gradient[:, fit] - before[:, column])
    return now


def _penalised(hessian: np.ndarray, penalty: np.ndarray) -> np.ndarray:
    """Cholesky factor of hessian + diag(penalty)."""
    np.einsum("ii->i", hessian)[:] += penalty.astype(hessian.dtype)
    return cholesky(hessian)


def _times_inverse(factor: np.ndarray, memory: BfgsPairs, gradient: np.ndarray) -> np.ndarray:
    """The inverse Hessian, BFGS corrections applied, times the gradient (two-loop recursion)."""
    q = gradient.copy()
    shares = []
    for moved, change in reversed(memory):
        share = (moved @ q) / (moved @ change)
        q -= share * change
        shares.append(share)
    q = solve(factor, q)
    for (moved, change), share in zip(memory, reversed(shares), strict=True):
        q += (share - (change @ q) / (moved @ change)) * moved
    return q


def _squared(penalty: np.ndarray, v: np.ndarray) -> float:
    return 0.5 * float((penalty * v) @ v)
