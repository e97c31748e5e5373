-- One row per run of predict, split, population (all stays; complete: with vitals, image and text;
-- mimic_cxr_years: whose era lies in the years of MIMIC-CXR) and metric, with its 95 % interval over resampled
-- patients.
-- Grain: one row per run of predict, split, population and metric.
{{ get_empty_schema_sql(model.columns) }} where false
