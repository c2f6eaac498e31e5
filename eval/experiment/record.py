"""Whose folder it is: `study.json`, the design of a study with the hashes of all that it stands on."""

import json
from dataclasses import dataclass
from pathlib import Path

import ruleshift
from ruleshift.envs.compile import sources_digest
from ruleshift.envs.files import claim_folder
from ruleshift.eval.experiment.design import Design
from ruleshift.eval.experiment.references import shipped
from ruleshift.eval.jobs.folder import foreign

RECORD = "study.json"


@dataclass(frozen=True)
class Record:
    """What a study's folder says about itself."""

    version: str
    """Version of ruleshift that computes it."""
    kernel: str
    """Hash of the market's source."""
    design: Design
    references: dict[str, str]
    """References that came with the suite, by kind, rule and seed: their keys."""


def claim(root: Path, design: Design) -> None:
    """Write down that the folder is this study's, or refuse one that holds something else.

    Raises:
        ValueError: another design, another version, another market, or files that are no study's.
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
    """Read `study.json` of a study's folder.

    Raises:
        ValueError: no study there, or one that cannot be read.
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
