-- Vital signs on a complete grid: the mean of each bin, missing bins imputed by the setting imputation.
-- Grain: one row per stay, bin and variable; `hour` is where the bin starts, in hours since intime.
{{ hourly_grid('vitals', ref('vitals_events'), flags=['is_intubated']) }}
