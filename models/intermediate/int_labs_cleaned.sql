-- Laboratory values of every stay, cleaned: values in another unit and outliers removed, near outliers pulled to the
-- valid bound. Matched by patient and time: a quarter of them name no admission, most of those from the emergency
-- department. Rows without a usable value stay, with their reason, to be counted.
-- Ranges: seeds/concepts/lab_tests.csv, most after MIMIC-Extract (Wang et al. 2020).
-- Grain: one row per stay and row of stg_mimiciv__labevents that lies between the stay's admission and its end.
{{ config(post_hook=[
    "{{ stop_at_rows('select itemid from ' ~ ref('lab_tests') ~ ' as seed inner join ' ~ ref('stg_mimiciv__d_labitems') ~ ' as items using (itemid)'
        ~ ' where lower(seed.label) is distinct from lower(items.label)',
        'seeds/concepts/lab_tests.csv: an itemid has another label in hosp/d_labitems', 'Correct its itemid, or its label.') }}",
]) }}

with labs as (
    select * from {{ ref('stg_mimiciv__labevents') }}
),

lab_tests as (
    select * from {{ ref('lab_tests') }}
),

stays as (
    select * from {{ ref('int_stays') }}
),

judged as (
    select
        stays.stay_id,
        labs.itemid,
        lab_tests.variable,
        labs.charttime as observed_at,
        {{ available_at('labs.charttime', 'labs.storetime') }} as available_at,
        {{ hours_since('stays.intime', 'labs.charttime') }} as hours,
        coalesce(labs.hadm_id = stays.hadm_id, labs.charttime >= stays.admittime) as is_of_admission,
        labs.valuenum,
        least(greatest(labs.valuenum, lab_tests.valid_low), lab_tests.valid_high) as in_range,
        case
            when labs.valuenum is null or isnan(labs.valuenum) then 'no number'
            when isinf(labs.valuenum) then 'infinite, removed'
            when lower(nullif(trim(labs.valueuom), '')) <> lower(coalesce(lab_tests.unit, '')) then 'another unit, removed'
            when labs.valuenum not between lab_tests.outlier_low and lab_tests.outlier_high then 'outlier, removed'
            when lab_tests.zero_is_missing and labs.valuenum = 0 then 'zero, no measurement'
            when labs.valuenum not between lab_tests.valid_low and lab_tests.valid_high then 'pulled to the valid bound'
            else 'kept'
        end as fate
    from labs
    inner join lab_tests on labs.itemid = lab_tests.itemid
    inner join stays
        on
            labs.subject_id = stays.subject_id
            and labs.charttime >= stays.matched_from
            and labs.charttime <= stays.outtime
),

final as (
    select
        stay_id,
        variable,
        itemid,
        observed_at,
        available_at,
        hours,
        is_of_admission,
        valuenum as charted_value,
        if(fate in ('kept', 'pulled to the valid bound'), in_range, null) as value,
        fate
    from judged
)

select * from final
