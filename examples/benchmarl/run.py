"""BenchMARL: MAPPO, whose central critic reads the state of the market."""

import copy
import tempfile
from collections.abc import Callable
from typing import Any

from benchmarl.algorithms import MappoConfig
from benchmarl.environments.pettingzoo.common import PettingZooClass
from benchmarl.experiment import Experiment, ExperimentConfig
from benchmarl.models.mlp import MlpConfig
from torchrl.envs import EnvBase, PettingZooWrapper

from ruleshift.envs import market_v0

ROUNDS = 20


class MarketTask(PettingZooClass):
    """The market as a task of BenchMARL; its configuration holds the arguments of `parallel_env`."""

    def get_env_fun(
        self, num_envs: int, continuous_actions: bool, seed: int | None, device: Any
    ) -> Callable[[], EnvBase]:
        arguments = copy.deepcopy(self.config)
        return lambda: PettingZooWrapper(
            market_v0.parallel_env(**arguments), return_state=True, categorical_actions=False, seed=seed, device=device
        )

    def supports_continuous_actions(self) -> bool:
        return True

    def supports_discrete_actions(self) -> bool:
        return False

    def has_state(self) -> bool:
        return True

    def has_render(self, env: EnvBase) -> bool:
        return False

    def max_steps(self, env: EnvBase) -> int:
        return ROUNDS


def main() -> None:
    config = ExperimentConfig.get_from_yaml()
    config.loggers, config.create_json, config.evaluation, config.render = [], False, False, False
    config.gamma, config.share_policy_params = 0.97, True
    config.on_policy_collected_frames_per_batch, config.on_policy_n_envs_per_worker = 400, 4
    config.on_policy_n_minibatch_iters, config.on_policy_minibatch_size = 4, 200
    config.max_n_frames, config.max_n_iters = 4_000, None
    config.save_folder = tempfile.mkdtemp()
    experiment = Experiment(
        task=MarketTask("MARKET", {"rule": "price_board", "rounds": ROUNDS}),
        algorithm_config=MappoConfig.get_from_yaml(),
        model_config=MlpConfig.get_from_yaml(),
        critic_model_config=MlpConfig.get_from_yaml(),
        seed=1,
        config=config,
    )
    experiment.run()
    assert experiment.total_frames == 4_000
    print(f"mean return of the last episodes, over organizations: {experiment.mean_return:.2f}")


if __name__ == "__main__":
    main()
