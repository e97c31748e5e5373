-- Were X-rays observed or stored outside the window? The window is computed anew from intime.
-- Grain: one row per stay and X-ray.
{{ rows_past_cutoff('images') }}
