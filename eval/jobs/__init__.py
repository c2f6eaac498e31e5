"""Long work in many processes: folders of cells that are whole or absent, workers, progress.

Nothing here knows what a cell is about."""
