"""All fields of a Gaussian run, with what each one means. Other configs change a few.

`get_config(data)` takes what follows the colon of `--config=FILE.py:DATA`: `digits`
(nothing means this), `mnist`, `mnist14`, or the path of an `.npz` of floats.
"""

from ml_collections import ConfigDict
from ml_collections.config_dict import placeholder


def get_config(data: str = "digits") -> ConfigDict:
    """The settings of EDM on the rows as they are; sizes by data set."""
    config = ConfigDict()
    config.name = "gaussian_base"  # names the run in reports
    config.family = "gaussian"
    config.seed = 0  # root of all randomness of training
    config.data = _data(data or "digits")
    config.network = ConfigDict({
        "name": "mlp",  # mlp (a perceptron, for any row), unet (pictures)
        "width": 256,  # mlp: channels
        "depth": 4,  # mlp: residual blocks
        "widths": (32, 64),  # unet: channels per resolution, finest first
        "blocks": 1,  # unet: residual blocks per resolution and direction
        "bottom_blocks": 2,  # unet: residual blocks with attention at the coarsest
        "num_heads": 4,  # unet: of attention
        "windows": (3, 7),  # unet of ambient: sizes of means over visible pixels
        "dtype": "float32",  # compute type
    })  # fmt: skip
    config.objective = _objective()
    config.em = ConfigDict(
        {
            "on": False,  # whether there are E-steps
            "row_share": 1.0,  # share of the rows drawn per E-step
            "observation_noise": 0.01,  # sd of observed cells, in draws of the others
            "cg_iterations": 1,  # of conjugate gradients per noise level
        }
    )
    config.prior = ConfigDict(
        {
            "rank": 32,  # of the Gaussian that draws first, with EM
            "iterations": 16,  # of its own EM
            "laps": 1,  # E-steps in which it draws
        }
    )
    config.sampler = ConfigDict({
        "num_steps": 24,  # noise levels of a draw
        "sigma_min": 0.01, "sigma_max": 10.0,  # last and first; data have sd 0.5
        "rho": 7.0,  # of the grid
        "churn": 0.0,  # noise that is added and removed again
        "heun": True,  # two calls a step; False: Euler, one call
    })  # fmt: skip
    config.optimizer = ConfigDict({
        "name": "adamw", "learning_rate": 1e-3, "warmup_steps": 100,
        "weight_decay": 0.0, "clip_norm": 1.0, "ema_decay": 0.995,
    })  # fmt: skip
    config.train = ConfigDict(
        {
            "rounds": 16,  # E-step / M-step pairs
            "steps_per_round": 250,  # steps of one M-step
            "batch_size": 128,  # rows of one train step, over all devices
            "estep_batch_size": 256,  # rows per call outside of training
            "log_every": 50,  # steps between two lines of metrics.csv
        }
    )
    config.eval = ConfigDict(
        {
            "every_rounds": 4,  # rounds between the cheap evaluations
            "round_rows": 100,  # test rows of a cheap evaluation
            "num_draws": 5,  # draws behind a posterior mean
            "num_samples": 400,  # generated rows for sample_fid, energy_distance
            "num_interval_rows": 100,  # test rows for test_coverage_90; 0 skips it
            "checkpoint": "last",  # of the final figures; no row is held out to choose
        }
    )
    config.checkpoint = ConfigDict({"keep": 2})  # newest to keep
    if config.data.source == "mnist14":
        config.data.update(source="mnist", side=14, num_train=10_000, num_test=2_000)
        config.train.steps_per_round = 500
    return config


def _data(source: str) -> ConfigDict:
    c = ConfigDict()
    c.source = source  # digits, mnist, or PATH.npz of floats, NaN where missing
    c.dir = placeholder(str)  # folder of the original files; else AMBIENT_DATA_DIR
    c.seed = 0  # of split, noise and missingness; apart from `seed`
    c.complete = False  # train on complete rows (the oracle)
    c.noise = 0.0  # sd of the noise in the rows, in their units; added to known sets
    c.num_train = placeholder(int)  # rows to train on; unset: all
    c.num_test = placeholder(int)  # rows to judge by; unset: all
    c.side = placeholder(int)  # area-average pictures to side x side
    c.missingness = ConfigDict(
        {
            "name": "none",  # none, mcar, mar, mnar, blocks, lines; a file's own stay
            "rate": 0.6,  # share of missing cells, in [0, 1)
            "strength": 2.0,  # how much the cause matters, in logits (mar, mnar)
            "size": 4,  # side of a block (blocks)
        }
    )
    return c


def _objective() -> ConfigDict:
    return ConfigDict({
        "method": "edm",  # edm, ambient (further corruption), cdmt (noisy rows)
        "level_mean": -1.2, "level_sd": 1.2,  # of ln sigma in training
        "imputed_weight": 1.0,  # weight of an imputed target against an observed one
        "hidden_share": 0.3,  # of the observed cells, hidden further (ambient)
        "consistency_weight": 0.0,  # of the consistency loss (cdmt); 0 omits it
        "gap": 0.7,  # ratio of its two levels, in (0, 1)
    })  # fmt: skip
