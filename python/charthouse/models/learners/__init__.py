"""One module a family of learners: what differs between models.

seeds/registries/learners.csv names them.

Two ways reach any of them: served.py, a server that speaks OpenAI's chat completions, and
in_process.py, transformers on this machine.
"""
