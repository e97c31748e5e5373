-- Medications and fluids on a complete grid: the mean rate over each bin, boluses included; 0 where nothing was given.
-- Grain: one row per stay, bin and variable; `hour` is where the bin starts, in hours since intime.
{{ hourly_rates('medications', ref('medications_events')) }}
