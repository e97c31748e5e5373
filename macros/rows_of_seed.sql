{#- The rows of a seed, read from its file because its table does not exist yet or is from the previous run: for hooks
    at the start of a run, and for SQL that is compiled before anything is built. -#}
{% macro rows_of_seed(name) %}
    {%- set seed = graph.nodes['seed.' ~ project_name ~ '.' ~ name] -%}
    {%- set path = seed.root_path ~ '/' ~ seed.original_file_path -%}
    {{ return(run_query('select * from read_csv(' ~ text_literal(path) ~ ', header = true, delim = \',\', quote = \'"\', escape = \'"\', null_padding = true, all_varchar = true)').rows) }}
{% endmacro %}
