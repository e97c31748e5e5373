-- Chest X-ray images as MIMIC-CXR lists them.
-- Grain: one row per image.
{{ config(post_hook=[
    "{{ stop_at_bad_keys(this, 'dicom_id', 'mimic-cxr-2.0.0-metadata') }}",
    "{{ stop_at_names_of_no_file(this, 'dicom_id', 'mimic-cxr-2.0.0-metadata') }}",
    "{{ stop_at_rows('select dicom_id from ' ~ this ~ ' where study_at is null and study_date is not null and study_time is not null',
        'mimic-cxr-2.0.0-metadata: a StudyDate or StudyTime does not exist', 'Correct it, or fetch the file again.') }}",
]) }}

select
    dicom_id,
    subject_id,
    study_id,
    viewposition as view_position,
    studydate as study_date,
    studytime as study_time,
    -- StudyDate is YYYYMMDD and StudyTime HHMMSS.fff, both as numbers: 80556.875 is 08:05:56.875.
    -- Second 60 and hour 24 do not exist, but DuckDB would roll them over.
    if(
        studytime < 240000 and round(studytime % 100, 3) < 60,
        try(make_timestamp(
            studydate // 10000, studydate // 100 % 100, studydate % 100,
            cast(floor(studytime / 10000) as bigint),
            cast(floor(studytime / 100) as bigint) % 100,
            round(studytime % 100, 3)
        )),
        null
    ) as study_at
from {{ source('mimic_cxr', 'metadata') }}
