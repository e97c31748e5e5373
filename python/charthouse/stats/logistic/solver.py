"""What the two solvers share: the state of a batch of fits, and why one stopped."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy.linalg import get_lapack_funcs

from charthouse.stats.logistic.problems import FoldProblems

SEPARATED = "the classes are separated"
PAIRS = 8

BfgsPairs = deque[tuple[np.ndarray, np.ndarray]]
"""A fit's last steps [p] and the changes of its gradient [p] over them: with these BFGS corrects a
Hessian (Liu and Nocedal 1989, Mathematical Programming)."""


def store_pair(memory: BfgsPairs, moved: np.ndarray, change: np.ndarray) -> None:
    """Stores a step [p] and the change of the gradient [p], unless it is mere rounding."""
    if moved @ change > 1e-10 * np.sqrt((moved @ moved) * (change @ change)):
        memory.append((moved, change))


@dataclass(frozen=True)
class StoppingRule:
    """When to stop."""

    tolerance: float  # of the largest KKT violation, mean loss, the fit's own standardised features
    max_iterations: int


@dataclass(eq=False)
class Fits:
    """The k fits of one grid point, being solved or solved."""

    v: np.ndarray  # [p + 1, k] float64, coefficients of z
    margins: np.ndarray  # [n, k] float64
    residual: np.ndarray  # [k]
    iterations: np.ndarray  # [k]
    reasons: dict[int, str] = field(default_factory=dict)  # of the fits that did not converge

    @staticmethod
    def intercept_only(problems: FoldProblems) -> "Fits":
        """Fits with intercepts only."""
        v = np.zeros((problems.z.shape[1], len(problems.rows)))
        for fit in problems.possible:
            held_out = problems.held_out(fit)
            rate = (problems.y.sum() - problems.y[held_out].sum()) / problems.rows[fit]
            v[-1, fit] = np.log(rate / (1 - rate))
        return Fits.at(v, np.repeat(v[-1:], len(problems.z), axis=0))

    @staticmethod
    def at(v: np.ndarray, margins: np.ndarray) -> "Fits":
        """Fits that begin at these coefficients, of which copies are made."""
        k = v.shape[1]
        return Fits(v.copy(), margins.copy(), np.full(k, np.inf), np.zeros(k, int))

    def unsolved(self, fits: list[int], limits: StoppingRule) -> list[int]:
        """The fits that must go on; the others have converged or have a reason to stop."""
        left = [fit for fit in fits if self.residual[fit] > limits.tolerance]
        for fit in left:
            if self.iterations[fit] >= limits.max_iterations:
                self.reasons.setdefault(fit, f"stopped after {limits.max_iterations} iterations")
        return [fit for fit in left if fit not in self.reasons]


def rounding(matrix: np.ndarray) -> float:
    """The relative rounding error of the matrix's precision, at least 1e-10."""
    return max(float(np.finfo(matrix.dtype).eps), 1e-10)


def cholesky(matrix: np.ndarray) -> np.ndarray:
    """Lower factor of a positive semidefinite matrix [p, p], which is overwritten.

    A little is added to its diagonal, more where its precision needs it. Otherwise columns that are
    copies of each other would get huge coefficients that cancel.
    """
    (factorise,) = get_lapack_funcs(("potrf",), (matrix,))
    diagonal = np.einsum("ii->i", matrix)
    added = rounding(matrix) * diagonal.mean()
    while True:
        diagonal += added
        factor, failed = factorise(matrix.T, lower=1, clean=0)
        if not failed:
            return factor
        added *= 10


def solve(factor: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The solution [p] float64 of factor factor' x = right."""
    (substitute,) = get_lapack_funcs(("potrs",), (factor,))
    solution, _ = substitute(factor, right.astype(factor.dtype), lower=1)
    return np.asarray(solution, np.float64)


def line_search(
    problems: FoldProblems,
    now: Fits,
    fit: int,
    direction: np.ndarray,
    along: np.ndarray,
    slope: float,
    penalty: Callable[[np.ndarray], float],
) -> float:
    """The first step of 1, 1/2, 1/4 ... that lowers the loss enough (Armijo 1966); 0 if none does.

    An increase within the rounding of the products is ignored. A fit for which there is no step
    gets that as its reason.

    Args:
        problems: The data.
        now: Where the step begins.
        fit: Which of its fits.
        direction: [p + 1], of the coefficients.
        along: [n], z times the direction.
        slope: Of mean loss and penalty, in that direction.
        penalty: Of coefficients [p + 1].
    """
    v, margin = now.v[:, fit], now.margins[:, fit]
    at_0 = problems.loss(margin, fit) + penalty(v)
    noise = problems.rounding_of_loss * abs(at_0)
    step = 1.0
    while step > 1e-6:
        value = problems.loss(margin + step * along, fit) + penalty(v + step * direction)
        if value <= at_0 + 1e-4 * step * slope + noise:
            return step
        step /= 2
    now.reasons[fit] = "no step lowers the loss"
    return 0.0
