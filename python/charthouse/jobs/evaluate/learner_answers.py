"""The current answers of multimodal learners, by learner and condition."""

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb
import numpy as np

from charthouse.jobs.evaluate.scored import Stays

DECISIONS = {"yes": 1.0, "no": 0.0}
"""Of results.answers.parsed; anything else is a refusal."""


@dataclass(frozen=True, eq=False)
class Answers:
    """What a learner answered under one condition; all [n], as the stays that were read."""

    answered: np.ndarray  # whether there is an answer, be it a refusal
    # whether the question was asked and has no answer so far: it is never scored
    failed: np.ndarray
    decision: np.ndarray  # 1 is yes, 0 is no; NaN where the learner refused, or was not heard
    p_yes: np.ndarray  # NaN where it is not known
    # of the answers themselves, those without an answer too; reports.learners tells by it whether
    # they have changed since
    answers_hash: str

    @property
    def decided(self) -> np.ndarray:
        """[n], whether the answer is yes or no."""
        return ~np.isnan(self.decision)

    @property
    def has_p_yes(self) -> np.ndarray:
        """Whether the learner gave a probability of yes [n]."""
        return ~np.isnan(self.p_yes)

    def refusals_wrong(self, y_true: np.ndarray) -> np.ndarray:
        """Decisions [n], the wrong one where the learner refused."""
        return np.where(self.decided, self.decision, 1.0 - y_true)


@dataclass(frozen=True, eq=False)
class Learner:
    """A learner under the settings of its last run."""

    name: str  # as in seeds/registries/learners.csv
    fingerprint: str  # of the settings
    conditions: Mapping[str, Answers]  # name of the condition to its answers


def read_learners(db: duckdb.DuckDBPyConnection, task: str, stays: Stays) -> list[Learner]:
    """Every learner that was asked about these stays, in order of name.

    Answers about other stays are left out; `charthouse audit` finds them.
    """
    found = db.execute(
        "select learner, fingerprint, condition, stay_id, status = 'answered' as answered, parsed,"
        " p_yes, answers_hash from results.current_answers inner join results.current_answer_hashes"
        " using (task, learner, fingerprint, condition)"
        " where task = ? and stay_id in (select unnest(?)) order by learner, condition, stay_id",
        [task, stays.stay_ids.tolist()],
    ).fetch_df()
    places = dict(zip(stays.stay_ids.tolist(), range(len(stays.stay_ids)), strict=True))
    found["place"] = found["stay_id"].map(places)
    learners: dict[tuple[str, str], dict[str, Answers]] = {}
    for (name, fingerprint, condition), rows in found.groupby(
        ["learner", "fingerprint", "condition"]
    ):
        place = rows["place"].to_numpy(np.int64)
        answered = rows["answered"].to_numpy(bool)
        heard = place[answered]
        learners.setdefault((name, fingerprint), {})[condition] = Answers(
            answered=_at(heard, True, len(places), False),
            failed=_at(place[~answered], True, len(places), False),
            decision=_at(heard, rows["parsed"].map(DECISIONS)[answered], len(places), np.nan),
            p_yes=_at(heard, rows["p_yes"][answered], len(places), np.nan),
            answers_hash=rows["answers_hash"].iloc[0],
        )
    return [Learner(*key, conditions) for key, conditions in learners.items()]


def _at(places: np.ndarray, values: object, n: int, otherwise: bool | float) -> np.ndarray:
    """[n]: the values at their places, the other one elsewhere."""
    filled = np.full(n, otherwise)
    filled[places] = values
    return filled
