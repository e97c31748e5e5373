{#- on-run-end: what stands now, or what failed and how to mend it, in a few lines. -#}
{% macro print_summary(results) %}
    {%- if not execute -%}{{ return('') }}{%- endif -%}
    {%- set failed = results | selectattr('status', 'in', ['error', 'fail', 'runtime error']) | list -%}
    {%- if failed -%}
        {%- do log('', info=True) -%}
        {%- for result in failed -%}
            {%- set advice = promise_broken(result) if result.status == 'fail' and result.node.resource_type == 'test' else advice_on(result.message or '') -%}
            {%- do log('FAILED ' ~ result.node.name ~ ': ' ~ advice, info=True) -%}
        {%- endfor -%}
        {%- do log(target.path ~ ' is as it was before this run. What it has read whole from raw files is kept for the next.', info=True) -%}
    {%- elif 'model.' ~ project_name ~ '.cohort_definition' in selected_resources and not flags.EMPTY and invocation_args_dict.which in ['build', 'run'] -%}
        {%- set definition = run_query('select * from ' ~ ref_of('cohort_definition')).rows[0] -%}
        {%- do log('', info=True) -%}
        {%- if definition['is_synthetic'] -%}
            {%- do log('SYNTHETIC DATA: nothing below is about real patients.', info=True) -%}
        {%- elif definition['data_kind'] == 'open' -%}
            {%- do log('OPEN DATA of real patients, de-identified: ' ~ definition['data_source'] ~ '.', info=True) -%}
        {%- endif -%}
        {%- set why = kind_of_copies().why -%}
        {%- if why -%}
            {%- do log('NOT SYNTHETIC, counted as ' ~ definition['data_kind'] ~ ' data: ' ~ why ~ '.', info=True) -%}
        {%- endif -%}
        {%- do log('Cohort ' ~ definition['cohort_hash'][:12] ~ ', protocol ' ~ definition['protocol'] ~ ', in ' ~ target.path, info=True) -%}
        {%- set attrition = run_query('select * from ' ~ ref_of('cohort_attrition') ~ ' order by step').rows -%}
        {%- do log('  %8d stays %8d patients  %s' | format(attrition[0]['stays'], attrition[0]['patients'], attrition[0]['criterion']), info=True) -%}
        {%- for row in attrition if row['stays_dropped'] -%}
            {%- do log('  %8d stays %8d patients  not %s' | format(-row['stays_dropped'], -row['patients_dropped'], row['criterion']), info=True) -%}
        {%- endfor -%}
        {%- do log('  %8d stays %8d patients  in the cohort' | format(attrition[-1]['stays'], attrition[-1]['patients']), info=True) -%}
        {%- for row in run_query('select task, sum(label) as n, avg(label) as rate from ' ~ ref_of('labels') ~ ' group by task order by task').rows -%}
            {%- do log('  %8d positive (%4.1f %%)  %s' | format(row['n'], 100 * row['rate'], row['task']), info=True) -%}
        {%- endfor -%}
        {%- set shares = [] -%}
        {%- for row in run_query(
            'select modality, 100 * avg(in_window::int) as share from ' ~ ref_of('stay_modalities')
            ~ ' inner join ' ~ ref_of('modalities') ~ ' using (modality) group by modality, position order by position'
        ).rows -%}
            {%- do shares.append('%s %.0f %%' | format(row['modality'], row['share'])) -%}
        {%- endfor -%}
        {%- do log('  with ' ~ shares | join(', '), info=True) -%}
    {%- endif -%}
{% endmacro %}


{#- The relation of a model, where ref() may not be called (hooks see no graph of their own). -#}
{% macro ref_of(name) %}
    {{ return(graph.nodes['model.' ~ project_name ~ '.' ~ name].relation_name) }}
{% endmacro %}


{#- What a data test that failed says. The marts that it looked at are gone, so the rows are to be had only
    where the run itself stores them: beside the warehouse, until the next build. -#}
{% macro promise_broken(result) %}
    {{ return(
        'the promise ' ~ result.node.name ~ ' is broken by ' ~ result.failures ~ ' rows. See them: '
        ~ 'dbt build --profiles-dir profiles --store-failures, then the table ' ~ result.node.schema ~ '.' ~ result.node.alias
        ~ ' of ' ~ run_query('select path from duckdb_databases() where database_name = current_database()').rows[0][0]
        ~ '. Correct the raw data or the seed behind them.'
    ) }}
{% endmacro %}


{#- The line of an error that a person needs, and what to do where it is not ours: those (stop) say it. -#}
{% macro advice_on(message) %}
    {%- set lines = [] -%}
    {%- for line in message.split('\n') if line.strip() and ' Error in ' not in line -%}
        {%- do lines.append(line.strip()) -%}
    {%- endfor -%}
    {%- set line = (lines + [message])[0] -%}
    {%- if message.startswith('Compilation Error') -%}{{ return(line) }}{%- endif -%}
    {%- set line = line.rstrip('.') ~ '.' -%}
    {%- if 'No space left' in line or 'out of disk' in line -%}
        {{ return(line ~ ' Free space on the disk of the warehouse, or set CHARTHOUSE_WAREHOUSE to another.') }}
    {%- elif 'ermission denied' in line and line.startswith('IO Error') -%}
        {{ return(line ~ ' Give yourself the right to read it.') }}
    {%- elif 'Out of Memory' in line -%}
        {{ return(line ~ ' Give more with CHARTHOUSE_MEMORY=4GB.') }}
    {%- endif -%}
    {{ return(line) }}
{% endmacro %}
