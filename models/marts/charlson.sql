-- Groups of the Charlson comorbidity index among the diagnoses of earlier admissions, after the MIMIC Code Repository's
-- charlson (Quan et al. 2005), for stays with any earlier diagnosis; nothing is known about the others.
-- Grain: one row per stay and group.
with diagnoses as (
    select * from {{ ref('diagnoses') }}
),

every_group as (
    select distinct
        charlson_group,
        weight
    from {{ ref('charlson_codes') }}
),

found as (
    select
        stay_id,
        charlson_group,
        count(distinct hadm_id) as admissions
    from (
        select
            stay_id,
            hadm_id,
            unnest(string_split(charlson_groups, ', ')) as charlson_group
        from diagnoses
    ) as grouped
    group by stay_id, charlson_group
),

final as (
    select
        stays.stay_id,
        every_group.charlson_group,
        found.stay_id is not null as has,
        cast(coalesce(found.admissions, 0) as integer) as admissions,
        every_group.weight
    from (select distinct stay_id from diagnoses) as stays
    cross join every_group
    left join found on stays.stay_id = found.stay_id and every_group.charlson_group = found.charlson_group
    order by stays.stay_id, every_group.charlson_group
)

select * from final
