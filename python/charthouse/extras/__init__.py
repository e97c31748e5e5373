"""Extras: tools that no command and no job needs, each in a folder that says who does.

Nothing in the house imports them (tests/unit/test_imports.py). They run by themselves:

- `python -m charthouse.extras.llava_med`: converts LLaVA-Med's published checkpoint.
"""
