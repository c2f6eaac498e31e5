"""Whose folder it is: `study.json`, the configuration of a study with the hashes of all that it stands on."""

import json
from dataclasses import dataclass
from pathlib import Path

import ruleshift
from ruleshift.eval.cells import write_text
from ruleshift.eval.preset import Preset

_OWN = (".lock", ".workers")


@dataclass(frozen=True)
class Record:
    """What a study's folder says about itself."""

    asked: str
    """Preset as it was asked for: a name or a path."""
    version: str
    """Version of ruleshift that computes it."""
    preset: Preset


def claim(root: Path, preset: Preset, asked: str) -> None:
    """Write down that the folder is this study's, or refuse one that holds something else.

    Raises:
        ValueError: another configuration, another version, or files that are no study's.
    """
    if (root / "study.json").exists():
        held = read_record(root)
        difference = _difference(held, preset)
        if difference:
            raise ValueError(f"{root}: holds another study ({difference}); choose another folder")
    elif any(each.name not in _OWN and not each.name.startswith(".partial-") for each in root.iterdir()):
        raise ValueError(f"{root}: is not empty and holds no study; choose another folder")
    else:
        record = {
            "asked": asked,
            "version": ruleshift.__version__,
            "hash": preset.hash,
            "rules": {rule.name: rule.hash for rule in preset.targets},
            "structure": preset.structure_hash,
            "economy": preset.economy.hash,
            "configuration": preset.plain(),
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
        return Record(held["asked"], held["version"], Preset.from_plain(held["configuration"]))
    except OSError:
        raise ValueError(f"{root}: holds no study (there is no study.json)") from None
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: not the record of a study: {error}") from None


def _difference(held: Record, preset: Preset) -> str:
    if held.version != ruleshift.__version__:
        return f"computed by version {held.version}, this is {ruleshift.__version__}"
    before, now = held.preset.plain(), preset.plain()
    changed = [key for key in now if before[key] != now[key]]
    return f"its {' and '.join(changed)} differ from what is asked now" if changed else ""
