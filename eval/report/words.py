"""What was found, in words, by code: every sentence follows from the numbers alone, whichever way they come out."""

from collections.abc import Sequence

from ruleshift.eval.report.tables import Pair, Tables

COMPETENT = 0.5
"""Share of the native's return at home below which an arm counts as not competent at this budget."""


def summary(tables: Tables) -> str:
    """The one paragraph at the top."""
    if not tables.away:
        return "Every target lies inside the generalist's training support, so nothing is said about rules held out."
    pairs = tables.pairs(tables.away)
    wins, ties = _wins(pairs)
    shares = [f"the specialists {_percent(tables.share('fixed', tables.away))}"]
    if tables.best_constant:
        constant = _percent(tables.share(tables.best_constant, tables.away))
        shares.append(f"a conduct that never reacts (“{conduct(tables.best_constant)}”) {constant}")
    tied = f" ({ties} tied)" if ties else ""
    return (
        f"After a shift to a rule held out of training, the generalist earned more than the specialist in {wins} of "
        f"{len(pairs)} paired comparisons{tied}. The generalist earned "
        f"{_percent(tables.share('randomized', tables.away))} of what natives of those rules earn there, "
        f"{_and(shares)}. {_no_verdict(tables)}"
    )


def findings(tables: Tables) -> list[tuple[str, str]]:
    """Headings and what was found under each."""
    found = [("On the home rule", _home(tables)), ("Learning", _learning(tables))]
    if tables.away:
        found += [("On rules held out", _away(tables)), ("Against conduct that never reacts", _constant(tables))]
    found += [("Competence", _competence(tables)), ("Agreement of the seeds", _agreement(tables))]
    return found


def limits(tables: Tables) -> list[str]:
    """What does not follow from this study."""
    seeds, economy = len(tables.preset.seeds), tables.preset.economy
    return [
        f"{_no_verdict(tables)} No interval is given: {_count(seeds, 'seed')} cannot give one, and home rule, target "
        f"rule, seed, panel and economy would all have to be resampled.",
        "A policy that beats a specialist away from the specialist's home has not thereby adapted: a constant conduct "
        "can do the same. Adaptation would further ask that it beat the specialist of the most central rule, and "
        "itself without information on what changed.",
        "Policies are frozen: after the shift nobody goes on learning. A specialist that may learn could recover.",
        "The native is a specialist with the same budget as the arms, not a best reply; where natives learned little, "
        "shares of their return mean little.",
        f"One economy ({economy.organizations} organizations, {economy.jobs} jobs of {economy.kinds} kinds, "
        f"{economy.rounds} rounds), one panel, one time of the shift (round {tables.preset.at}), no announcement.",
        "The cost of serving falls with experience and quality rises with effort by construction of the market.",
    ]


def conduct(arm: str) -> str:
    """The name of a constant conduct as readers see it."""
    return arm.removeprefix("constant_").replace("_", " ")


def _no_verdict(tables: Tables) -> str:
    seeds = len(tables.preset.seeds)
    return f"With {_count(seeds, 'training seed')} this describes these runs; no verdict on the claim follows from it."


def _home(tables: Tables) -> str:
    pairs = tables.home_pairs()
    losses = sum(pair.difference < 0 for pair in pairs)
    natives = sum(tables.native_at_home(home) for home in tables.homes)
    seeds = len(tables.preset.seeds)
    text = (
        f"Where no shift came, the specialist earned more than the generalist in {losses} of {len(pairs)} comparisons."
    )
    if natives <= 0:
        return f"{text} Natives earned nothing on the home rules, so shares of their return cannot be stated."
    own = sum(pair.specialist for pair in pairs) / seeds / natives
    other = sum(pair.generalist for pair in pairs) / seeds / natives
    return f"{text} Specialists earned {_percent(own)} of the native's return there, the generalist {_percent(other)}."


def _learning(tables: Tables) -> str:
    wanted, parts = [home for home in tables.homes if tables.native_at_home(home) > 0], []
    if not wanted:
        return "No native earned anything at home, so there is no level to be reached."
    for arm, name in (("fixed", "specialists"), ("randomized", "the generalist")):
        reached = [_reached(tables, arm, home, seed) for home in wanted for seed in tables.preset.seeds]
        there = sorted(steps for steps in reached if steps is not None)
        text = f"{name} reached it in {len(there)} of {len(reached)} cases"
        if len(set(there)) > 1:
            text += f", first seen after {there[0]:,} to {there[-1]:,} agent-steps"
        elif there:
            text += f", first seen after {there[0]:,} agent-steps"
        parts.append(text)
    return (
        "Taking half of the native's return on the home rule as the level, measured against the frozen panel: "
        f"{'; '.join(parts)}. Policies were kept at {tables.preset.curve_points} points of training only, "
        "so these times are coarse."
    )


