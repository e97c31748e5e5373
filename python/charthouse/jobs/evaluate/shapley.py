"""What each kind of evidence adds to a learner's P(yes): exact Shapley values.

The players are the sections of profiles, or groups of them (the setting shapley_groups); what a
coalition is worth is the p_yes of a learner that is shown just its evidence. A player's value is
what it adds, averaged over all orders in which the evidence could be shown (Shapley 1953,
Contributions to the Theory of Games II). The values of a stay sum to p_yes with everything minus
p_yes with nothing.
"""

from collections.abc import Iterator, Sequence
from math import factorial

import numpy as np

from charthouse.jobs.ask.conditions import coalitions, subsets
from charthouse.jobs.evaluate.arm_metrics import Bootstrap, ResultRow, statistics_row
from charthouse.jobs.evaluate.learner_answers import Learner
from charthouse.jobs.evaluate.scored import Stays
from charthouse.stats.ratios import ratio_intervals


def shapley_values(worth: np.ndarray, players: Sequence[str]) -> np.ndarray:
    """Values [n, players] from worth [n, coalitions], that of each of subsets(players).

    Exact; a player that never changes anything has 0, not a rounding error.
    """
    values = np.empty((len(worth), len(players)))
    every = subsets(players)
    for place, player in enumerate(players):
        before = [members for members in every if player not in members]
        without = [every.index(members) for members in before]
        joined = [every.index(members | {player}) for members in before]
        # in how many orders just these players come first, and then this one
        orders = np.array(
            [factorial(len(who)) * factorial(len(players) - len(who) - 1) for who in before]
        )
        gained = (worth[:, joined] - worth[:, without]) * orders
        values[:, place] = gained.sum(axis=1) / factorial(len(players))
    return values


def contribution_rows(
    learner: Learner,
    stays: Stays,
    bootstrap: Bootstrap,
    sections: Sequence[str],
    players: Sequence[str],
) -> Iterator[ResultRow]:
    """Rows of results.learner_contributions; none unless all coalitions have been asked.

    The players are groups of the sections, each as vitals+labs, or the sections themselves.

    Of the stays that have a p_yes under each of them: mean_absolute and mean, of a player's value,
    and share, the player's part in the sum of all absolute values.
    """
    names = [coalition.name for coalition in coalitions(sections, players)]
    if any(name not in learner.conditions for name in names):
        return
    worth = np.column_stack([learner.conditions[name].p_yes for name in names])
    rows = ~np.isnan(worth).any(axis=1)
    values = shapley_values(worth[rows], players)
    absolute = np.abs(values)
    common = stays.y_true[rows], stays.subject_ids[rows], bootstrap.n, bootstrap.seed
    nowhere = "no stay has a p_yes under every coalition"
    nothing = "nothing moves p_yes" if rows.any() else nowhere
    each = np.ones(rows.sum())
    found = {
        "mean_absolute": ratio_intervals(absolute, each, *common, nowhere),
        "mean": ratio_intervals(values, each, *common, nowhere),
        "share": ratio_intervals(absolute, absolute.sum(axis=1), *common, nothing),
    }
    for metric, intervals in found.items():
        for player, interval in zip(players, intervals, strict=True):
            yield statistics_row(interval) | {"modality": player, "metric": metric}
