"""The job that puts questions to multimodal learners and keeps every answer: `charthouse ask`."""
