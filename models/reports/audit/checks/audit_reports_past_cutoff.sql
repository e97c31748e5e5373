-- Were reports observed or stored outside the window? The window is computed anew from intime.
-- Grain: one row per stay and report.
{{ rows_past_cutoff('reports') }}
