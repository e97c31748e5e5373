-- A misspelt name in seeds/tabular_variables.csv would silently be missing from profiles and encoders.
select variables.variable
from {{ ref('tabular_variables') }} as variables
anti join (
    select column_name from duckdb_columns()
    where schema_name = '{{ ref("cohort").schema }}' and table_name = 'cohort'
) as columns_of on variables.variable = columns_of.column_name
