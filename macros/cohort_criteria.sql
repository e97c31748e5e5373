{#- The rules of the cohort in the order in which they are asked; each stay is dropped by the first
    that it fails. `fails` is a condition on int_stays joined with int_stay_modalities. A rule that a
    setting switches off stays in the list, so that the attrition table always has the same rows.
    Nobody knows of who died at an unknown time that it was after the window: such stays are not alive at
    its end (marts.data_quality counts them apart). -#}
{% macro cohort_criteria() %}
    {%- set landmark = setting('landmark') -%}
    {%- set window_end = setting('window_end_hours') -%}
    {%- set criteria = [
        {
            'criterion': 'has an intime, an outtime and an age',
            'fails': 'intime is null or outtime is null or age is null',
        },
        {
            'criterion': 'age at least ' ~ setting('min_age') if setting('min_age') is not none else 'any age from below',
            'fails': 'age < ' ~ setting_or_null('min_age'),
        },
        {
            'criterion': 'age at most ' ~ setting('max_age') if setting('max_age') is not none else 'any age upwards',
            'fails': 'age > ' ~ setting_or_null('max_age'),
        },
        {
            'criterion': 'ICU stay of at least ' ~ setting('min_stay_hours') ~ ' h' if setting('min_stay_hours') is not none else 'any length of stay',
            'fails': hours_since('intime', 'outtime') ~ ' < ' ~ setting_or_null('min_stay_hours'),
        },
        {
            'criterion': 'in the ICU at hour ' ~ window_end if landmark else 'no landmark: may leave before hour ' ~ window_end,
            'fails': 'outtime < window_end' if landmark else 'false',
        },
        {
            'criterion': 'alive at hour ' ~ window_end if landmark else 'no landmark: may die before hour ' ~ window_end,
            'fails': '(died_at <= window_end or (hospital_expire_flag = 1 and died_at is null))' if landmark else 'false',
        },
    ] -%}
    {%- for modality, column in [('vitals', 'has_vitals'), ('image', 'has_image'), ('text', 'has_text')] -%}
        {%- set required = modality in setting('required_modalities') -%}
        {%- do criteria.append({
            'criterion': ('has ' if required else 'with or without ') ~ modality ~ ' in the window',
            'fails': 'not ' ~ column if required else 'false',
        }) -%}
    {%- endfor -%}
    {{ return(criteria) }}
{% endmacro %}
