-- Laboratory values on a complete grid: the mean of each bin, missing bins imputed by the setting imputation.
-- Grain: one row per stay, bin and variable; `hour` is where the bin starts, in hours since intime.
{{ hourly_grid('labs', ref('labs_events'), may_be_absent=true) }}
