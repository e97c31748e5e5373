{#- Seeds that must stand in a query as literals: the items for which chartevents is streamed. As
    literals they are part of the compiled SQL, so that raw_copy notices when they change. -#}

{#- The rows of a seed's file, for hooks at the start of a run: its table is not there yet, or is that of
    the run before. -#}
{% macro rows_of_seed(name) %}
    {%- set seed = graph.nodes['seed.' ~ project_name ~ '.' ~ name] -%}
    {%- set path = seed.root_path ~ '/' ~ seed.original_file_path -%}
    {{ return(run_query('select * from read_csv(' ~ text_literal(path) ~ ', header = true, all_varchar = true)').rows) }}
{% endmacro %}


{% macro vital_itemids() %}
    {%- set found = run_query('select distinct itemid from ' ~ ref('vital_signs') ~ ' order by all') if execute else none -%}
    {{ return(found.columns[0].values() | join(', ') if execute else 'null') }}
{% endmacro %}


{#- `case itemid when 223900 then 'No Response-ETT' end`: the text that says the patient is intubated. -#}
{% macro intubated_text(itemid) %}
    {%- set found = run_query(
        'select itemid, intubated_text from ' ~ ref('vital_signs') ~ ' where intubated_text is not null order by all'
    ).rows if execute else [] -%}
    case {{ itemid }}
        {%- for row in found %} when {{ row['itemid'] }} then {{ text_literal(row['intubated_text']) }}{% endfor %}
        {%- if not found %} when null then null{% endif %} end
{%- endmacro %}
