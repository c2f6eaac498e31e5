"""What was found, in words, by code: every sentence follows from verdicts and numbers, whichever way they come out."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ruleshift.eval.claims import CLAIMS
from ruleshift.eval.claims.adaptation import CONSTANT, LEAST_MOVE, conduct_moves
from ruleshift.eval.claims.break_even import CASES, break_even, cases
from ruleshift.eval.claims.claim import (
    CONTRADICTED,
    GENERALIST,
    MARGIN,
    NO_DIFFERENCE,
    SPECIALIST,
    SUPPORTED,
    UNDECIDED,
    Verdict,
    share_in_words,
)
from ruleshift.eval.claims.competence import INCOMPETENT, LEAST, competence
from ruleshift.eval.claims.economies import flip
from ruleshift.eval.claims.head_start import THRESHOLD
from ruleshift.eval.report.findings import Findings
from ruleshift.eval.report.names import count, field_label, label, listed, number, percent
from ruleshift.eval.statistics import Interval


@dataclass(frozen=True)
class Answer:
    """A question of the first screen, the verdict on the claim behind it, and what was found."""

    claim: str
    question: str
    word: str
    text: str


def headline(findings: Findings) -> str:
    """The answer to the main question in one sentence."""
    verdict = findings.verdicts["transfer"]
    if verdict.word == UNDECIDED and findings.unfit:
        return "No answer at this budget: the organizations had not learned enough to be compared."
    return {
        SUPPORTED: "Organizations trained on many rules do better once the rule has changed.",
        CONTRADICTED: "Organizations trained on one rule do better once the rule has changed: the claim is reversed.",
        NO_DIFFERENCE: "Once the rule has changed, it makes no material difference whether organizations were trained "
        "on many rules or on one.",
        UNDECIDED: "This study cannot tell who does better once the rule has changed.",
    }[verdict.word]


def answers(findings: Findings) -> list[Answer]:
    """The first screen: one answer a registered claim."""
    asked: dict[str, tuple[str, Callable[[Findings], str]]] = {
        "transfer": ("Who does better after the rule has changed?", after_the_shift),
        "adaptation": ("Is that adaptation?", adaptation),
        "head_start": ("Did the specialists learn faster?", head_start),
        "break_even": ("How often must rules change for variety to pay?", how_often),
        "economies": ("Does it hold in every economy?", economies),
    }
    return [Answer(name, asked[name][0], findings.verdicts[name].word, asked[name][1](findings)) for name in CLAIMS]


def competent(findings: Findings) -> str:
    """The warning that goes first; empty where both arms of the primary contrast pass the gate."""
    if not findings.unfit:
        return ""
    parts = [text for arm in (GENERALIST, SPECIALIST) if (text := _failing(findings, arm))]
    return (
        f"{listed(parts).capitalize()}. At least {percent(LEAST)} of the way from scripted organizations to the best "
        "reply is needed on every rule that they trained on. So nothing is concluded about what they do on other "
        "rules; a larger budget may show more."
    )


def _failing(findings: Findings, arm: str) -> str:
    shares = competence(findings.returns, arm)
    failed = ~(shares >= LEAST)
    if not failed.any():
        return ""
    worst = "no scale to measure on" if np.isnan(shares).any() else f"{percent(float(shares.min()))} at worst"
    return f"the {label(arm)} is {INCOMPETENT} on {failed.sum()} of its {count(len(shares), 'training rule')} ({worst})"


def after_the_shift(findings: Findings) -> str:
    """Who does better, by how much, how sure."""
    verdict = findings.verdicts["transfer"]
    found = verdict.measure
    if found is None:
        return _untold(verdict)
    way = "of the way"
    if verdict.word == UNDECIDED and findings.unfit:
        by = f"{percent(abs(found.estimate))} {way} ({_interval(found, found.estimate < 0)})"
        return _measured(findings, f"The generalist earns {_more(found.estimate)} than the specialist, by {by}.")
    if verdict.word == NO_DIFFERENCE:
        return (
            f"Neither: the generalist's return less the specialist's is {percent(found.estimate, signed=True)} {way} "
            f"({_interval(found)}), and less than {percent(MARGIN)} either way counts as none."
        )
    if verdict.word == UNDECIDED:
        return (
            f"Not to be told: the generalist's return less the specialist's is {percent(found.estimate, signed=True)} "
            f"{way}, but anything from {_ends(found)} would fit what was seen ({_level()})."
        )
    return (
        f"The {'generalist' if verdict.word == SUPPORTED else 'specialist'}: trained on "
        f"{'many rules' if verdict.word == SUPPORTED else 'one rule'}, it earns more while both go on learning under "
        f"the new rule, by {percent(abs(found.estimate))} {way} ({_interval(found, verdict.word == CONTRADICTED)})."
    )


def adaptation(findings: Findings) -> str:
    """Whether what the generalist gains is adaptation, and what an unmoved conduct earns."""
    verdict = findings.verdicts["adaptation"]
    return f"{_adapts(findings, verdict)} {_unmoved(findings)}".strip()


def _adapts(findings: Findings, verdict: Verdict) -> str:
    if findings.verdicts["transfer"].word != SUPPORTED:
        return "No advantage is established, so there is none to explain."
    if verdict.word == UNDECIDED and verdict.measure is None:
        return _untold(verdict)
    if verdict.numbers.get("conduct_moves", 1.0) < LEAST_MOVE:
        return "No, this is not adaptation: its conduct is one and the same under all rules."
    name = min(verdict.intervals, key=lambda each: verdict.intervals[each].low)
    least, control = verdict.intervals[name], _control(name)
    if verdict.word == SUPPORTED:
        controls = listed([_control(each) for each in verdict.intervals])
        return (
            f"Yes, as far as this study can show: under rules that it never met the generalist beats {controls}, and "
            "it behaves differently under different rules."
        )
    if verdict.word == CONTRADICTED:
        return f"No, this is not adaptation: {control}, which cannot do what is claimed, does no worse."
    if verdict.word == NO_DIFFERENCE:
        return f"No, this is not adaptation of any weight: {control} does as well, within {percent(MARGIN)} of the way."
    if failures := _failing_controls(findings):
        return f"Not to be told: {failures}."
    return f"Not to be told: it is not sure to beat {control} (a difference of {_ends(least)}, {_level()})."


def _failing_controls(findings: Findings) -> str:
    from ruleshift.eval.claims.adaptation import CENTRAL, WITHOUT_MEMORY

    return listed([text for arm in (CENTRAL, WITHOUT_MEMORY) if (text := _failing(findings, arm))] or [""])


def _control(name: str) -> str:
    return {
        CONSTANT: "the best conduct that never reacts",
        "central+memory": "a specialist of the most typical rule",
        "randomized": "itself without a memory",
    }.get(name, name)


def _unmoved(findings: Findings) -> str:
    """What a conduct that never reacts earns at held-out rules, beside the generalist."""
    own = findings.returns
    scale = float((own.best_reply - own.floor).mean())
    if scale <= 0 or GENERALIST not in own.adapted:
        return ""
    constant = float((own.constant - own.floor).mean()) / scale
    generalist = float(own.adapted[GENERALIST].mean() - own.floor.mean()) / scale
    what = ", ".join(f"{part} {value:.2g}" for part, value in findings.constant.items())
    text = (
        f"A conduct that never reacts ({what}; the best on the training rules) gets {percent(constant)} of the way "
        f"there, the generalist {percent(generalist)}."
    )
    if constant >= generalist:
        text += " So an untrained constant does as well or better, and beating a specialist would show nothing yet."
    return text


def head_start(findings: Findings) -> str:
    """Whether the specialists learned their rule faster, and how long it took."""
    verdict = findings.verdicts["head_start"]
    found = verdict.measure
    if found is None:
        return _untold(verdict)
    by = f"by {percent(abs(found.estimate))} of the way"
    text = {
        SUPPORTED: f"Yes: over the whole of training they stand higher on their home rule, {by} ({_interval(found)}).",
        CONTRADICTED: "No, the reverse: on the specialists' own home rule the generalist stands higher over the whole "
        f"of training, {by} ({_interval(found, True)}).",
        NO_DIFFERENCE: f"No: there is no material difference on their home rule ({_ends(found)}, {_level()}).",
        UNDECIDED: f"Not to be told: on their home rule they stand {_higher(found.estimate)} {by} over the whole of "
        f"training, and anything from {_ends(found)} would fit ({_level()}).",
    }[verdict.word]
    if verdict.word == UNDECIDED and (failing := _failing(findings, SPECIALIST)):
        text = f"No verdict: {failing}. As measured, they stand {_higher(found.estimate)} {by} over all of training."
    return f"{text} {_times(verdict)}"


def _times(verdict: Verdict) -> str:
    """When each arm had learned the home rules."""
    names = {SPECIALIST: "the specialists", GENERALIST: "the generalist"}
    times = {who: verdict.intervals[f"steps to threshold, {arm}"].estimate for arm, who in names.items()}
    when = [f"{who} {f'after {time:,.0f} steps' if np.isfinite(time) else 'never'}" for who, time in times.items()]
    if not any(np.isfinite(time) for time in times.values()):
        return f"Neither got {percent(THRESHOLD)} of the way within the budget."
    return f"{percent(THRESHOLD)} of the way were gone by {' and by '.join(when)}."


def how_often(findings: Findings) -> str:
    """The break-even share of rounds under changed rules, in words, and how sure it is."""
    verdict = findings.verdicts["break_even"]
    if verdict.measure is None:
        return _untold(verdict)
    loss, gain = (verdict.intervals[name].estimate for name in ("loss at home", "gain away"))
    case = CASES[cases(np.array([[loss, gain]]))[0]]
    share = percent(break_even(loss, gain))
    text = {
        "always": "However rarely rules change, the generalist is the better choice: it loses nothing at home.",
        "never": "However often rules change, the specialist is the better choice: the generalist gains nothing away.",
        "between": f"If less than {share} of rounds are played under changed rules, the specialist is the better "
        "choice; above that, the generalist.",
        "reversed": f"The reverse of what one expects: the generalist gains at home and loses away, so that it is the "
        f"better choice only if less than {share} of rounds are played under changed rules.",
    }[case]
    return f"{_measured(findings, text)} {_sure_from(verdict)}"


def _sure_from(verdict: Verdict) -> str:
    sure, parts = verdict.numbers, []
    for word, who in (("pays", "the generalist"), ("costs", "the specialist")):
        low, high = (sure.get(f"surely_{word}_{end}") for end in ("from", "to"))
        if low is not None and high is not None:
            parts.append(f"{who} where {percent(low)} to {percent(high)} of rounds are under changed rules")
    if not parts:
        return f"At no share is either surely better ({_level()})."
    return f"Surely better ({_level()}) is {listed(parts)}."


def economies(findings: Findings) -> str:
    """In how many economies each is ahead, the worst of them, and where the sign flips."""
    verdict = findings.verdicts["economies"]
    if not verdict.numbers:
        return _untold(verdict)
    numbers, total = verdict.numbers, len(verdict.intervals)
    ahead, behind, surely_ahead, surely_behind = (
        round(numbers[f"share_{name}"] * total) for name in ("ahead", "behind", "surely_ahead", "surely_behind")
    )
    text = (
        f"The generalist is ahead in {ahead} of {count(total, 'economy')} ({surely_ahead} of them surely) and behind "
        f"in {behind} ({surely_behind} surely). In the worst tenth its lead is "
        f"{percent(numbers['worst_decile'], signed=True)} of the way."
    )
    return f"{_measured(findings, text)} {where_it_flips(findings)}".strip()


def where_it_flips(findings: Findings) -> str:
    """The field of the economy that best tells where the generalist is ahead; empty where the sign never changes."""
    verdict = findings.verdicts["economies"]
    delta = np.array([each.estimate for each in verdict.intervals.values()])
    found = flip(delta, findings.returns.economies) if len(delta) else None
    if found is None:
        return ""
    side = "above" if found.ahead_above else "below"
    sure = "" if found.chance <= 0.05 else f", though chance alone does as well in {percent(found.chance)} of cases"
    return f"Where it flips is told best by {field_label(found.field)}: it is ahead {side} {found.cut:.3g}{sure}."


def what_was_compared(findings: Findings) -> str:
    """The sentence under the headline: what a specialist and a generalist are, and what is measured."""
    homes, targets, _, _, _ = findings.returns.sizes
    one, new = (f"one of {number} rules" if number > 1 else "one rule" for number in (homes, targets))
    phase = share_in_words(findings.design.preset.adaptation)
    return (
        f"Specialists were trained on {one}, the generalist on many; then the platform changed to {new} that neither "
        f"had met, and both went on learning there for {phase} of their training. What they earn is placed on the way "
        f"from simple scripted organizations ({percent(0)}) to a best reply ({percent(1)})."
    )


def what_intervals_cover(findings: Findings) -> str:
    """What was resampled, and what the intervals do not speak of."""
    names = ("home rule", "target rule", "training seed", "panel", "economy")
    sizes = dict(zip(names, findings.returns.sizes, strict=True))
    varied = [count(size, name) for name, size in sizes.items() if size > 1]
    fixed = [name for name, size in sizes.items() if size == 1]
    text = f"Intervals resample {listed(varied)}, all crossed." if varied else "Nothing varies: no interval is known."
    return text + (f" With one {listed(fixed)}, they do not speak of others." if fixed else "")


def what_it_could_find(findings: Findings) -> str:
    """The power of a study of this size, stated whatever was found."""
    parts = [
        f"{percent(each.shares[SUPPORTED])} of cases where it is {percent(each.effect)}"
        for each in findings.power
        if each.effect > 0
    ]
    return (
        "As stated before it ran, from the components of variance of a first run of quick: a study of this size has an "
        f"interval of about ±{percent(findings.power[0].half_width)}, and calls a true advantage supported in "
        f"{listed(parts)}. So “undecided” from a small study is no sign that there is nothing to find."
    )


def limits(findings: Findings) -> list[str]:
    """What does not follow from this study."""
    preset = findings.design.preset
    return [
        f"{what_intervals_cover(findings)} They speak of rules and economies like these; how such intervals cover was "
        "measured by simulation, under various components of variance.",
        f"The best reply is a learner with {preset.best_reply_steps:,} agent-steps, not an optimum; natives have "
        f"{preset.native_steps:,}. Shares of the way mean little where these learned little.",
        "One organization is scored in each market, and the others neither learn nor react beyond their policies: what "
        "happens when all of them adapt is not asked here.",
        "That cost falls with experience and that quality rises with effort is built into the market.",
        "Everything is simulated, and rules stylize platforms. No figure here forecasts a market.",
    ]


def moves(findings: Findings) -> str:
    """How much the generalist's late conduct differs between rules."""
    if GENERALIST not in findings.returns.conduct:
        return ""
    moved = conduct_moves(findings.returns.conduct[GENERALIST])
    least = "enough" if moved >= LEAST_MOVE else "too little"
    return (
        f"Between held-out rules the part of the generalist's late conduct that differs most has a standard deviation "
        f"of {number(moved)} beyond noise; {LEAST_MOVE:g} is required of adaptation, so that is {least}."
    )


def _measured(findings: Findings, text: str) -> str:
    """The text, set apart as a measurement that no verdict follows from where an arm is not competent."""
    if not findings.unfit:
        return text
    return f"No verdict, for the reason above. As measured, {text[0].lower()}{text[1:]}"


def _untold(verdict: Verdict) -> str:
    return f"Not to be told: {verdict.reason}."


def _more(value: float) -> str:
    return "more" if value >= 0 else "less"


def _higher(value: float) -> str:
    return "higher" if value >= 0 else "lower"


def _level() -> str:
    return "95 % interval"


def _ends(found: Interval) -> str:
    return f"{percent(found.low, signed=True)} to {percent(found.high, signed=True)}"


def _interval(found: Interval, turned: bool = False) -> str:
    """The interval, of the difference the other way round where the sentence is."""
    low, high = (-found.high, -found.low) if turned else (found.low, found.high)
    return f"{_level()}: {percent(low)} to {percent(high)}"
