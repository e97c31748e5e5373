"""`charthouse audit`: computes what the warehouse holds again, from its sources, and compares.

Checks that SQL can do are the view reports.audit. The checks here need more: dbt models run again
over the staged tables, coefficients and vectors, the statistics, bytes. Their findings are kept in
results.audit_findings, which reports.audit includes.
"""
