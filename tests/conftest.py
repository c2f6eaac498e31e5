"""What pytest must know before it collects."""

collect_ignore = ["outside_lists.py"]  # a module of somebody's own: importing it adds to every list of the suite
