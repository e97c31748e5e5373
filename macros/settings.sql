{#- The value of a setting: the user's, else the protocol's (dbt_project.yml lists them all). -#}
{% macro setting(name) %}
    {{ return(var(name, var('settings')[name][var('protocol')])) }}
{% endmacro %}


{#- A bound that may be null, as SQL. -#}
{% macro setting_or_null(name) %}
    {%- set value = setting(name) -%}
    {{ return('null' if value is none else value) }}
{% endmacro %}


{#- A list as the inside of a SQL list literal of text. -#}
{% macro text_list(values) -%}
    {%- for value in values %}'{{ value | replace("'", "''") }}'{{ ', ' if not loop.last }}{% endfor -%}
{%- endmacro %}


{#- All settings in force, as a dictionary: marts.cohort_definition stores it. -#}
{% macro effective_settings() %}
    {%- set effective = {'protocol': var('protocol')} -%}
    {%- for name in var('settings') -%}
        {%- do effective.update({name: setting(name)}) -%}
    {%- endfor -%}
    {{ return(effective) }}
{% endmacro %}


{#- Stops with one line at a setting that is misspelt or makes no sense: dbt itself ignores a
    variable that nobody reads. Runs before anything is touched. -#}
{% macro check_settings() %}
    {%- if not execute -%}{{ return('') }}{%- endif -%}
    {%- set known = var('settings').keys() | list -%}
    {%- for name in invocation_args_dict.get('vars', {}) -%}
        {%- if name not in known + ['protocol', 'settings'] -%}
            {{ stop("--vars: no setting is called '" ~ name ~ "'. Known: protocol, " ~ known | join(', ') ~ ".") }}
        {%- endif -%}
    {%- endfor -%}
    {%- if var('protocol') not in ['strict', 'paper'] -%}
        {{ stop("protocol: '" ~ var('protocol') ~ "' is neither strict nor paper. Set one of them.") }}
    {%- endif -%}

    {%- for name, choices in {
        'availability': ['available', 'observed'],
        'celsius': ['convert', 'drop'],
        'imputation': ['forward', 'forward_backward', 'none'],
        'split_unit': ['patient', 'stay'],
        'landmark': [true, false],
    }.items() -%}
        {%- if setting(name) not in choices -%}
            {{ stop(name ~ ": '" ~ setting(name) ~ "' is none of " ~ choices | join(', ') ~ ". Set one of them.") }}
        {%- endif -%}
    {%- endfor -%}
    {%- for name in ['min_age', 'max_age', 'min_stay_hours'] -%}
        {%- if setting(name) is not none and setting(name) is not number -%}
            {{ stop(name ~ ": '" ~ setting(name) ~ "' is not a number. Give one, or null for no bound.") }}
        {%- endif -%}
    {%- endfor -%}
    {%- for name in ['window_start_hours', 'window_end_hours', 'bin_hours', 'profile_hours', 'los_threshold_days', 'split_seed'] -%}
        {%- if setting(name) is not number -%}
            {{ stop(name ~ ": '" ~ setting(name) ~ "' is not a number. Give one.") }}
        {%- endif -%}
    {%- endfor -%}
    {%- for name in ['required_modalities', 'image_views', 'split_fractions'] -%}
        {%- if setting(name) is string or setting(name) is not iterable -%}
            {{ stop(name ~ ": '" ~ setting(name) ~ "' is not a list. Write it in brackets: [a, b].") }}
        {%- endif -%}
    {%- endfor -%}
    {%- for modality in setting('required_modalities') if modality not in ['vitals', 'image', 'text'] -%}
        {{ stop("required_modalities: '" ~ modality ~ "' is none of vitals, image, text. Name one of them.") }}
    {%- endfor -%}

    {%- set hours = setting('window_end_hours') - setting('window_start_hours') -%}
    {%- set bins = hours / setting('bin_hours') if setting('bin_hours') > 0 else 0 -%}
    {%- if bins < 1 or bins != bins | int -%}
        {{ stop("window: [" ~ setting('window_start_hours') ~ " h, " ~ setting('window_end_hours') ~ " h) is not a whole number of bins of " ~ setting('bin_hours') ~ " h. Change window_start_hours, window_end_hours or bin_hours.") }}
    {%- endif -%}
    {%- set fractions = setting('split_fractions') -%}
    {%- if fractions | length != 3 or fractions | select('<', 0) | list or (fractions | sum - 1) | abs > 1e-9 -%}
        {{ stop("split_fractions: " ~ fractions ~ " are not three shares (train, validation, test) that sum to 1. Correct them.") }}
    {%- endif -%}
{% endmacro %}


{#- How many bins the window has. -#}
{% macro bins_in_window() %}
    {{ return(((setting('window_end_hours') - setting('window_start_hours')) / setting('bin_hours')) | int) }}
{% endmacro %}
