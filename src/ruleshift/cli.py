"""The command line. Commands are dataclasses and their fields the options; imports happen when a command runs."""

import importlib
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro
from tyro.conf import Positional, arg, subcommand

import ruleshift
from ruleshift.streams import TRACEBACK, discard, one_line, open_streams, unfailing_output

if TYPE_CHECKING:
    from ruleshift.envs import Market

RuleArgument = Positional[Annotated[str, arg(metavar="RULE")]]
ScenarioArgument = Positional[Annotated[str, arg(metavar="SCENARIO")]]
FolderArgument = Positional[Annotated[Path, arg(metavar="FOLDER")]]

FAILED, MISTAKE, INTERRUPTED, UNREAD = 1, 2, 130, 141
_DESCRIPTION = """Learning organizations in an algorithmic market whose matching rule changes.

The first command that plays compiles the market, once for each version; `ruleshift warm-up` does it in advance.
`ruleshift --version` prints the version. The exit status is 0 on success, 1 if a known answer fails, 2 after a mistake
and 130 after Ctrl-C.
"""


@dataclass(frozen=True)
class Train:
    """Train a policy on one rule (arm `fixed`) or on a structure, a distribution over rules (arm `randomized`).

    The other arms are `fixed+nuisance`, `central` (the one rule nearest to all that a structure trains), `aware` (the
    rules of a structure, disclosed), `noticed` (whose rule also changes in mid-episode), `schema` (which names the
    rule's features and acts on them) and `distilled` (which learns from `aware`, trained for half of the steps). In
    `replay`, `prioritised`, `learnability` and `edits`, a curriculum chooses the rules of a structure while the arm
    learns. NAME`+memory` remembers the whole episode, and NAME`+recurrent` has an LSTM, which needs sb3-contrib. All
    arms except `fixed` meet many economies and rivals. A scenario can take the place of a rule: the arm trains on its
    first rule and, if it is `fixed`, in its economy.

    Half of the seats learn with one shared policy, and scripted organizations hold the others. The policy
    (policy.safetensors, policy.json) and TensorBoard logs are written to the folder OUT. If an interrupted run is
    started again with the same options, it continues and ends with the same weights.
    """

    rule: RuleArgument
    """Name of a rule or a scenario, or of a structure for arms that train on one; or the path of its .toml file."""
    out: Path
    """Folder of the run."""
    arm: Annotated[str, arg(metavar="NAME")] = "fixed"
    """What the policy learns on."""
    steps: int = 1_000_000
    """Agent-steps of training."""
    seed: int = 0
    """Seed of the markets and the learner, 0 to 2**32 - 1."""
    mechanisms: tuple[str, ...] = ()
    """Your own mechanisms that rules name, as module:function."""

    def run(self) -> None:
        from ruleshift.train import TrainingPlan, train, variant

        arm = variant(self.arm).arm
        home: dict[str, Any] = {"rule": self.rule}
        if arm.trains_on == "home":
            home = _find(self.rule)
            home.pop("schedule", None)
            if arm.nuisance:
                home.pop("economy", None)
        options = {name: getattr(self, name) for name in ("arm", "steps", "seed", "mechanisms")}
        train(TrainingPlan(**home, **options), self.out)
        print(f"policy: {self.out}")


@dataclass(frozen=True)
class Evaluate:
    """Score a policy in one seat among frozen rivals, with and without a change of the rule.

    The shifted market and its unshifted twin share all noise, so they differ only by what the change does.
    """

    policy: FolderArgument
    """Folder of a trained policy."""
    rule: str = "price_board"
    """Rule that the market starts with: a name or the path of a .toml file."""
    shift_to: str | None = None
    """Rule that it changes to; if left out, the rule stays."""
    at: int = 50
    """Rounds played before the change. If the rule stays, the rounds before and after are given apart all the same."""
    markets: int = 64
    """Markets to average over."""
    seed: int = 1_000_000
    """Seed of the markets; use one that the policy was not trained on."""
    deterministic: bool = False
    """Play mean actions instead of sampled ones."""
    mechanisms: tuple[str, ...] = ()
    """Your own mechanisms that rules name, as module:function."""

    def run(self) -> None:
        from ruleshift.eval import evaluate

        options = {name: value for name, value in vars(self).items() if name not in ("policy", "rule")}
        print(evaluate(self.policy, self.rule, **options))


