"""What a user asks of `charthouse ask`, and what its learners have in common."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from charthouse.core.cohort import Cohort
from charthouse.core.digest import digest
from charthouse.core.errors import CharthouseError
from charthouse.jobs.ask.budget import Budget
from charthouse.jobs.ask.conditions import (
    CONTROLS,
    FULL,
    MOST_GROUPS,
    Condition,
    coalitions,
    condition_named,
)
from charthouse.jobs.ask.few_shot import Examples
from charthouse.jobs.ask.prompt import Prompt
from charthouse.models.learners.connect import Connection
from charthouse.net.openai_api import Usage


@dataclass(frozen=True, kw_only=True)
class AskRequest(Connection):
    """The options of the command line, by their names; how learners are reached is among them."""

    learners: Sequence[str] = ()  # names of seeds/registries/learners.csv
    tasks: Sequence[str] = ()  # names; (): those that seeds/registries/tasks.csv asks by default
    all_tasks: bool = False  # all that have a question
    conditions: Sequence[str] = ()  # names; (): full, unless controls or coalitions are asked for
    controls: bool = False  # full, and each of the controls
    # so many stays that have vitals, image and text are asked under all coalitions of the groups
    shapley: int = 0
    shots: int = 0  # examples before the question
    stays: int | None = None  # at most so many of the test split, drawn; None: all
    prompt: str = "paper"  # its name, or a file
    max_cost: float | None = None  # US dollars, at most
    seed: int = 0  # of whatever is drawn
    dry_run: bool = False  # nothing is asked
    parse_only: bool = False  # answers that are kept are read again, and nothing is asked

    def conditions_of_every_stay(self, sections: Sequence[str]) -> list[Condition]:
        """Those that every stay is asked under, as far as it can be.

        Raises:
            CharthouseError: there is none of that name.
        """
        default = () if self.shapley or self.controls else (FULL,)
        names = [*(self.conditions or default), *((FULL, *CONTROLS) if self.controls else ())]
        return [condition_named(name, sections) for name in dict.fromkeys(names)]

    def conditions_of_a_sample(
        self, sections: Sequence[str], groups: Sequence[str]
    ) -> Sequence[Condition]:
        """Those that `shapley` stays are asked under.

        Raises:
            CharthouseError: there are too many groups, each section being one of its own.
        """
        if not self.shapley:
            return ()
        if len(groups) > MOST_GROUPS:
            raise CharthouseError(
                f"--shapley: profiles have {len(groups)} sections, and every set of them would be"
                f" asked, {2 ** len(groups)} for each stay. Join some by the setting shapley_groups"
                f" into {MOST_GROUPS} groups at most, such as vitals+labs, then charthouse build."
            )
        return coalitions(sections, groups)


@dataclass(frozen=True)
class AskSession:
    """What the learners of a command have in common."""

    warehouse: Path
    cohort: Cohort
    request: AskRequest  # what the user asked; its tasks are those that are asked about
    prompt: Prompt
    questions: Mapping[str, str]  # each task to its question
    examples: Mapping[str, Examples]  # each task to the examples before it
    budget: Budget  # what they may spend together
    usage: Usage  # what they have asked of services

    def hash_of_words(self, task: str) -> str:
        """Of what is asked about every stay alike."""
        return digest(self.questions[task], [each.text for each in self.examples[task].messages])
