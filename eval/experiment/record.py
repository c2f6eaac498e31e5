"""The record of a study, `study.json`: its design, with the hashes of everything that its results depend on."""

import json
from dataclasses import dataclass
from pathlib import Path

import ruleshift
from ruleshift.envs.cache import sources_digest
from ruleshift.envs.files import claim_folder
from ruleshift.eval.experiment.design import Design
from ruleshift.eval.experiment.references import shipped
from ruleshift.eval.jobs.folder import foreign

RECORD = "study.json"
"""Name of the record's file in the folder of a study."""


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
    """Keys of the references that came with the suite, by kind, rule and seed in one string."""


def claim_study_folder(root: Path, design: Design) -> None:
    """Record that the folder belongs to this study, and refuse a folder that holds something else.

    Raises:
        ValueError: the folder holds a study of another design, version or market, or files of another kind.
    """
    record = {
        "version": ruleshift.__version__,
        "kernel": sources_digest(),
        "design": design.plain(),
        "references": _references(design),
        "rules": {rule.name: rule.hash for rule in design.scored},
        "hash": design.hash,
    }
    claim_folder(root, RECORD, record, what="study", foreign=foreign)


def read_record(root: Path) -> Record:
    """Read the record in a study's folder.

    Raises:
        ValueError: there is no study in the folder, or its record cannot be read.
    """
    path = root / RECORD
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
        return Record(held["version"], held["kernel"], Design.from_plain(held["design"]), held["references"])
    except OSError:
        raise ValueError(f"{root}: holds no study (there is no {RECORD})") from None
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: not the record of a study: {error}") from None


def _references(design: Design) -> dict[str, str]:
    return {
        f"{kind} {rule.name} {seed}": path.name
        for kind in ("native", "best_reply")
        for rule in design.scored
        for seed, path in shipped(kind, design, rule.name).items()
    }
