-- Data-quality issues of laboratory values, counted: what became of each value, by variable and of known stays
-- only; and over all rows of the tests of seeds/concepts/lab_tests.csv.
-- Grain: one row per source and finding.
with

labs as (
    select * from {{ ref('int_labs_cleaned') }}
),

rows_of_tests as (
    select *
    from {{ ref('stg_mimiciv__labevents') }}
    where itemid in (select itemid from {{ ref('lab_tests') }})
),

by_variable as (
    select
        'labevents: ' || variable as source,
        fate as finding,
        count(*) as found,
        sum(count(*)) over (partition by variable) as of_rows
    from labs
    group by variable, fate
),

by_row as (
    select
        'labevents' as source,
        unnest([
            'no hadm_id: matched by patient and time alone',
            'no charttime: never used',
            'stored before it was drawn',
            'never stored: counts as available when drawn',
            'no unit: taken for that of the test',
            'a time outside the years that MIMIC shifts to'
        ]) as finding,
        unnest([
            count(*) filter (where hadm_id is null),
            count(*) filter (where charttime is null),
            count(*) filter (where storetime < charttime),
            count(*) filter (where storetime is null),
            count(*) filter (where valueuom is null and valuenum is not null),
            count(*) filter (where {{ outside_shifted_years('charttime', 'storetime') }})
        ]) as found,
        count(*) as of_rows
    from rows_of_tests
),

repeated as (
    select
        'labevents' as source,
        'same patient, time and test again' as finding,
        count(*) filter (where place > 1) as found,
        count(*) as of_rows
    from (
        select row_number() over (partition by subject_id, charttime, itemid) as place
        from rows_of_tests
    ) as reports
),

unknown_tests as (
    select
        'lab_tests' as source,
        'itemid is not in hosp/d_labitems' as finding,
        count(*) filter (where items.itemid is null) as found,
        count(*) as of_rows
    from {{ ref('lab_tests') }} as lab_tests
    left join {{ ref('stg_mimiciv__d_labitems') }} as items on lab_tests.itemid = items.itemid
),

final as (
    select * from by_variable
    union all
    select * from by_row
    union all
    select * from repeated
    union all
    select * from unknown_tests
)

select * from final
