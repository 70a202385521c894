"""Examinations written for people, asked of models as the GPT-4 report did (appendix A)."""
