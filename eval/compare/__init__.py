"""Comparisons of rules: how they differ in words, how far apart they lie, and what each rewards.

Nothing here trains a policy or reads a study.
"""
