"""Which few arms are drawn where all of them would be a tangle."""

from collections.abc import Sequence

from charthouse.errors import CharthouseError
from charthouse.predict.arms import PRESENCE, STRUCTURED
from charthouse.report.read import Found, Row, TaskResults

MOST = 6  # as many as there are colours and markers that can be told apart


def chosen(results: TaskResults, asked: Sequence[str]) -> list[Row]:
    """Rows of reports.arms: those asked for, else one for each set of modalities.

    The structured arm is the best on validation of those that others build on; image, text, and
    both are the best on validation of those that build on it. So each differs from the first by
    what it adds.
    """
    by_arm = {run["arm"]: run for run in results.runs if run["fusion"] == results.fusion}
    if asked:
        return [by_arm[arm] for arm in dict.fromkeys(asked) if arm in by_arm]

    def best(arms: Sequence[str]) -> list[str]:
        score = {arm: results.validation.get((arm, results.fusion), 0.0) for arm in arms}
        return [max(sorted(arms), key=lambda arm: score[arm])] if arms else []

    plain = [arm for arm in by_arm if _slots(arm) == (STRUCTURED,)]
    measured = [arm for arm in plain if arm != f"{STRUCTURED}[demographics]"] or plain
    built_on = [
        arm for arm in measured if any(other.startswith(f"{arm}+") for other in by_arm)
    ] or measured
    base = best(built_on)
    names = list(base)
    for slots in [("image",), ("text",), ("image", "text")]:
        wanted = (STRUCTURED, *slots)
        names += best(
            [arm for arm in by_arm if base and _builds(arm, base[0]) and _slots(arm) == wanted]
        )
    if not names:  # none is structured: whatever there is
        others = [arm for arm in by_arm if arm != PRESENCE] or list(by_arm)
        names = sorted(others, key=lambda arm: -results.validation.get((arm, results.fusion), 0.0))
    return [by_arm[arm] for arm in names[:4]]


def require_known_arms(found: Found, asked: Sequence[str]) -> None:
    """Stops at an arm that no task has figures of.

    Raises:
        CharthouseError: there is one, or too many are asked for.
    """
    if len(set(asked)) > MOST:
        raise CharthouseError(f"--arm: {len(set(asked))} arms in a picture; at most {MOST}.")
    known = {
        run["arm"] for task in found.tasks for run in task.runs if run["fusion"] == task.fusion
    }
    for arm in asked:
        if arm not in known:
            raise CharthouseError(
                f"--arm '{arm}' has no figures on this cohort. Those that have:"
                f" {', '.join(sorted(known))}."
            )


def _slots(arm: str) -> tuple[str, ...]:
    return tuple(part.split("[")[0] for part in arm.split("+"))


def _builds(arm: str, base: str) -> bool:
    return arm.startswith(f"{base}+")
