"""x"""

from pathlib import Path


def write_report(root):
    return Path(root)
