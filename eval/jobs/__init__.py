"""Long work in many processes: folders of results that are whole or absent, worker processes, and progress.

Nothing here knows what a task is about.
"""