@dataclass(frozen=True)
class _Computed:
    """Options of the commands that compute what a preset asks."""

    preset: str
    """Name of a preset, or the path of a study's .toml file."""
    out: Path
    """Folder to work in; an interrupted run that is started again continues there."""
    mechanisms: tuple[str, ...] = ()
    """Your own mechanisms that the study file names, as module:function; none runs that is not named here."""
    extensions: tuple[str, ...] = ()
    """Your own modules that the study file names; none is imported that is not named here."""
    recompute: bool = False
    """Compute anew what is in the folder but is not what was computed."""
    workers: int | None = None
    """Processes, one core each; by default, and for -1, one per core that may be used; 0 computes in this process."""
    ray: str | None = None
    """Address of a Ray cluster to compute on, such as auto, in place of local processes."""


@dataclass(frozen=True)
class Study(_Computed):
    """Train the arms, change the rule, judge the claims, and write report.html and results.csv.

    An interrupted study that is started again continues where it stopped and ends with the same results.
    """

    preset: str = "quick"
    out: Path = Path("results/quick")

    def run(self) -> None:
        from ruleshift.eval import study

        print(f"report: {study(self.preset, **_given(self, 'preset'))}")


@dataclass(frozen=True)
class References(_Computed):
    """Train the natives and best replies that a preset needs and that the suite lacks, and add them to it.

    They are the frozen panel and the scale of every study. A study trains by itself any that are missing.
    """

    preset: str = "standard"
    out: Path = Path("results/references")

    def run(self) -> None:
        from ruleshift.eval import make_references

        made = make_references(self.preset, **_given(self, "preset"))
        print("\n".join(made) if made else "no reference is missing")


@dataclass(frozen=True)
class Report:
    """Rewrite report.html from the cells of a finished study."""

    folder: FolderArgument
    """Folder of the study."""
    mechanisms: tuple[str, ...] = ()
    """Your own mechanisms that the study names, as module:function; none runs that is not named here."""
    extensions: tuple[str, ...] = ()
    """Your own modules that the study names; none is imported that is not named here."""

    def run(self) -> None:
        from ruleshift.eval import write_report

        print(f"report: {write_report(self.folder, **_given(self, 'folder'))}")


@dataclass(frozen=True)
class ListClaims:
    """List the claims with their ids; each is registered with its measure and thresholds before it is run."""

    extensions: tuple[str, ...] = ()
    """Modules of your own that register further claims."""

    def run(self) -> None:
        from ruleshift.eval.claims import CLAIMS
        from ruleshift.eval.extensions import load_extensions

        load_extensions(self.extensions)
        width = max(map(len, CLAIMS))
        for claim in CLAIMS.values():
            print(f"{claim.id:<{width}}  {claim.statement}")


@dataclass(frozen=True)
class ShowClaim:
    """Print a claim as it is registered: the argument, the measure, the thresholds, and what settles it beforehand."""

    claim: Positional[Annotated[str, arg(metavar="CLAIM")]]
    """Id of the claim."""
    extensions: tuple[str, ...] = ()
    """Modules of your own that register further claims."""

    def run(self) -> None:
        from ruleshift.eval.claims import asked
        from ruleshift.eval.experiment.preset import Preset
        from ruleshift.eval.extensions import load_extensions

        load_extensions(self.extensions)
        (claim,) = asked([self.claim]).values()
        print(f"{claim.question}\n{claim.statement}\n")
        rows = {
            "the argument": f"\N{LEFT DOUBLE QUOTATION MARK}{claim.essay}\N{RIGHT DOUBLE QUOTATION MARK}",
            "setting": claim.setting_of(Preset().adaptation),
            "measure": claim.measure,
            "thresholds": claim.thresholds,
            "by construction": claim.by_construction or "nothing: the model does not settle the sign",
            "protocols": ", ".join(claim.protocols) or "those of every study",
        }
        for name, text in rows.items():
            print(f"{name}: {text}")


