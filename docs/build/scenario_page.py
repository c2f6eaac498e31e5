"""The page docs/scenarios.md, written from the scenarios' files: `python docs/build/scenario_page.py > FILE`."""

from itertools import pairwise

from ruleshift.envs import Figure, Scenario, list_scenarios, load_scenario
from ruleshift.envs.scenario import CONTEXT
from ruleshift.eval.compare.compare import differences_of

_INTRODUCTION = """# Scenarios

A scenario is a stylized platform: a rule, the market around it, a documented change of the rule, and the published
figures on which these are based. **None of the scenarios is the platform that it stylizes.** Each figure says which
field it sets. Every number without a figure is our own choice, above all the weights, and each scenario says what the
market cannot express about its platform. This page is generated from the files in `envs/scenarios/`.

```
ruleshift scenarios list                        # also: show NAME, which prints the file
ruleshift scenarios run freelance_commission --out results/scenarios
ruleshift play freelance_commission             # watch it
ruleshift train freelance_commission --out runs/freelancer --steps 1_000_000
ruleshift scenarios run freelance_commission --policy runs/freelancer
```

`run` plays the changing market and its twin over many markets. The twin stays under the first rule and meets the same
noise. The output shows prices, quality, the platform's share and who gets what, before and after the change, and the
difference from the twin with its standard error. In Python this is `ruleshift.eval.run_scenario(name)`. The market
itself is `Market(**load_scenario(name).arguments(), markets=64)`; `parallel_env` and `MarketVecEnv` take the same
arguments. All scenarios have three kinds of job, so that one policy can be run in each of them.

Scripted organizations do not react to a commission. If a scenario changes nothing else, they only show how the payments
are split; it takes learned organizations to show a reaction.

To change a scenario, run `ruleshift scenarios show NAME > mine.toml`, edit the file, and use its path in place of the
name. The table `to` of a shift holds the changes relative to the rule in force before it. If a figure no longer
applies, delete it or change its `sets` to `context`.
"""


def scenario_page() -> str:
    """All scenarios in Markdown: a table of them, then for each its changes, figures, sources and gaps."""
    scenarios = [load_scenario(name) for name in list_scenarios()]
    lines = [_INTRODUCTION, "| scenario | stylizes | change on record |", "|---|---|---|"]
    for each in scenarios:
        changes = "; ".join(rule.rationale.rstrip(".") for rule in each.rules[1:])
        lines.append(f"| [`{each.name}`](#{each.name}) | {each.platform} | {changes} |")
    return "\n".join([*lines, *(_section(each) for each in scenarios)]) + "\n"


def _section(scenario: Scenario) -> str:
    lines = ["", f"## {scenario.name}", "", f"Stylizes {scenario.platform}. {scenario.rationale}", ""]
    lines.append(f"- Round 0, `{scenario.rule.name}`: {scenario.rule.rationale}")
    for shift, (before, after) in zip(scenario.schedule, pairwise(scenario.rules), strict=True):
        notice = "unannounced" if shift.notice is None else f"announced from round {shift.at - shift.notice} on"
        differences = differences_of(before, after)
        fields = ", ".join(f"`{each.field}` {each.first} to {each.second}" for each in differences)
        lines.append(f"- Round {shift.at}, `{after.name}`, {notice}: {after.rationale} ({fields}.)")
    lines += ["", "| figure | value | year | sets | source |", "|---|---|---|---|---|"]
    lines += [_row(figure) for figure in scenario.figures]
    lines += ["", "What is left out or cannot be expressed:", "", *(f"- {gap}" for gap in scenario.gaps)]
    return "\n".join(lines)


def _row(figure: Figure) -> str:
    value = figure.value if isinstance(figure.value, str) else f"{figure.value:.10g}"
    sets = "nothing: context" if figure.sets == CONTEXT else f"`{figure.sets}`"
    sets += "" if figure.scale == 1 else f", times {figure.scale:.6g}"
    return f"| {figure.what} | {value} ({figure.unit}) | {figure.year} | {sets} | {figure.source} |"


if __name__ == "__main__":
    print(scenario_page(), end="")
