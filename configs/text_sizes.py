"""Sizes of a run on text: at most 15 minutes on one core.

Chosen for half a million characters in rows of 64, as `text` has. Where the text is
longer the run still takes as many steps, and its E-steps and its evaluation as many
rows; where it is shorter its rows are learned by heart, and `eval.checkpoint = best`
takes the round before they are.
"""

from ml_collections import ConfigDict


def set_sizes(config: ConfigDict) -> None:
    """Sets the sizes of a run.

    Args:
      config: already of the sizes of a small run.
    """
    config.data.missingness.rate = 0.5
    config.network.update(width=128, depth=4, num_heads=4)
    config.optimizer.warmup_steps = 50
    config.train.update(rounds=20, steps_per_round=100, batch_size=32)
    config.em.update(
        reveals=8, initial_reveals=16, row_share=0.1, initial_row_share=0.3
    )
    config.sampler.corrector_sweeps = 0  # 64 reveals are one a character: exact
    config.eval.update(every_rounds=5, round_rows=40, num_draws=1, num_exact=16)
