"""An extra: converts LLaVA-Med's published checkpoint to the layout that transformers reads.

Who needs it: who asks the learner `llava_med` in this process (`charthouse ask --learner
llava_med`) with weights from microsoft/llava-med-v1.5-mistral-7b. Who serves the model elsewhere,
or asks other learners, does not. Run it once:

    python -m charthouse.extras.llava_med SOURCE TARGET [--clip FOLDER]
"""
