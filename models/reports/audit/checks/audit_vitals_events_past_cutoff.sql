-- Were vital signs observed or stored outside the window? The window is computed anew from intime.
-- Grain: one row per measurement.
{{ rows_past_cutoff('vitals_events') }}
