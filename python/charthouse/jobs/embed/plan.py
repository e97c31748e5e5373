"""What there is to do: which stays an encoder must still encode, and what each depends on."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from charthouse.core.cohort import Cohort, require_same_cohort
from charthouse.core.digest import digest
from charthouse.core.errors import CharthouseError
from charthouse.core.runs import new_run_id
from charthouse.core.warehouse import open_warehouse
from charthouse.jobs.embed.inputs import READERS, Files, Reader
from charthouse.jobs.embed.store import ItemNames, Target, answered, encoded_hashes, refused
from charthouse.models.encoders.base import Context, Encoder, FittedEncoder, Stay
from charthouse.models.encoders.registry import encoder_class, unsuited
from charthouse.models.encoders.spec import EncoderSpec
from charthouse.net.guard import Guard
from charthouse.net.openai_api import named_address
from charthouse.net.outbox import Outbox

STAYS_READ_AT_ONCE = 1024  # while fitting


@dataclass(frozen=True)
class EmbedRequest:
    """What a user may ask of `charthouse embed`."""

    encoders: Sequence[str] = ()  # none: every one that is ready
    tasks: Sequence[str] = ()  # none: all, for encoders that are trained per task
    limit: int | None = None
    dry_run: bool = False
    seed: int = 0
    device: str = "auto"
    precision: str = "float32"
    chunk_stays: int | None = None


@dataclass
class EmbedPlan:
    """One encoder, for one task where it is trained per task."""

    run_id: str
    target: Target
    cohort: Cohort
    encoder: Encoder
    reader: Reader
    fingerprint: str
    labels: Mapping[int, int]
    fit_hash: str
    input_hashes: Mapping[int, str]  # of every stay of the cohort
    absent: Sequence[int]  # stays that hold nothing of the modality
    absent_anew: Sequence[int]  # those of them that are not known to
    todo: list[int]  # stays to encode, in order
    encoded: int  # stays that have their embedding already
    skipped: int  # stays known to have none, those that are absent among them
    refused: Mapping[int, ItemNames]  # of stays to do, what a service would not take the last time
    refusal: str | None  # why the guard would let nothing leave for where the encoder sends
    check: Callable[[Path | None], None] | None  # of each X-ray or ECG, before it is opened
    outbox: Outbox = field(repr=False)
    warehouse: Path = field(repr=False)

    @property
    def absent_because(self) -> str:
        """Why a stay that holds nothing is skipped."""
        modality = self.encoder.context.spec.modality
        return f"no {modality.item}" + ("" if modality.before_admission else " in the window")

    @property
    def reads(self) -> list[str]:
        """What its vectors follow from, as results.runs has it."""
        of_task = [("task", self.target.task)] if self.target.task else []
        return self.cohort.reads(self.encoder.context.spec.part, *of_task)

    def read(self, stay_ids: Sequence[int], *, with_labels: bool = False) -> list[Stay]:
        """Reads the content of some stays, and lets go of the warehouse.

        Labels are for fitting alone: what encodes never sees one.

        Raises:
            CharthouseError: the marts were built again since the plan was made, or an X-ray or ECG
                is not the synthetic one that it counts as.
        """
        with open_warehouse(self.warehouse) as db:
            require_same_cohort(db, self.cohort)
            content = self.reader.read(db, self.encoder.context, stay_ids)
        if self.check is not None:
            for item in itertools.chain.from_iterable(content.values()):
                self.check(item.path)
        return [
            Stay(
                stay_id,
                *self.cohort.stays[stay_id],
                content[stay_id],
                self.labels.get(stay_id) if with_labels else None,
            )
            for stay_id in stay_ids
            if stay_id in content
        ]


class FitStays:
    """The stays that an encoder may learn from, read piece by piece, as often as asked."""

    def __init__(self, plan: EmbedPlan, splits: Sequence[str]) -> None:
        left_out = set(plan.absent)
        if plan.target.task:  # which may not ask about all
            left_out |= plan.cohort.stays.keys() - plan.labels.keys()
        self._plan = plan
        self.stay_ids = [
            stay_id
            for stay_id, (_, split) in plan.cohort.stays.items()
            if split in splits and stay_id not in left_out
        ]

    def __len__(self) -> int:
        return len(self.stay_ids)

    def __iter__(self) -> Iterator[Stay]:
        for start in range(0, len(self), STAYS_READ_AT_ONCE):
            stay_ids = self.stay_ids[start : start + STAYS_READ_AT_ONCE]
            yield from self._plan.read(stay_ids, with_labels=True)


def context_of(cohort: Cohort, spec: EncoderSpec, **options: Any) -> Context:
    """What an encoder may depend on, but for the stays: of this cohort."""
    return Context(
        spec=spec,
        variables=cohort.variables,
        channels=cohort.channels.get(spec.modality.name, ()),
        columns=cohort.columns.get(spec.modality.name, ()),
        groups=cohort.groups.get(spec.modality.name, ()),
        bins=cohort.bins,
        **options,
    )


def make_plan(
    warehouse: Path,
    cohort: Cohort,
    spec: EncoderSpec,
    task: str | None,
    request: EmbedRequest,
) -> EmbedPlan:
    """Compares what an encoder has written with what it should have written.

    Raises:
        CharthouseError: the weights are absent, or a setting does not suit the encoder.
    """
    run_id = new_run_id("embed")
    outbox = Outbox(warehouse, run_id, run_id=run_id)
    cls = encoder_class(spec.name)
    context = context_of(
        cohort,
        spec,
        task=task,
        seed=request.seed,
        device=request.device,
        precision=request.precision,
        guard=Guard(cohort.data_kind, log=outbox.record),
    )
    if reason := unsuited(cls, context):
        raise CharthouseError(reason)
    encoder = cls(context)
    target = Target(spec.encoder, task)
    if encoder.reads not in READERS:
        raise CharthouseError(
            f"{spec.encoder} reads '{encoder.reads}'. Known: {', '.join(READERS)}."
        )
    if isinstance(encoder, FittedEncoder) and "test" in encoder.fits_on:
        raise CharthouseError(f"{spec.encoder} would fit on the test split: correct its fits_on.")
    reader = READERS[encoder.reads]
    fingerprint = encoder.fingerprint()
    with open_warehouse(warehouse) as db:
        require_same_cohort(db, cohort)
        content = reader.hashes(db, encoder.context)
        labels = dict(
            db.execute("select stay_id, label from marts.labels where task = ?", [task]).fetchall()
        )
        done = answered(db, target)
        encoded = encoded_hashes(db, target)
        not_taken = refused(db, target)
    content = {stay_id: content[stay_id] for stay_id in cohort.stays if stay_id in content}
    fit_hash = _fit_hash(encoder, cohort, content, labels)
    frame = _frame(encoder)
    key = [spec.name, task, cls.version, encoder.settings(), frame, fingerprint, fit_hash]
    of_encoder = digest(*key)
    input_hashes = {
        stay_id: digest(content.get(stay_id, ""), of_encoder) for stay_id in cohort.stays
    }
    current = {stay_id for stay_id, _ in (done - not_taken.keys()) & input_hashes.items()}
    embedded = {stay for stay in current if encoded.get(stay) == input_hashes[stay]}
    absent = [stay_id for stay_id in cohort.stays if stay_id not in content]
    return EmbedPlan(
        run_id=run_id,
        target=target,
        cohort=cohort,
        encoder=encoder,
        reader=reader,
        fingerprint=fingerprint,
        labels=labels,
        fit_hash=fit_hash,
        input_hashes=input_hashes,
        absent=absent,
        absent_anew=[stay_id for stay_id in absent if stay_id not in current],
        todo=[stay_id for stay_id in content if stay_id not in current],
        encoded=len(embedded),
        skipped=len((current - embedded) | set(absent)),
        refused={stay: not_taken[stay, h] for stay, h in not_taken.keys() & input_hashes.items()},
        refusal=_refusal(encoder),
        check=reader.check(cohort.data_kind) if isinstance(reader, Files) else None,
        outbox=outbox,
        warehouse=warehouse,
    )


def _refusal(encoder: Encoder) -> str | None:
    """What the guard says beforehand; it is asked again at each send."""
    if encoder.sends_to() is None:
        return None
    try:
        encoder.context.guard.check(named_address().url)
    except CharthouseError as error:
        return str(error)
    return None


def _frame(encoder: Encoder) -> Any:
    """What the content of a stay means: names of its rows or columns, which it does not hold."""
    context = encoder.context
    return {
        "tabular": context.columns,
        "measurements": context.columns,
        "codes": context.groups,
        "grid": (context.channels, context.bins),
        "summary": context.channels,
        "events": context.channels,
    }.get(encoder.reads)


def _fit_hash(
    encoder: Encoder, cohort: Cohort, content: Mapping[int, str], labels: Mapping[int, int]
) -> str:
    """Of all that a fit depends on: other train stays or labels make another encoder."""
    if not isinstance(encoder, FittedEncoder):
        return ""
    fitted_on = [
        (stay_id, subject_id, split, content[stay_id], labels.get(stay_id))
        for stay_id, (subject_id, split) in cohort.stays.items()
        if split in encoder.fits_on and stay_id in content
    ]
    return digest(encoder.version, encoder.settings(), _frame(encoder), fitted_on)