@dataclass(frozen=True)
class RunClaims(_Computed):
    """Run a study that asks claims, print the verdicts, and write its report and a page for each claim.

    An interrupted run that is started again continues where it stopped and ends with the same results.
    """

    preset: str = "claims_quick"
    out: Path = Path("results/claims")
    only: tuple[str, ...] = ()
    """Ids of the claims to ask; by default those that the preset names."""

    def run(self) -> None:
        from ruleshift.eval import run_claims

        print(run_claims(self.preset, **_given(self, "preset")))


@dataclass(frozen=True)
class Claims:
    """List, show or run the claims of the argument that the suite puts to the test."""

    command: (
        Annotated[ListClaims, subcommand("list")]
        | Annotated[ShowClaim, subcommand("show")]
        | Annotated[RunClaims, subcommand("run")]
    )

    def run(self) -> None:
        self.command.run()


@dataclass(frozen=True)
class Validate:
    """Compare the market with every known answer, and write validation.html and validation.csv.

    The exit status is 1 if an answer fails. An interrupted validation that is started again continues with what is
    missing.
    """

    out: Path = Path("results/validation")
    """Folder of the validation."""
    only: tuple[str, ...] = ()
    """Ids of the answers to ask for; by default all of them."""
    extensions: tuple[str, ...] = ()
    """Modules of your own that register further answers."""
    listing: Annotated[bool, arg(name="list")] = False
    """Only print the answers, with their ids and rough times on one core."""
    recompute: bool = False
    """Measure anew what is in the folder but is not what was measured."""
    workers: int | None = None
    """Processes, one core each; by default at most two, -1 for all that may be used, 0 to measure in this process."""
    ray: str | None = None
    """Address of a Ray cluster to compute on, such as auto, in place of local processes."""

    def run(self) -> int:
        from ruleshift.eval.extensions import load_extensions
        from ruleshift.eval.known_answers import ANSWERS

        load_extensions(self.extensions)
        if self.listing:
            if self != Validate(listing=True, extensions=self.extensions):
                raise ValueError("--list goes with --extensions alone: it lists all answers and measures none")
            width = max(map(len, ANSWERS))
            for answer in ANSWERS.values():
                print(f"{answer.id:<{width}}  {answer.seconds:>3.0f} s  {answer.title}")
            return 0
        return self._validate()

    def _validate(self) -> int:
        from ruleshift.eval import validate

        found = validate(**_given(self, "listing"))
        print(f"{len(found.results) - len(found.failed)} of {len(found.results)} known answers hold")
        if found.failed:
            print(f"failed: {', '.join(found.failed)}")
        print(f"report: {found.report}")
        return FAILED if found.failed else 0


@dataclass(frozen=True)
class Check:
    """Check a PettingZoo parallel environment, and list all that is wrong with it.

    Whole episodes are played many times, each time with another disturbance, and compared. What only a market of
    organizations promises is checked where the environment is one; what could not be checked is named with the reason.
    The exit status is 1 if anything is wrong.
    """

    environment: Positional[Annotated[str, arg(metavar="MODULE:FACTORY")]]
    """A function or class that makes the environment, such as ruleshift.envs.market_v0:parallel_env."""
    episodes: int = 2
    """Episodes in each play."""
    rounds: int = 200
    """Rounds after which an episode is left if it has not ended."""
    seed: int = 0
    """Seed of the environment and of the actions."""
    only: tuple[str, ...] = ()
    """Names of the checks to make; by default all."""

    def run(self) -> int:
        from ruleshift.envs.checker import inspect_market

        report = inspect_market(_imported(self.environment), **_given(self, "environment"))
        print(report)
        return FAILED if report.findings else 0


def _imported(place: str) -> Any:
    """Return the function or class at a place, `module:name`.

    Raises:
        ValueError: there is none; one line.
    """
    module, colon, name = place.partition(":")
    try:
        found = getattr(importlib.import_module(module), name) if colon else None
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"check: {place!r} cannot be imported ({error}); write module:factory") from None
    if not callable(found):
        raise ValueError(f"check: {place!r} is no function or class that makes an environment; write module:factory")
    return found


