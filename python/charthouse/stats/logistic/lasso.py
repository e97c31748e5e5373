"""l1-penalised fits: proximal Newton steps, whose quadratic problems are solved on Gram matrices.

A step minimises the quadratic model of the mean loss plus the exact penalty (Lee, Sun and Saunders
2014, SIAM Journal on Optimization). Where fits share a Hessian, each corrects it by its own last
steps (BFGS). Two methods alternate to solve the model. Sweeps of coordinate descent over the
coordinates that violate the optimality conditions find those that are not 0 (Friedman, Hastie and
Tibshirani 2010, Journal of Statistical Software). Newton steps over these settle their values,
however correlated they are.

Where more coordinates are not 0 than there are rows, the model has no unique minimum over them, and
a Newton step is long in directions of little curvature. It ends where the penalty stops falling,
and coordinates that became 0 on the way stay 0. So it leads to the few nonzero coordinates that an
optimum has, at most one per row (Rosset, Zhu and Hastie 2004, Journal of Machine Learning
Research).
"""

from functools import partial

import numpy as np
from scipy.linalg import get_blas_funcs

from charthouse.stats.logistic.problems import Curvature, FoldProblems
from charthouse.stats.logistic.solver import (
    PAIRS,
    BfgsPairs,
    Fits,
    StoppingRule,
    cholesky,
    line_search,
    rounding,
    solve,
    store_pair,
)

NEVER = 1e30  # the penalty of a coordinate that has to stay 0
MODEL_ROUNDS = 30  # of both kinds of step
SWEEPS = 10  # of coordinate descent in a round
NEWTON_STEPS = 50  # in a round; few are taken where the coordinates that are not 0 are settled
FORCING = 0.05  # how far below the fit's own residual the model's is driven
SLOW = 0.4  # a step that leaves more than this of the residual calls for new weights


def solve_lasso(
    problems: FoldProblems,
    curvature: Curvature,
    starts: list[Fits],
    strength: float,
    limits: StoppingRule,
) -> Fits:
    """Minimises mean loss + strength / rows |w|_1, w = ratio v; strength is 1 / C.

    Of the starts, which are not changed, each fit takes the one with the smallest objective. The
    curvature's weights are taken from the last, and refreshed where a fit gets on too slowly and
    they have become too old.
    """
    penalty = strength / problems.rows * problems.ratio
    penalty[problems.ratio == 0] = NEVER
    penalty[-1] = 0
    own_scale = np.where(problems.ratio > 0, problems.ratio, 1)
    active = problems.possible
    now = _best(problems, starts, penalty)
    now.v[problems.ratio == 0] = 0
    gradient = np.zeros_like(now.v)
    gradient[:, active] = problems.gradients(now.margins[:, active], active)
    before = np.zeros(len(now.residual))
    memory = {fit: BfgsPairs(maxlen=PAIRS) for fit in active}
    curvature.refresh(starts[-1].margins)
    while True:
        for fit in active:
            broken = kkt_violation(now.v[:, fit], gradient[:, fit], penalty[:, fit])
            now.residual[fit] = (broken / own_scale[:, fit]).max()
        active = now.unsolved(active, limits)
        if not active:
            return now
        slow = (now.residual[active] > SLOW * before[active]).any()
        if before.any():
            if not curvature.shared:
                curvature.refresh(now.margins, same=0)  # the Hessians are made anew in any case
            elif slow:
                curvature.refresh(now.margins)
        before[active] = now.residual[active]
        target = np.empty((len(now.v), len(active)))
        for column, fit in enumerate(active):
            goal = max(FORCING * now.residual[fit], 0.3 * limits.tolerance)
            hessian = _corrected(curvature.hessian(fit), memory[fit])
            target[:, column] = minimise_model(
                hessian, gradient[:, fit], now.v[:, fit], penalty[:, fit], goal
            )
        direction = target - now.v[:, active]
        along = problems.margins(direction)
        before_step = now.v[:, active], gradient[:, active]
        for column, (fit, d, m) in enumerate(zip(active, direction.T, along.T, strict=True)):
            size = partial(_size, penalty[:, fit])
            slope = float(gradient[:, fit] @ d) + size(target[:, column]) - size(now.v[:, fit])
            step = line_search(problems, now, fit, d, m, slope, size)
            if step == 1:
                now.v[:, fit] = target[:, column]  # its zeros are exact
            else:
                now.v[:, fit] += step * d
            now.margins[:, fit] += step * m
        now.iterations[active] += 1
        gradient[:, active] = problems.gradients(now.margins[:, active], active)
        if curvature.shared:  # a fit's own Hessian has nothing to correct
            moved, change = now.v[:, active] - before_step[0], gradient[:, active] - before_step[1]
            for column, fit in enumerate(active):
                store_pair(memory[fit], moved[:, column], change[:, column])


def _corrected(hessian: np.ndarray, memory: BfgsPairs) -> np.ndarray:
    """Hessian [p, p], changed by each pair of the memory in turn (BFGS)."""
    for pair in memory:
        moved, change = (each.astype(hessian.dtype) for each in pair)
        bent = hessian @ moved
        hessian += np.outer(change, change / (change @ moved))
        hessian -= np.outer(bent, bent / (bent @ moved))
    return hessian


