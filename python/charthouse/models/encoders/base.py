"""What every encoder is given and gives back."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np

from charthouse.models.encoders.spec import EncoderSpec
from charthouse.models.weights import fetch_command, local_weights, published_revision
from charthouse.net.guard import Guard

Content = TypeVar("Content")
Item = TypeVar("Item")


@dataclass(frozen=True)
class Image:
    """An image, such as a chest X-ray of marts.chest_xrays."""

    dicom_id: str
    path: Path | None  # of the JPG, absolute; None where it must not be opened

    @property
    def item(self) -> str:
        """How the table of skipped items names it."""
        return self.dicom_id


@dataclass(frozen=True)
class Report:
    """A text, such as a report of marts.radiology_reports; it never enters an error or a log."""

    note_id: str
    hours: float  # since intime
    text: str = field(repr=False)

    @property
    def item(self) -> str:
        """How the table of skipped items names it."""
        return self.note_id


@dataclass(frozen=True)
class Code:
    """A code that was given to an earlier admission, such as a row of marts.diagnoses."""

    version: int  # of ICD, 9 or 10
    code: str  # without its dot
    hadm_id: int  # the admission
    groups: tuple[str, ...]  # of Context.groups that it counts for


@dataclass(frozen=True)
class Ecg:
    """The record of an ECG, such as one of marts.ecgs."""

    study_id: int
    path: Path | None  # of its .hea and .dat, without the ending; None where it must not be opened

    @property
    def item(self) -> str:
        """How the table of skipped items names it."""
        return str(self.study_id)


@dataclass(frozen=True)
class Events:
    """A time series of a stay as charted, such as marts.vitals_events, in order of time."""

    hours: np.ndarray  # [n] float32, since intime
    variable: np.ndarray  # [n] int16, position in Context.channels
    value: np.ndarray  # [n] float32


@dataclass(frozen=True)
class Stay(Generic[Content]):
    """A stay of the cohort and what it holds of the encoder's modality.

    The type of content depends on what the encoder reads (charthouse.jobs.embed.inputs):
    tabular: tuple[str | None, ...], the values of Context.columns;
    grid: float32 [channels, bins], imputed;
    summary: float32 [statistics], NaN where a channel was not measured;
    events: Events;
    codes: tuple[Code, ...], by admission, version and code;
    measurements: float64 [Context.columns], those of the last ECG, NaN where not measured;
    images: tuple[Image, ...], ecgs: tuple[Ecg, ...] and texts: tuple[Report, ...], in order of
    time.
    """

    stay_id: int
    subject_id: int
    split: str  # train, validation or test
    content: Content = field(repr=False)
    label: int | None = None  # of Context.task, for encoders that are trained per task


@dataclass(frozen=True)
class Skipped:
    """A stay, or one of its images, reports or ECGs, that could not be encoded, and why."""

    stay_id: int
    item: str | None  # dicom_id, note_id or study_id; None is the whole stay
    reason: str  # never text of the patient


@dataclass(frozen=True)
class Encoded:
    """Vectors of some stays, and what had to be left out."""

    stay_ids: np.ndarray  # [n] int64
    vectors: np.ndarray  # [n, dimension] float32
    skipped: Sequence[Skipped] = ()

    @classmethod
    def of(
        cls,
        stays: Sequence[Stay],
        outcomes: Iterable[np.ndarray | str],
        skipped: Sequence[Skipped] = (),
    ) -> "Encoded":
        """Of each stay its vector [dimension], or the reason why it has none; more are skipped."""
        pairs = list(zip((stay.stay_id for stay in stays), outcomes, strict=True))
        kept = [(stay_id, vector) for stay_id, vector in pairs if not isinstance(vector, str)]
        without = [Skipped(stay_id, None, why) for stay_id, why in pairs if isinstance(why, str)]
        return cls(
            np.array([stay_id for stay_id, _ in kept], np.int64),
            np.stack([vector for _, vector in kept]).astype(np.float32)
            if kept
            else np.empty((0, 0), np.float32),
            [*skipped, *without],
        )


@dataclass(frozen=True)
class Context:
    """What an encoder may depend on besides the stays themselves."""

    spec: EncoderSpec
    variables: Mapping[str, Any]  # the cohort's settings (marts.cohort_definition.variables)
    channels: tuple[str, ...] = ()  # variables of a time series, in the order of the grid's rows
    columns: tuple[tuple[str, str], ...] = ()  # of numbers: name, and numeric or categorical
    groups: tuple[tuple[str, int], ...] = ()  # of codes: name, and weight in an index
    bins: int = 24  # of a grid
    task: str | None = None
    seed: int = 0
    device: str = "cpu"  # or cuda
    precision: str = "float32"  # or bfloat16, for networks
    guard: Guard = field(default_factory=Guard)


class Encoder(ABC, Generic[Content]):
    """One way to turn a modality of a stay into a vector.

    A subclass is made once a run (and once a task where `per_task`), before any stay is read: what
    takes long (weights) belongs in `load`.
    """

    reads: str
    """Which content it needs: a reader of charthouse.jobs.embed.inputs."""

    version: ClassVar[int] = 1
    """Raised when the code changes the vectors: everything is then encoded again."""

    per_task: ClassVar[bool] = False
    """Trained on the labels of a task; its table then has a column task."""

    weight_files: ClassVar[tuple[str, ...]] = ()
    """Files of its pretrained weights, as patterns for charthouse.models.weights."""

    zero_is_a_value: ClassVar[bool] = False
    """A vector of zeros says something; elsewhere it is the mark of a fault, and is refused."""

    chunk_stays: int = 1024
    """Stays read, encoded and appended at a time: what a killed run loses at most."""

    def __init__(self, context: Context) -> None:
        self.context = context

    def settings(self) -> dict[str, Any]:
        """Whatever changes the vectors besides the stays and the weights; JSON, small."""
        return {}

    def fingerprint(self) -> str:
        """Identifies the weights (a hash of their bytes); '' where there are none.

        Raises:
            charthouse.core.errors.CharthouseError: the weights are absent; says how to get them.
        """
        return ""

    def revision(self) -> str | None:
        """The published revision that its weights are of, for results.runs.

        None where there are no weights, or where they are in a folder of one's own, of which the
        fingerprint alone tells. Asked after `fingerprint`: nothing has to be fetched any more.
        """
        if not self.weight_files:
            return None
        return published_revision(self.context.spec, self.weight_files)

    def dimension(self) -> int | None:
        """Length of its vectors, where it is known beforehand: of the seed's row."""
        return self.context.spec.dimension

    @classmethod
    def not_ready(cls, spec: EncoderSpec) -> str | None:
        """Why it cannot run without fetching or sending something; None if it can.

        `charthouse embed` leaves such encoders out unless they are named. Settings of the cohort
        are the matter of `unsuited`.
        """
        if cls.weight_files and local_weights(spec, cls.weight_files) is None:
            return f"its weights are not on this machine: {fetch_command(spec, cls.weight_files)}"
        return None

    @classmethod
    def unsuited(cls, context: Context) -> str | None:
        """Why it cannot run on a cohort of these settings, and what to change; None if it can.

        `charthouse embed` leaves such encoders out; one that is named is an error.
        """
        return None

    def sends_to(self) -> str | None:
        """The host that it sends the stays' content to; None if all stays on this machine."""
        return None

    def used(self) -> dict[str, Any]:
        """What it has used so far of what costs money: requests, tokens, cost_usd; else empty."""
        return {}

    def feature_names(self, learned: Mapping[str, np.ndarray]) -> Sequence[str] | None:
        """What each number of a vector is, for people; None where numbers have no meaning alone.

        `learned` is what a `FittedEncoder` learned; empty where nothing is fitted or kept.
        """
        return None

    def load(self) -> None:
        """Loads weights and opens what encode needs; called once, before the first encode."""

    @abstractmethod
    def encode(self, stays: Sequence[Stay[Content]]) -> Encoded:
        """Encodes some stays; a stay is either among the vectors or among the skipped."""