@dataclass(frozen=True)
class ListRules:
    """List the rules that come with the suite, with the kind of platform that each stylizes."""

    def run(self) -> None:
        from ruleshift.envs import list_rules, load_rule

        names = list_rules()
        width = max(map(len, names))
        for name in names:
            print(f"{name:<{width}}  {_first_sentence(load_rule(name).rationale)}")


@dataclass(frozen=True)
class ShowRule:
    """Print a rule as a TOML file. Redirect it to a file, edit it, and use the file's path in place of a name."""

    rule: RuleArgument
    """A name, or the path of a .toml file."""

    def run(self) -> None:
        from ruleshift.envs import load_rule

        print(load_rule(self.rule).to_toml(), end="")


@dataclass(frozen=True)
class CompareRules:
    """Say how two rules differ, what each rewards as measured, and how far apart they are. Takes seconds.

    What a rule rewards is measured by what 400 constant policies earn in one seat among scripted organizations.
    """

    first: RuleArgument
    """A name, or the path of a .toml file."""
    second: RuleArgument
    """A name, or the path of a .toml file."""
    picture: Path | None = None
    """Also draw what they reward side by side, into a file whose name ends in .png or .svg."""
    mechanisms: tuple[str, ...] = ()
    """Your own mechanisms that rules name, as module:function."""

    def run(self) -> None:
        from ruleshift.eval import compare_rules, save_picture
        from ruleshift.eval.compare.picture import check_picture

        check_picture(self.picture)
        comparison = compare_rules(self.first, self.second, mechanisms=self.mechanisms)
        print(comparison)
        if self.picture is not None:
            print(f"\npicture: {save_picture(comparison, self.picture)}")


@dataclass(frozen=True)
class Rules:
    """List, show or compare rules."""

    command: (
        Annotated[ListRules, subcommand("list")]
        | Annotated[ShowRule, subcommand("show")]
        | Annotated[CompareRules, subcommand("compare")]
    )

    def run(self) -> None:
        self.command.run()


@dataclass(frozen=True)
class ListScenarios:
    """List the scenarios that come with the suite, with the platform that each stylizes."""

    def run(self) -> None:
        from ruleshift.envs import list_scenarios, load_scenario

        scenarios = [load_scenario(name) for name in list_scenarios()]
        width = max(len(each.name) for each in scenarios)
        for each in scenarios:
            print(f"{each.name:<{width}}  stylizes {each.platform}. {_first_sentence(each.rationale)}")


@dataclass(frozen=True)
class ShowScenario:
    """Print a scenario as a TOML file, with figures and sources. Redirect it, edit it, and use the file's path."""

    scenario: ScenarioArgument
    """A name, or the path of a .toml file."""

    def run(self) -> None:
        from ruleshift.envs import load_scenario
        from ruleshift.envs.scenario import find_scenario

        load_scenario(self.scenario)
        print(find_scenario(self.scenario).read_text(encoding="utf-8"), end="")


@dataclass(frozen=True)
class RunScenario:
    """Play a scenario and its twin without the change of rule, and print how they differ, with standard errors."""

    scenario: ScenarioArgument
    """A name, or the path of a .toml file."""
    policy: Path | None = None
    """Folder of a trained policy, which takes half of the seats; scripted organizations hold the others."""
    markets: int = 64
    """Markets to average over."""
    seed: int = 1_000_000
    """Seed of the markets; use one that the policy was not trained on."""
    out: Path | None = None
    """Folder in which to write the table as SCENARIO.csv."""
    mechanisms: tuple[str, ...] = ()
    """Your own mechanisms that rules name, as module:function."""

    def run(self) -> None:
        from ruleshift.eval import run_scenario

        options = {name: value for name, value in vars(self).items() if name not in ("scenario", "out")}
        done = run_scenario(self.scenario, **options)
        print(done)
        if self.out is not None:
            print(f"table: {done.save(self.out)}")


@dataclass(frozen=True)
class Scenarios:
    """List, show or run scenarios: stylized platforms, each with a documented change of its rule."""

    command: (
        Annotated[ListScenarios, subcommand("list")]
        | Annotated[ShowScenario, subcommand("show")]
        | Annotated[RunScenario, subcommand("run")]
    )

    def run(self) -> None:
        self.command.run()


