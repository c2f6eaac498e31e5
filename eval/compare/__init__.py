"""Rules side by side: how they differ in words, how far apart they lie, what each rewards.

Nothing here trains or reads a study."""