def _best(problems: FoldProblems, starts: list[Fits], penalty: np.ndarray) -> Fits:
    """Of each fit the start with the smallest objective, the first of equal ones."""
    now = Fits.at(starts[0].v, starts[0].margins)
    for fit in problems.possible:
        values = [
            problems.loss(start.margins[:, fit], fit) + _size(penalty[:, fit], start.v[:, fit])
            for start in starts
        ]
        best = starts[int(np.argmin(values))]
        now.v[:, fit], now.margins[:, fit] = best.v[:, fit], best.margins[:, fit]
    return now


def kkt_violation(v: np.ndarray, gradient: np.ndarray, penalty: np.ndarray) -> np.ndarray:
    """By how much each coordinate [p] breaks the optimality conditions."""
    at_zero = np.maximum(np.abs(gradient) - penalty, 0)
    return np.where(v == 0, at_zero, np.abs(gradient + penalty * np.sign(v)))


def minimise_model(
    hessian: np.ndarray,
    gradient: np.ndarray,
    start: np.ndarray,
    penalty: np.ndarray,
    goal: float,
) -> np.ndarray:
    """Minimises gradient'(v - start) + (v - start)' hessian (v - start) / 2 + penalty'|v|.

    The hessian [p, p] is overwritten, all others are [p]. A violation of ``goal`` is good enough.
    The value of what is returned is at most that of start.
    """
    diagonal = np.einsum("ii->i", hessian)
    diagonal += 10 * rounding(hessian) * diagonal.mean()
    model = _Model(hessian, gradient, start, penalty)
    v, slope = start, gradient
    for _ in range(MODEL_ROUNDS):
        v = model.descend(v, slope, goal)
        slope = model.slope(v)
        if kkt_violation(v, slope, penalty).max() <= goal:
            break
        v, slope = model.newton(v, slope)
    return v


class _Model:
    """The quadratic model and its two kinds of step, neither of which raises its value."""

    def __init__(
        self, hessian: np.ndarray, gradient: np.ndarray, start: np.ndarray, penalty: np.ndarray
    ) -> None:
        self.hessian, self.gradient, self.start, self.penalty = hessian, gradient, start, penalty

    def slope(self, v: np.ndarray) -> np.ndarray:
        """Gradient of the smooth part, [p]."""
        return self.gradient + self.hessian @ (v - self.start).astype(self.hessian.dtype)

    def value(self, v: np.ndarray, slope: np.ndarray) -> float:
        """Value of the model at v [p], less a constant; slope [p] as of `slope`."""
        smooth = 0.5 * (self.gradient + slope) @ (v - self.start)
        return float(smooth + self.penalty @ np.abs(v))

    def newton(self, v: np.ndarray, slope: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Towards the minimum over the coordinates of v [p] that are not 0, with their signs.

        Each step that makes some of them 0 is followed by one over the rest. At worst v is
        unchanged.
        """
        before, value = (v, slope), self.value(v, slope)
        for _ in range(NEWTON_STEPS):
            free = np.flatnonzero((v != 0) | (self.penalty == 0))
            right = -(slope[free] + self.penalty[free] * np.sign(v[free]))
            step = np.zeros_like(v)
            step[free] = solve(cholesky(self.hessian[np.ix_(free, free)]), right)
            left = np.count_nonzero(v)
            v = self.along(v, slope, step)
            slope = self.slope(v)
            if np.count_nonzero(v) == left:
                break
        return (v, slope) if self.value(v, slope) < value else before

    def along(self, v: np.ndarray, slope: np.ndarray, step: np.ndarray) -> np.ndarray:
        """The first minimum from v to v + step, both [p]; a coordinate that reaches 0 stays 0."""
        slope = slope + self.penalty * np.sign(v)
        bend = (self.hessian @ step.astype(self.hessian.dtype)).astype(np.float64)
        crossing = np.flatnonzero(((v + step) * v < 0) & (self.penalty > 0))
        times = -v[crossing] / step[crossing]
        stops = sorted(zip(times.tolist(), crossing.tolist(), strict=True))
        v, step, now = v.copy(), step.copy(), 0.0
        for time, j in [*stops, (1.0, -1)]:
            rate, curve = float(slope @ step), float(step @ bend)
            if rate >= 0:
                break
            falls = rate + (time - now) * curve < 0  # as far as this stop
            moved = time - now if falls else -rate / curve
            v += moved * step
            if not falls or j < 0:
                break
            slope += moved * bend
            bend -= step[j] * self.hessian[j]
            v[j], step[j], now = 0, 0, time
        return v

    def descend(self, v: np.ndarray, slope: np.ndarray, goal: float) -> np.ndarray:
        """Sweeps of coordinate descent over the coordinates of v [p] that are not optimal yet."""
        v = v.copy()
        slope = slope.astype(self.hessian.dtype)
        diagonal = np.einsum("ii->i", self.hessian).tolist()
        (add,) = get_blas_funcs(("axpy",), (self.hessian,))
        for _ in range(SWEEPS):
            broken = kkt_violation(v, slope, self.penalty)
            worst = broken.max()
            if worst <= goal:
                break
            visits = np.flatnonzero(broken > max(0.1 * worst, goal)).tolist()
            for j in visits:
                old, bound = float(v[j]), float(self.penalty[j])
                wanted = old * diagonal[j] - float(slope[j])
                if wanted > bound:
                    new = (wanted - bound) / diagonal[j]
                elif wanted < -bound:
                    new = (wanted + bound) / diagonal[j]
                else:
                    new = 0.0
                if new != old:
                    v[j] = new
                    add(self.hessian[j], slope, a=new - old)
        return v


def _size(penalty: np.ndarray, v: np.ndarray) -> float:
    return float(penalty @ np.abs(v))
