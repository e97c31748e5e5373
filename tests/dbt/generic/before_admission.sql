{#- Every row is of an earlier admission of the patient that had ended, and was known, when the present admission began.
    Written out here instead of using the macro before_admission: a test that shares the code it tests proves nothing. -#}
{% test before_admission(model) %}
select
    rows_of.stay_id,
    rows_of.hadm_id,
    rows_of.observed_at
from {{ model }} as rows_of
inner join {{ ref('cohort') }} as cohort on rows_of.stay_id = cohort.stay_id
left join {{ ref('stg_mimiciv__admissions') }} as present on cohort.hadm_id = present.hadm_id
left join {{ ref('stg_mimiciv__admissions') }} as earlier
    on rows_of.hadm_id = earlier.hadm_id and cohort.subject_id = earlier.subject_id
where
    not coalesce(
        rows_of.hadm_id <> cohort.hadm_id
        and rows_of.observed_at = earlier.dischtime
        and rows_of.observed_at <= rows_of.available_at
        and rows_of.available_at <= present.admittime,
        false
    )
    or abs(rows_of.hours * 3600 - epoch(rows_of.observed_at - cohort.intime)) > 1e-3
{% endtest %}