@dataclass(frozen=True)
class Play:
    """Watch a market in the terminal, or save it as an animation or as pictures."""

    rule: RuleArgument = "price_board"
    """Name of a rule, a structure or a scenario, or the path of its .toml file."""
    policy: Path | None = None
    """Folder of a trained policy, which takes half of the seats; scripted organizations hold the others."""
    shift_to: str | None = None
    """Rule that the market changes to in mid-episode, instead of a scenario's changes."""
    at: int | None = None
    """Rounds played before the change; by default half of the episode."""
    rounds: int | None = None
    """Length of the episode; by default the scenario's, or 100."""
    organizations: int | None = None
    """Seats in the market; by default the scenario's, or 8."""
    jobs: int | None = None
    """Jobs posted each round; by default the scenario's, or 8."""
    kinds: int | None = None
    """Kinds of job; by default the scenario's, or 3."""
    seed: int = 0
    """Seed of the market, 0 to 2**32 - 1."""
    pause: float | None = None
    """Seconds between rounds; by default 0.2."""
    save: Path | None = None
    """Save instead of showing: a file whose name ends in .gif, or a folder for PNG frames, whose name has no suffix."""
    mechanisms: tuple[str, ...] = ()
    """Your own mechanisms that rules name, as module:function."""

    def run(self) -> None:
        from ruleshift.envs.render import save_frames, save_gif

        pause = 0.2 if self.pause is None else self.pause
        self._check(pause)
        if self.save is None:
            for _ in self._shown("human"):
                time.sleep(pause)
        elif self.save.suffix == ".gif":
            print(save_gif(self._shown("rgb_array"), self.save, seconds=pause))
        else:
            print(save_frames(self._shown("rgb_array"), self.save))

    def _check(self, pause: float) -> None:
        if self.at is not None and self.shift_to is None:
            raise ValueError(f"--at {self.at} says when the rule changes; say with --shift-to to which rule")
        if not 0 <= pause < 3600:
            raise ValueError(f"--pause is {pause:g}; it must be a number of seconds from 0")
        if self.save is None or self.save.suffix == ".gif":
            return
        if self.save.suffix and not self.save.is_dir():
            raise ValueError(
                f"--save {self.save}: there are no {self.save.suffix} files here; give a name that ends in .gif, or a "
                "folder for PNG frames, whose name has no suffix"
            )
        if self.pause is not None:
            raise ValueError("--pause has no meaning for PNG frames; leave it out, or save a .gif")

    def _shown(self, mode: str) -> "Iterator[Any]":
        """Yield what the renderer returns before the first round and after each round."""
        import numpy as np

        from ruleshift.agents import Background, load_policy, seat_everyone
        from ruleshift.envs.render import Renderer
        from ruleshift.envs.scene import Ended

        market = self._market()
        policy = None if self.policy is None else load_policy(self.policy)
        background = Background(seat_everyone(market.economy, policy), 1)
        renderer = Renderer(mode)
        observations = market.reset(seed=self.seed)
        yield renderer.draw(market)
        actions = np.zeros((1, market.organizations, market.action_size), np.float32)
        while market.last_observations is None:
            background.act(observations, actions, market.key, round=market.round, episode=market.episode)
            rule = market.rule_in_force()
            observations, _, _ = market.step(actions)
            over = market.last_observations
            yield renderer.draw(market, ended=None if over is None else Ended(rule, over[0]))
        renderer.close()

    def _market(self) -> "Market":
        from ruleshift.envs import Economy, Market, Shift

        found = _find(self.rule)
        economy, schedule = found.get("economy", Economy()), found.get("schedule", ())
        sizes = {name: getattr(self, name) for name in ("organizations", "jobs", "kinds", "rounds")}
        economy = replace(economy, **{name: size for name, size in sizes.items() if size is not None})
        if self.shift_to is not None:
            at = economy.rounds // 2 if self.at is None else self.at
            schedule = (Shift(at=at, to=self.shift_to),)
        return Market(found["rule"], economy=economy, schedule=schedule, mechanisms=self.mechanisms)


@dataclass(frozen=True)
class WarmUp:
    """Compile the market and all mechanisms, so that no later process has to.

    This takes a few minutes, or a second if everything is compiled already. Run it once before many processes start at
    the same time, and when an image of a container is built. What is compiled is kept in $XDG_CACHE_HOME/ruleshift, by
    default ~/.cache/ruleshift.
    """

    def run(self) -> None:
        from ruleshift.agents import warm_up

        warm_up()
        print("everything is compiled")


