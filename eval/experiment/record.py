"""Whose folder it is: `study.json`, the design of a study with the hashes of all that it stands on."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import ruleshift
from ruleshift.envs.compile import sources_digest
from ruleshift.eval.experiment.design import Design
from ruleshift.eval.experiment.references import shipped
from ruleshift.eval.jobs.folder import write_text

_OWN = (".lock", ".workers")


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
    own = Record(ruleshift.__version__, sources_digest(), design, _references(design))
    if (root / "study.json").exists():
        difference = _difference(read_record(root), own)
        if difference:
            raise ValueError(f"{root}: holds another study ({difference}); choose another folder")
    elif any(each.name not in _OWN and not each.name.startswith(".partial-") for each in root.iterdir()):
        raise ValueError(f"{root}: is not empty and holds no study; choose another folder")
    else:
        record = {
            "version": own.version,
            "kernel": own.kernel,
            "hash": design.hash,
            "rules": {rule.name: rule.hash for rule in design.scored},
            "references": own.references,
            "design": design.plain(),
        }
        write_text(root / "study.json", json.dumps(record, indent=1) + "\n")


def read_record(root: Path) -> Record:
    """Read `study.json` of a study's folder.

    Raises:
        ValueError: no study there, or one that cannot be read.
    """
    path = root / "study.json"
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
        return Record(held["version"], held["kernel"], Design.from_plain(held["design"]), held["references"])
    except OSError:
        raise ValueError(f"{root}: holds no study (there is no study.json)") from None
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: not the record of a study: {error}") from None


def _references(design: Design) -> dict[str, str]:
    return {
        f"{kind} {rule.name} {seed}": path.name
        for kind in ("native", "best_reply")
        for rule in design.scored
        for seed, path in shipped(kind, design, rule.name).items()
    }


def _difference(held: Record, own: Record) -> str:
    if held.version != own.version:
        return f"computed by version {held.version}, this is {own.version}"
    if held.kernel != own.kernel:
        return f"computed by the market of hash {held.kernel}, this is {own.kernel}"
    before, now = asdict(held.design.preset), asdict(own.design.preset)
    changed = [key for key in now if before[key] != now[key]]
    if changed:
        return f"its {' and '.join(changed)} differ from what is asked now"
    content = [key for key, value in own.design.plain().items() if held.design.plain()[key] != value]
    if content:
        return f"the content of its {' and '.join(content)} differs from what is there now"
    return "other references come with the suite now" if held.references != own.references else ""
