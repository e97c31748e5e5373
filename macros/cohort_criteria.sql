{#- The rules of the cohort in the order in which they are applied; each stay is dropped by the first one that
    it fails. `fails` is a condition on int_stays and the modalities of the stay in the window. A rule that is
    switched off by a setting stays in the list, so that the attrition table always has the same rows.
    For a death in hospital at an unknown time nothing proves that the patient outlived the window: such stays do
    not count as alive at its end (marts.data_quality counts them separately).
    If split by era, a patient with a stay from the cut on is only tested, on those stays: earlier stays would put
    the patient into train as well. These patients are found among all ICU stays, so that the split of a patient
    does not depend on the rules above. -#}
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
    {%- set cut = setting('split_era_cut') if setting('split_by') == 'era' else none -%}
    {%- do criteria.append({
        'criterion': 'on one side of ' ~ cut ~ ' by its whole era' if cut is not none else 'any era',
        'fails': '(era_from < ' ~ cut ~ ' and era_to >= ' ~ cut ~ ') or era_from is null' if cut is not none else 'false',
    }) -%}
    {%- do criteria.append({
        'criterion': "on its patient's side of " ~ cut if cut is not none else 'any era of its patient',
        'fails': 'era_from < ' ~ cut ~ ' and last_era_from >= ' ~ cut if cut is not none else 'false',
    }) -%}
    {%- for modality in modalities() if modality.matched -%}
        {%- set required = modality.name in setting('required_modalities') -%}
        {%- do criteria.append({
            'criterion': ('has ' if required else 'with or without ') ~ modality.name ~ ' in the window',
            'fails': 'not coalesce(list_contains(modalities.in_window, ' ~ text_literal(modality.name) ~ '), false)' if required else 'false',
        }) -%}
    {%- endfor -%}
    {{ return(criteria) }}
{% endmacro %}
