{#- The value of a setting: the user's, else the protocol's (dbt_project.yml lists them all). Validated
    wherever it is read, so that an invalid value stops with one line before it becomes SQL; and normalised
    (24.0 is 24, 1 is true), since it goes into the cohort's hash. -#}
{% macro setting(name) %}
    {%- set of_protocol = var('settings')[name][protocol()] -%}
    {%- set value = var(name, of_protocol) -%}
    {%- set kind = var('settings')[name].kind -%}
    {#- infinity minus itself, and NaN minus itself, are not 0 -#}
    {%- set is_number = value is number and value is not boolean and value - value == 0 -%}
    {%- set is_whole = is_number and value == value | int -%}
    {%- if is_number and value | abs > 1000000 and name != 'split_seed' -%}
        {{ stop(name ~ ": '" ~ value ~ "' is beyond 1,000,000 either way. Give another.") }}
    {%- elif kind == 'number' and not is_number -%}
        {{ stop(name ~ ": '" ~ value ~ "' is not a number. Give one.") }}
    {%- elif kind == 'seed' and not (is_whole and -(2 ** 63) <= value < 2 ** 63) -%}
        {{ stop(name ~ ": '" ~ value ~ "' is not a whole number of 64 bits (from -(2^63) to 2^63 - 1). Give one.") }}
    {%- elif kind == 'positive' and not (is_number and value > 0) -%}
        {{ stop(name ~ ": '" ~ value ~ "' is not a number above 0. Give one.") }}
    {%- elif kind == 'not negative' and not (is_number and value >= 0) -%}
        {{ stop(name ~ ": '" ~ value ~ "' is not a number of 0 or more. Give one.") }}
    {%- elif kind == 'share' and not (is_number and 0 < value < 1) -%}
        {{ stop(name ~ ": '" ~ value ~ "' is not a share between 0 and 1. Give one.") }}
    {%- elif kind == 'bound' and value is not none and not (is_number and value >= 0) -%}
        {{ stop(name ~ ": '" ~ value ~ "' is not a number of 0 or more. Give one, or null for no bound.") }}
    {%- elif kind == 'year' and value is not none and not is_whole -%}
        {{ stop(name ~ ": '" ~ value ~ "' is not a year. Give one, or null for none.") }}
    {%- elif kind == 'list' and (value is string or value is mapping or value is not sequence) -%}
        {{ stop(name ~ ": '" ~ value ~ "' is not a list. Write it in brackets: [a, b].") }}
    {%- elif kind == 'groups' and value is not none and (value is string or value is mapping or value is not sequence) -%}
        {{ stop(name ~ ": '" ~ value ~ "' is not a list. Write it in brackets, such as [vitals+labs, text], or null for each section by itself.") }}
    {%- elif kind == 'text' and value is not string -%}
        {{ stop(name ~ ": '" ~ value ~ "' is not a name. Give one.") }}
    {%- elif kind is not string and value not in kind -%}
        {{ stop(name ~ ": '" ~ value ~ "' is none of " ~ kind | join(', ') ~ ". Set one of them.") }}
    {%- endif -%}
    {%- if kind is not string -%}
        {{ return(kind[kind.index(value)]) }}
    {%- endif -%}
    {{ return(value | int if is_whole else value) }}
{% endmacro %}


{#- strict or paper. It is read before any other setting, so --vars is validated here: dbt evaluates Jinja in
    it, and a text passed on by a script could then read the environment. -#}
{% macro protocol() %}
    {%- set known = var('settings').keys() | list if 'settings' not in invocation_args_dict.get('vars', {}) else [] -%}
    {%- for name, value in invocation_args_dict.get('vars', {}).items() -%}
        {%- if modules.re.search('[{][{%#]', name ~ ' ' ~ value) -%}
            {{ stop('--vars: Jinja is not evaluated there. Write the value itself.') }}
        {%- elif name == 'settings' -%}
            {{ stop("--vars: 'settings' are all of them at once. Give those that you mean by their names.") }}
        {%- elif name not in known + ['protocol'] -%}
            {{ stop("--vars: no setting is called '" ~ name ~ "'. Known: protocol, " ~ known | join(', ') ~ ".") }}
        {%- endif -%}
    {%- endfor -%}
    {%- if var('protocol') not in ['strict', 'paper'] -%}
        {{ stop("protocol: '" ~ var('protocol') ~ "' is neither strict nor paper. Set one of them.") }}
    {%- endif -%}
    {{ return(var('protocol')) }}
{% endmacro %}


{#- A bound that may be null, as SQL. -#}
{% macro setting_or_null(name) %}
    {%- set value = setting(name) -%}
    {{ return('null' if value is none else value) }}
{% endmacro %}


{#- Text, and a list of texts, as SQL literals. -#}
{% macro text_literal(value) -%}
    '{{ value | replace("'", "''") }}'
{%- endmacro %}


{% macro text_list(values) -%}
    {%- for value in values %}{{ text_literal(value) }}{{ ', ' if not loop.last }}{% endfor -%}
{%- endmacro %}


{#- All settings in force, as a dictionary: marts.cohort_definition stores it. -#}
{% macro effective_settings() %}
    {%- set effective = {'protocol': protocol()} -%}
    {%- for name in var('settings') -%}
        {%- do effective.update({name: setting(name)}) -%}
    {%- endfor -%}
    {{ return(effective) }}
{% endmacro %}


{#- The settings in force that shape any of these parts of the marts, or what jobs compute from them. -#}
{% macro settings_that_shape(parts) %}
    {%- set found = {} -%}
    {%- for name, declared in var('settings').items() if declared.shapes in parts -%}
        {%- do found.update({name: setting(name)}) -%}
    {%- endfor -%}
    {{ return(found) }}
{% endmacro %}


{#- The groups of sections between which Shapley values of learners are divided, each named by its sections: vitals+labs.
    Cohort.shapley_groups reads the setting in the same way. -#}
{% macro shapley_groups() %}
    {%- set groups, sections = setting('shapley_groups'), setting('profile_sections') -%}
    {%- if groups is none -%}{{ return(sections) }}{%- endif -%}
    {%- set found, grouped = [], [] -%}
    {%- if groups | length > 5 -%}
        {{ stop('shapley_groups: ' ~ groups | length ~ ' groups, and five are the most, since every set of them is asked. Join some, such as vitals+labs.') }}
    {%- endif -%}
    {%- for group in groups -%}
        {%- set members = group.split('+') | map('trim') | list if group is string else group -%}
        {%- if members is mapping or members is not sequence or not members or members | reject('string') | list -%}
            {{ stop("shapley_groups: '" ~ group ~ "' is no group. Write sections with + between them, such as vitals+labs, or in brackets.") }}
        {%- endif -%}
        {%- for section in members -%}
            {%- if section not in sections -%}
                {{ stop("shapley_groups: '" ~ section ~ "' is not told in profiles, which have " ~ sections | join(', ') ~ ". Add it to profile_sections, or leave it out of the groups.") }}
            {%- elif section in grouped -%}
                {{ stop("shapley_groups: '" ~ section ~ "' stands twice. Keep it in one group.") }}
            {%- endif -%}
            {%- do grouped.append(section) -%}
        {%- endfor -%}
        {%- do found.append(sections | select('in', members) | join('+')) -%}
    {%- endfor -%}
    {%- for section in sections if section not in grouped -%}
        {{ stop("shapley_groups: '" ~ section ~ "' of profile_sections is in no group. Add it to one, or make it one.") }}
    {%- endfor -%}
    {{ return(found) }}
{% endmacro %}


{#- on-run-start: stops at settings that are invalid or do not fit together. -#}
{% macro check_settings() %}
    {%- if not execute -%}{{ return('') }}{%- endif -%}
    {%- do effective_settings() -%}
    {%- set matched = modalities() | selectattr('matched', 'defined') | map(attribute='name') | list -%}
    {%- for modality in setting('required_modalities') if modality not in matched -%}
        {{ stop("required_modalities: '" ~ modality ~ "' is none of " ~ matched | join(', ') ~ ". Name one of them.") }}
    {%- endfor -%}
    {%- set optional = [] -%}
    {%- for source in graph.sources.values() if source.meta.optional -%}{%- do optional.append(source.identifier) -%}{%- endfor -%}
    {%- for table in setting('not_read') if table not in optional -%}
        {{ stop("not_read: '" ~ table ~ "' is none of " ~ optional | sort | join(', ') ~ ". Name tables that may be absent.") }}
    {%- endfor -%}
    {%- set told = modalities() | selectattr('profile', 'defined') | map(attribute='name') | list -%}
    {%- for modality in setting('profile_sections') if modality not in told -%}
        {{ stop("profile_sections: '" ~ modality ~ "' is none of " ~ told | join(', ') ~ ". Name one of them.") }}
    {%- endfor -%}
    {%- do shapley_groups() -%}
    {%- for view in setting('image_views') if view is not string or not modules.re.fullmatch('[A-Z0-9][A-Z0-9 _-]*', view) -%}
        {{ stop("image_views: '" ~ view ~ "' is no view position: MIMIC-CXR writes them in capitals. Write AP, PA, LATERAL, LL or the like.") }}
    {%- endfor -%}
    {%- set fusions = rows_of_seed('fusions') | map(attribute='fusion') | list -%}
    {%- if setting('fusion') not in fusions -%}
        {{ stop("fusion: '" ~ setting('fusion') ~ "' is none of " ~ fusions | join(', ') ~ " (seeds/registries/fusions.csv). Set one of them.") }}
    {%- endif -%}
    {%- for split in setting('fit_splits') if split not in ['train', 'validation'] -%}
        {{ stop("fit_splits: '" ~ split ~ "' is neither train nor validation. Name these alone.") }}
    {%- endfor -%}
    {%- if 'train' not in setting('fit_splits') -%}
        {{ stop('fit_splits: without train nothing can be fitted. Add it.') }}
    {%- endif -%}
    {%- set hours = setting('window_end_hours') - setting('window_start_hours') -%}
    {%- set bins = hours / setting('bin_hours') -%}
    {%- if bins | round < 1 or (bins - bins | round) | abs > 1e-6 -%}
        {{ stop("window: " ~ setting('window_start_hours') ~ " h to " ~ setting('window_end_hours') ~ " h is not a whole number of bins of " ~ setting('bin_hours') ~ " h. Change window_start_hours, window_end_hours or bin_hours.") }}
    {%- endif -%}
    {%- if bins > 10000 -%}
        {{ stop('bin_hours: the window has ' ~ bins | round | int ~ ' bins of it, and 10,000 are the most. Widen them, or shorten the window.') }}
    {%- endif -%}
    {%- set by_era, cut = setting('split_by') == 'era', setting('split_era_cut') -%}
    {%- if by_era and cut is none -%}
        {{ stop('split_by: era needs the year from which stays are tested. Set split_era_cut, or split_by: hash.') }}
    {%- elif by_era and setting('split_unit') != 'patient' -%}
        {{ stop('split_by: era keeps patients whole, and split_unit: ' ~ setting('split_unit') ~ ' does not. Set split_unit: patient.') }}
    {%- elif cut is not none and not by_era -%}
        {{ stop('split_era_cut: ' ~ cut ~ ' cuts nothing under split_by: hash. Set split_by: era, or leave it out.') }}
    {%- endif -%}
    {%- set fractions = setting('split_fractions') -%}
    {%- if fractions | length != 3 or fractions | reject('number') | list or fractions | select('<', 0) | list or not (fractions | sum - 1) | abs <= 1e-9 -%}
        {{ stop("split_fractions: " ~ fractions ~ " are not three shares (train, validation, test) that sum to 1. Correct them.") }}
    {%- elif fractions[0] <= 0 or fractions[2] <= 0 or (fractions[1] <= 0 and 'validation' in [setting('baseline_chosen_on'), setting('decision_threshold')]) -%}
        {{ stop("split_fractions: " ~ fractions ~ " leave a split empty that is needed: train, test, or validation, where baseline_chosen_on or decision_threshold name it. Give each a share.") }}
    {%- endif -%}
{% endmacro %}


{#- on-run-start: a run of selected models must not leave marts that contradict marts.cohort_definition:
    other settings, rows that do not match its hash, or rows of real patients labelled synthetic, which would
    be allowed to leave the machine. (stop_at_another_kind checks the same for the files that the run read.) -#}
{% macro check_partial_run() %}
    {%- if not execute -%}{{ return('') }}{%- endif -%}
    {%- set models, left_out = [], [] -%}
    {%- for node in graph.nodes.values() if node.resource_type == 'model' -%}
        {%- do (models if node.unique_id in selected_resources else left_out).append(node) -%}
    {%- endfor -%}
    {%- if not (models and left_out) -%}{{ return('') }}{%- endif -%}

    {%- set definition = graph.nodes['model.' ~ project_name ~ '.cohort_definition'] -%}
    {%- set stored = stored_definition() -%}
    {%- if stored is none -%}
        {%- if tables_of(definition.schema) and definition in models -%}
            {{ stop('The warehouse holds marts without a cohort_definition: nothing says what they were built from. Build all (dbt build without --select).') }}
        {%- endif -%}
        {{ return('') }}
    {%- endif -%}
    {#- raw copies and tables written by jobs do not depend on settings, and reports follow with the next build -#}
    {%- if left_out | rejectattr('config.materialized', 'in', ['raw_copy', 'incremental']) | rejectattr('fqn.1', 'equalto', 'reports') | list -%}
        {%- set variables = fromjson(stored['variables']) -%}
        {%- for name, value in effective_settings().items() if tojson(variables.get(name)) != tojson(value) -%}
            {{ stop(name ~ ' is ' ~ tojson(value) ~ ' here, but ' ~ tojson(variables.get(name)) ~ ' in the warehouse: some models alone would contradict the others. Build all (dbt build without --select), or give the settings of the warehouse.') }}
        {%- endfor -%}
        {%- set hashes = graph.nodes['model.' ~ project_name ~ '.content_hashes'] -%}
        {%- for node in models if hashes not in models and node.unique_id in definition.depends_on.nodes + hashes.depends_on.nodes -%}
            {{ stop(node.name ~ ' is part of what results stand on. Build content_hashes with it (--select ' ~ node.name ~ '+), or all.') }}
        {%- endfor -%}
    {%- endif -%}
    {%- do stop_at_another_kind() -%}
{% endmacro %}


{#- Whether this run leaves tables as they are. -#}
{% macro tables_left_out() %}
    {%- for node in graph.nodes.values() if node.resource_type == 'model' and node.config.materialized in ['table', 'raw_copy'] -%}
        {%- if node.unique_id not in selected_resources -%}{{ return(true) }}{%- endif -%}
    {%- endfor -%}
    {{ return(false) }}
{% endmacro %}


{#- The row of marts.cohort_definition; none where the table does not exist. -#}
{% macro stored_definition() %}
    {%- set definition = graph.nodes['model.' ~ project_name ~ '.cohort_definition'] -%}
    {%- if definition.alias not in tables_of(definition.schema) -%}{{ return(none) }}{%- endif -%}
    {{ return(run_query('select * from ' ~ definition.relation_name).rows[0]) }}
{% endmacro %}


{% macro tables_of(schema) %}
    {{ return(run_query(
        "select table_name from duckdb_tables() where database_name = current_database() and schema_name = '" ~ schema ~ "'"
    ).rows | map(attribute=0) | list) }}
{% endmacro %}


{#- on-run-start: prints one line with the settings that differ from those of the last build. If the protocol
    differs, only it is listed, and settings that do not follow from it. -#}
{% macro say_changed_settings() %}
    {%- if not execute -%}{{ return('') }}{%- endif -%}
    {%- set definition = stored_definition() -%}
    {%- if 'model.' ~ project_name ~ '.cohort_definition' not in selected_resources or definition is none -%}{{ return('') }}{%- endif -%}
    {%- set stored = fromjson(definition['variables']) -%}
    {%- set changed = [] -%}
    {%- for name, value in effective_settings().items() if name in stored and tojson(stored[name]) != tojson(value) -%}
        {%- set usual = var('settings').get(name, {}) -%}
        {%- if name == 'protocol' or usual[var('protocol')] != value or usual[stored['protocol']] != stored[name] -%}
            {%- do changed.append(name ~ ' ' ~ tojson(value) ~ ' (was ' ~ tojson(stored[name]) ~ ')') -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if changed -%}
        {%- do log('Other settings than those that the warehouse was built with: ' ~ changed | join(', ') ~ '.', info=True) -%}
    {%- endif -%}
{% endmacro %}


{#- How many bins the window has. -#}
{% macro bins_in_window() %}
    {{ return(((setting('window_end_hours') - setting('window_start_hours')) / setting('bin_hours')) | round | int) }}
{% endmacro %}