Command = (
    Annotated[Train, subcommand("train")]
    | Annotated[Evaluate, subcommand("evaluate")]
    | Annotated[Study, subcommand("study")]
    | Annotated[References, subcommand("references")]
    | Annotated[Report, subcommand("report")]
    | Annotated[Claims, subcommand("claims")]
    | Annotated[Validate, subcommand("validate")]
    | Annotated[Rules, subcommand("rules")]
    | Annotated[Scenarios, subcommand("scenarios")]
    | Annotated[Play, subcommand("play")]
    | Annotated[Check, subcommand("check")]
    | Annotated[WarmUp, subcommand("warm-up")]
)


def parse(arguments: Sequence[str] | None = None) -> Any:
    """Return the command that the arguments (by default those of the process) name; exit with 2 if they are wrong."""
    given = sys.argv[1:] if arguments is None else arguments
    if list(given) == ["--version"]:
        print(f"ruleshift {ruleshift.__version__}")
        sys.exit(0)
    return tyro.cli(
        Command,  # type: ignore[arg-type]
        prog="ruleshift",
        description=_DESCRIPTION,
        args=given,
        config=(tyro.conf.OmitArgPrefixes, tyro.conf.OmitSubcommandPrefixes, tyro.conf.FlagCreatePairsOff),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status.

    It is 0 on success, 1 if a known answer fails, 2 after a user's mistake, 130 after Ctrl-C, and 141 if a market was
    shown to a program that did not read to the end. Of any other command the work goes on when nobody reads its output.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # small matrices: more threads only wait for each other
    os.environ["MPLBACKEND"] = "agg"  # nothing is shown in a window, and a notebook's backend may be missing here
    command: Any = None
    try:
        open_streams()
        command = parse(arguments)
        shown = isinstance(command, Play) and command.save is None
        with nullcontext() if shown else unfailing_output():
            status = _run(command)
            print(end="", flush=True)
        return status
    except KeyboardInterrupt:
        print(f"ruleshift: interrupted{_what_is_kept(command)}", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        discard(sys.stdout)
        return UNREAD
    except (ValueError, TypeError, ImportError, RuntimeError, OSError) as error:
        if os.environ.get(TRACEBACK):
            raise
        print(f"ruleshift: {one_line(error)}", file=sys.stderr)
        return MISTAKE


def _run(command: Any) -> int:
    """Run a command; modules that it names are found in the current folder, too, after everything installed."""
    options, path = vars(getattr(command, "command", command)), sys.path[:]
    if any(options.get(name) for name in ("mechanisms", "extensions", "environment")):
        sys.path.append(os.getcwd())
    try:
        return command.run() or 0
    finally:
        sys.path[:] = path


def _what_is_kept(command: Any) -> str:
    """Say how an interrupted command that leaves a folder goes on when it is started again; '' for other commands."""
    command = getattr(command, "command", command)
    if not isinstance(command, Train | Study | References | RunClaims | Validate):
        return ""
    kept = ("checkpoint.safetensors", "cells/*.json", "policies/*", "partial/**/checkpoint.safetensors")
    if any(True for pattern in kept for _ in command.out.glob(pattern)):
        return f"; the same command continues from what is saved in {command.out}"
    return " before anything was saved; the same command starts from the beginning"


def _given(command: Any, *but: str) -> dict[str, Any]:
    """The options of a command by name, but for some."""
    return {name: value for name, value in vars(command).items() if name not in but}


def _find(name: str) -> "dict[str, Any]":
    """Return the arguments of a market: the rule or structure and, for a scenario, also its economy and schedule."""
    from ruleshift.envs import load_scenario
    from ruleshift.envs.scenario import is_scenario
    from ruleshift.envs.structure import load_rule_or_structure

    return load_scenario(name).arguments() if is_scenario(name) else {"rule": load_rule_or_structure(name)}


def _first_sentence(text: str) -> str:
    return text.split(". ")[0].rstrip(".")


if __name__ == "__main__":
    sys.exit(main())