class FittedEncoder(Encoder[Content]):
    """An encoder that learns something from the train split before it encodes.

    What it learned is kept in the warehouse (embeddings.fitted), as plain arrays: a killed run goes
    on with the very same numbers.
    """

    fits_on: ClassVar[tuple[str, ...]] = ("train",)
    """Splits that fit is given; never test."""

    @abstractmethod
    def fit(self, stays: Iterable[Stay[Content]]) -> dict[str, np.ndarray]:
        """Learns from the stays of `fits_on`.

        They are read from the warehouse piece by piece, in order of stay_id, and may be iterated
        more than once.

        Returns what was learned, by name; numbers or strings, no objects.

        Raises:
            NothingToFit: the stays do not allow it.
        """

    @abstractmethod
    def restore(self, learned: Mapping[str, np.ndarray]) -> None:
        """Takes what fit returned, now or in an earlier run."""


class NothingToFit(Exception):
    """The train split holds too little to learn from; the message says what is missing."""


class ItemEncoder(Encoder[tuple[Item, ...]]):
    """An encoder of images, reports or ECGs: each by itself, then their mean over the stay."""

    @abstractmethod
    def encode_items(self, items: Sequence[Item]) -> Sequence[np.ndarray | str]:
        """For each item its vector [dimension], or the reason why it has none."""

    def encode(self, stays: Sequence[Stay[tuple[Item, ...]]]) -> Encoded:
        """Encodes the items of all stays together, so that they can be batched by size."""
        items = [(stay.stay_id, item) for stay in stays for item in stay.content]
        found: dict[int, list[np.ndarray]] = {stay.stay_id: [] for stay in stays}
        skipped: list[Skipped] = []
        outcomes = self.encode_items([item for _, item in items])
        for (stay_id, item), outcome in zip(items, outcomes, strict=True):
            if isinstance(outcome, str):
                skipped.append(Skipped(stay_id, item.item, outcome))  # type: ignore[attr-defined]
            else:
                found[stay_id].append(outcome)
        # in float64, where no order of summing is seen after rounding back
        means: list[np.ndarray | str] = [
            np.stack(vectors).mean(axis=0, dtype=np.float64)
            if vectors
            else "none of its items could be encoded"
            for vectors in found.values()
        ]
        return Encoded.of(stays, means, skipped)
