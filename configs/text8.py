"""text8 at the published size, for a GPU or TPU. Not run yet.

The oracle: complete text, 27 symbols, rows of 256 characters, a transformer of 12
layers and 768 channels, 512 rows a step, a million steps, learning rate 3e-4, an
average of 0.9999: MDLM (Sahoo et al. 2024, arXiv 2406.07524) and MD4 (Shi et al. 2024,
arXiv 2406.04329), which publish at most 1.40 and 1.37 bits per character.
The sizes were written down from memory of these papers; check them before you compare.
What differs: the learning rate falls along a cosine and is not held; the positions are
rotary; the test rows are a thousand from the last tenth of the text, not from its last
twentieth. The hidden tenth has MCAR 50 % for `hidden_bits_per_char`.
Data: text8.zip from mattmahoney.net/dc, unpacked.
Command: python launch.py --config=configs/text8.py:text:PATH/text8 --workdir=/tmp/t8
With holes in the text: --config.data.complete=none, and EM by --config.em.on=True.
"""

from ml_collections import ConfigDict

from ambient_jax.configs import oracle


def get_config(data: str = "text:text8") -> ConfigDict:
    config = oracle.get_config(data)
    config.name = "text8"
    config.data.update(length=256, num_valid=1000, num_test=1000)
    config.network.update(width=768, depth=12, num_heads=12, dtype="bfloat16")
    config.optimizer.update(
        learning_rate=3e-4, warmup_steps=2500, weight_decay=0.0, ema_decay=0.9999
    )
    config.train.update(
        rounds=100, steps_per_round=10_000, batch_size=512, estep_batch_size=512
    )
    config.em.update(reveals=16, initial_reveals=64, row_share=0.02)
    config.sampler.reveals = 256
    config.eval.update(every_rounds=1, round_rows=250, num_draws=4, num_exact=100)
    return config
