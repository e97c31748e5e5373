"""How good scores are, and how sure that is: metrics, bootstrap intervals, paired differences."""
