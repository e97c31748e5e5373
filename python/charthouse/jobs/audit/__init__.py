"""`charthouse audit`: what the warehouse holds, computed again from what it was made of.

Checks that SQL can do are the view reports.audit. Those here need more: the models replayed over
the staged tables, coefficients and vectors, the statistics module, bytes. Their findings are kept
in results.audit_findings, from where reports.audit has them too.
"""
