"""`charthouse report`: what was evaluated, as one page and its pictures."""
