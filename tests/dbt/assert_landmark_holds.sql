-- Under the landmark every patient is known to be alive and in the ICU at the end of the window:
-- otherwise the features already contain the outcome, or its absence.
select stays.stay_id
from {{ ref('cohort') }} as cohort
inner join {{ ref('int_stays') }} as stays on cohort.stay_id = stays.stay_id
where
    {{ setting('landmark') }}
    and (
        cohort.outtime < cohort.window_end
        or stays.died_at <= cohort.window_end
        or (stays.hospital_expire_flag = 1 and stays.died_at is null)
    )
