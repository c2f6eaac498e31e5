"""The record of a study, `study.json`: its design, with the hashes of everything that its results depend on."""

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ruleshift
from ruleshift.envs.cache import sources_digest
from ruleshift.envs.files import read_json, refuse_links
from ruleshift.eval.experiment.design import Design
from ruleshift.eval.experiment.references import index, shipped
from ruleshift.eval.jobs.folder import Folder, claimed, digest_of

RECORD = "study.json"
"""Name of the record's file in the folder of a study."""
_KEYS = {"version": str, "kernel": str, "design": dict, "references": dict}


@dataclass(frozen=True)
class Record:
    """The content of a study's record."""

    version: str
    """Version of ruleshift that computes the study."""
    kernel: str
    """Hash of the market's source code."""
    design: Design
    """Design of the study."""
    references: dict[str, str]
    """Keys of the references that came with the suite, and digests of their weights, by kind, rule and seed."""


def claimed_study(root: Path, design: Design) -> AbstractContextManager[None]:
    """Own a folder for this study until the block ends, and record whose it is; a refused folder is left as it was.

    Raises:
        ValueError: the folder holds a study of another design, version or market, or files of another kind, or another
            process works in it.
    """
    return claimed(root, RECORD, record_of(design), what="study")


def study_folder(root: str | os.PathLike[str], design: Design) -> Folder:
    """Return the folder of results of a study that is computed here."""
    return Folder(root, digest_of(record_of(design)))


def record_of(design: Design) -> dict[str, Any]:
    """The record of a study that is computed here, as JSON holds it."""
    return {
        "version": ruleshift.__version__,
        "kernel": sources_digest(),
        "design": design.plain(),
        "references": _references(design),
        "rules": {rule.name: rule.hash for rule in design.scored},
        "hash": design.hash,
    }


def read_study(root: Path, *, mechanisms: Sequence[str] = (), extensions: Sequence[str] = ()) -> tuple[Record, Folder]:
    """Read the record in a study's folder, and return it with the folder of its results.

    Args:
        root: path of the folder.
        mechanisms: mechanisms of your own that the study may use.
        extensions: modules of your own that the study may use.

    Raises:
        ValueError: there is no study in the folder, its record cannot be read, or it names code that the arguments do
            not name.
    """
    path = root / RECORD
    if not path.exists():
        raise ValueError(f"{root}: holds no study (there is no {RECORD})")
    refuse_links(root)
    held = read_json(path)
    for key, kind in _KEYS.items():
        if not isinstance(held, dict) or not isinstance(held.get(key), kind):
            raise ValueError(f"{path}: not the record of a study: {key} is missing or malformed")
    design = Design.from_plain(held["design"], str(path), mechanisms=mechanisms, extensions=extensions)
    return Record(held["version"], held["kernel"], design, held["references"]), Folder(root, digest_of(held))


def _references(design: Design) -> dict[str, str]:
    return {
        f"{kind} {rule.name} {seed}": f"{path.name} {index()[path.name]['weights'][:16]}"
        for kind in ("native", "best_reply")
        for rule in design.scored
        for seed, path in shipped(kind, design, rule.name).items()
    }