def _reached(tables: Tables, arm: str, home: str, seed: int) -> int | None:
    level = COMPETENT * tables.native_at_home(home)
    return next((steps for steps, value in tables.curve(arm, home, seed) if value >= level), None)


def _away(tables: Tables) -> str:
    parts = []
    for target in tables.away:
        pairs = tables.pairs([target])
        wins, _ = _wins(pairs)
        mean = sum(pair.difference for pair in pairs) / len(pairs)
        parts.append(f"{target}: {wins} of {len(pairs)}, on average {mean:+.3f}")
    return (
        "Paired comparisons that the generalist won, and its mean advantage in mean job values a round: "
        f"{'; '.join(parts)}. {_market_change(tables)}"
    )


def _market_change(tables: Tables) -> str:
    parts = []
    for arm, name in (("fixed", "specialists"), ("randomized", "the generalist"), ("native", "natives")):
        parts.append(f"{name} {tables.mean(arm, tables.away, 'change'):+.3f}")
    return f"Against the twin without the shift, return changed on average by: {', '.join(parts)}."


def _constant(tables: Tables) -> str:
    best = tables.best_constant
    if best is None:
        return "The study names no constant conduct, so it cannot tell adaptation from a conduct that happens to fit."
    ahead = [
        target
        for target in tables.away
        if _mean_over_seeds(tables, "randomized", target) > tables.over_homes(best, target, None)
    ]
    behind = [target for target in tables.away if target not in ahead]
    text = f"“{conduct(best)}” earned most of {_count(len(tables.constants), 'constant conduct')} on the home rules. "
    if behind:
        also = f", and did on {_and(ahead)}" if ahead else ""
        text += f"The generalist did not beat it on {_and(behind)}{also}. "
        text += "So what it gained over specialists is not shown to be adaptation."
    else:
        text += f"The generalist beat it on {_and(ahead)}, which adaptation requires and which does not prove it."
    above = [target for target in tables.targets if _above_native(tables, best, target)]
    return f"{text} It earned more than natives do on {_and(above)}, so those are no best replies." if above else text


def _above_native(tables: Tables, arm: str, target: str) -> bool:
    return tables.over_homes(arm, target, None) > tables.over_homes("native", target, tables.preset.panel_seed)


def _mean_over_seeds(tables: Tables, arm: str, target: str) -> float:
    values = [tables.over_homes(arm, target, seed) for seed in tables.seeds(arm)]
    return sum(values) / len(values)


def _competence(tables: Tables) -> str:
    failing, empty = [], [home for home in tables.homes if tables.native_at_home(home) <= 0]
    for arm, name in (("fixed", "the specialist"), ("randomized", "the generalist")):
        for home in tables.homes:
            for seed in tables.preset.seeds:
                reference = tables.native_at_home(home)
                if reference > 0 and tables.at_home(arm, home, seed) < COMPETENT * reference:
                    failing.append(f"{name} on {home} with seed {seed}")
    text = f" The native itself earned nothing on {_and(empty)}, which leaves nothing to compare with." if empty else ""
    if not failing:
        return "Every arm earned at least half of the native's return on the home rules that it is judged from." + text
    return (
        f"Not competent at this budget, earning less than half of the native's return at home: {_and(failing)}. "
        f"What such a policy does after a shift says little about its arm.{text}"
    )


def _agreement(tables: Tables) -> str:
    cells = [(home, target) for target in tables.away or tables.targets for home in tables.homes]
    split = 0
    for home, target in cells:
        signs = {pair.difference > 0 for pair in tables.pairs([target]) if pair.home == home}
        split += len(signs) > 1
    where = "on rules held out" if tables.away else "at the targets"
    return (
        f"In {split} of {len(cells)} cells {where}, seeds disagree on whether generalist or specialist earned more. "
        "Agreement of so few seeds is no measure of certainty."
    )


def _wins(pairs: Sequence[Pair]) -> tuple[int, int]:
    return sum(pair.difference > 0 for pair in pairs), sum(pair.difference == 0 for pair in pairs)


def _percent(share: float | None) -> str:
    return "an unknown share (natives earn nothing)" if share is None else f"{100 * share:.0f} %"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _and(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
