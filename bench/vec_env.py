"""Agent-steps per second of the native VecEnv, against its own kernel, `Market.step`, and the peers that are set up."""

import json
import subprocess
from pathlib import Path

from markets import bare_kernel_block, step_block, vec_env_block
from timing import arguments, interleave, median, ratio

from ruleshift.envs import Market

ROOT = Path(__file__).parents[1]
PEERS = {
    "supersuit": (150, ["--market", "plain_market:make", "--path", "bench/peers/plain"]),
    "jaxmarl": (4, []),
    "mpe2": (600, []),
}


def against_kernel(seconds: float) -> None:
    """Print the speed of the VecEnv, and its ratio to that of the bare kernel, at 64 and 512 markets."""
    for markets, target in ((64, 0.8), (512, 0.9)):
        blocks = {
            "kernel": bare_kernel_block("price_board", markets),
            "market": step_block(Market("price_board", markets=markets)),
            "vec_env": vec_env_block("price_board", markets),
            "own data": vec_env_block("price_board", markets, read_only=False),
        }
        rates = interleave(blocks, seconds / 4)
        print(f"{markets} markets x 8 organizations, price_board, one core")
        for name, each in rates.items():
            print(f"  {name:<10}{median(each) / 1e6:8.2f} M agent-steps/s")
        print(f"  vec_env / kernel {ratio(rates, 'vec_env', 'kernel')}, target {target}")
        print(f"  own data / vec_env {ratio(rates, 'own data', 'vec_env')}: all that is returned is the caller's")


def against_peer(name: str, target: float, extra: list[str], seconds: float, core: int) -> None:
    """Print the speed of the VecEnv over that of a peer; ours is timed right before and right after the peer's."""
    python = ROOT / ".venv-peers" / name / "bin" / "python"
    if not python.exists():
        print(f"{name}: this peer is not set up; see bench/peers/README.md")
        return
    ours = {"vec_env": vec_env_block("price_board", 64)}
    before = median(interleave(ours, seconds / 16)["vec_env"])
    command = [python, f"bench/peers/{name}/run.py", "--seconds", str(seconds / 4), "--core", str(core), *extra]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        print(f"{name}: the peer's program failed: {done.stderr.strip().splitlines()[-1]}")
        return
    theirs = json.loads(done.stdout.splitlines()[-1])["agent_steps_per_second"]
    after = median(interleave(ours, seconds / 16)["vec_env"])
    print(f"vec_env / {name}: {(before + after) / 2 / theirs:.4g} ({theirs:,.0f} agent-steps/s there), target {target}")


if __name__ == "__main__":
    options = arguments(__doc__, seconds=20)
    against_kernel(options.seconds)
    for peer, (goal, flags) in PEERS.items():
        against_peer(peer, goal, flags, options.seconds, max(options.core, 0))
