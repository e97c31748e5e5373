"""Every picture, drawn once by Altair, from a frame: of the report, the dashboard, the README."""
