"""The dashboard: Streamlit pages over the published copy of a warehouse."""
