"""The page docs/scenarios.md, written from the scenarios' files: `python docs/build/scenario_page.py > FILE`."""

from itertools import pairwise

from ruleshift.envs import Figure, Scenario, list_scenarios, load_scenario
from ruleshift.envs.scenario import CONTEXT
from ruleshift.eval.compare.compare import compare_rules

_INTRODUCTION = """# Scenarios

A scenario is a platform, stylized: a rule, the market that it is in, the change of the rule that is on record, and the
published figures that these are set by. **None of them is the platform that it stylizes.** A figure says which field
it sets; every number without a figure, the weights above all, is ours, and each scenario says what of the platform the
market cannot express. This page is written from the files in `envs/scenarios/`.

```
ruleshift scenarios list                        # also: show NAME, which prints the file
ruleshift scenarios run freelance_commission --out results/scenarios
ruleshift play freelance_commission             # watch it
ruleshift train freelance_commission --out runs/freelancer --steps 1_000_000
ruleshift scenarios run freelance_commission --policy runs/freelancer
```

`run` plays the changing market and its twin, which stays under the first rule and meets the same noise, over many
markets, and prints prices, quality, the platform's share, and who gets what, before and after, with the difference to
the twin and its standard error. In Python it is `ruleshift.eval.run_scenario(name)`, and
`Market(**load_scenario(name).arguments(), markets=64)` is the market itself; `parallel_env` and `MarketVecEnv` take the
same arguments. All scenarios have three kinds of job, so that one policy can be run in each.

Scripted organizations do not react to a commission, so that a change of nothing else moves only who keeps what: what
organizations make of it is for learned ones to show. To change a scenario, `ruleshift scenarios show NAME >
mine.toml`, edit, and name the file: the table `to` of a shift holds what changes in the rule in force before it. A
figure that no longer holds goes, or sets `context`.
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
        differences = compare_rules(before, after).differences
        fields = ", ".join(f"`{each.field}` {each.first} to {each.second}" for each in differences)
        lines.append(f"- Round {shift.at}, `{after.name}`, {notice}: {after.rationale} ({fields}.)")
    lines += ["", "| figure | value | year | sets | source |", "|---|---|---|---|---|"]
    lines += [_row(figure) for figure in scenario.figures]
    lines += ["", "What is left out, or cannot be expressed:", "", *(f"- {gap}" for gap in scenario.gaps)]
    return "\n".join(lines)


def _row(figure: Figure) -> str:
    value = figure.value if isinstance(figure.value, str) else f"{figure.value:.10g}"
    sets = "nothing: context" if figure.sets == CONTEXT else f"`{figure.sets}`"
    sets += "" if figure.scale == 1 else f", times {figure.scale:.6g}"
    return f"| {figure.what} | {value} ({figure.unit}) | {figure.year} | {sets} | {figure.source} |"


if __name__ == "__main__":
    print(scenario_page(), end="")
