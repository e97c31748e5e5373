-- Radiology reports matched to stays: same patient, charted between the earliest of admission, ED
-- registration and ICU admission and the end of the stay, and not filed under another admission. A
-- report without a hadm_id is matched by time alone, unless report_match is `admission`.
-- Grain: one row per stay and report.
with reports as (
    select * from {{ ref('stg_mimiciv__radiology') }}
),

stays as (
    select * from {{ ref('int_stays') }}
),

final as (
    select
        stays.stay_id,
        reports.note_id,
        reports.charttime as observed_at,
        {{ available_at('reports.charttime', 'reports.storetime') }} as available_at,
        {{ hours_since('stays.intime', 'reports.charttime') }} as hours,
        reports.text
    from reports
    inner join stays
        on
            reports.subject_id = stays.subject_id
            {%- if setting('report_match') == 'admission' %}
            and reports.hadm_id = stays.hadm_id
            {%- else %}
            and coalesce(reports.hadm_id, stays.hadm_id) = stays.hadm_id
            {%- endif %}
            and reports.charttime >= stays.matched_from
            and reports.charttime <= stays.outtime
    where regexp_matches(reports.text, '\S')
)

select * from final
