"""All fields of a run, with what each one means. The other configs change a few.

`get_config(data)` takes what follows the colon of `--config=FILE.py:DATA`:
`digits`, `mnist` (nothing means this), `mnist14` (14x14 pixels, 10,000 pictures: the
study on two cores), `binarized_mnist`, or the path of an `.npz`.
`--config.field=value` on the command line wins over both.
"""

from ml_collections import ConfigDict
from ml_collections.config_dict import placeholder


def get_config(data: str = "mnist") -> ConfigDict:
    """The baseline's settings; sizes by data set."""
    config = ConfigDict()
    config.name = "base"  # names the run in reports
    config.seed = 0  # root of all randomness of training
    config.data = _data(data or "mnist")
    config.network = _network()
    config.objective = _objective()
    config.consistency = _consistency()
    config.em = _em()
    config.optimizer = _optimizer()
    config.train = _train()
    config.sampler = _sampler()
    config.eval = _eval()
    config.checkpoint = ConfigDict({"keep": 2})  # newest to keep; the best besides
    _by_data_set(config)
    return config


def _data(source: str) -> ConfigDict:
    c = ConfigDict()
    c.source = source  # digits, mnist, binarized_mnist, or PATH.npz
    c.dir = placeholder(str)  # folder of the original files; else AMBIENT_DATA_DIR
    c.seed = 0  # of split, tokenizer and missingness; apart from `seed`
    c.complete = False  # train on the complete rows; the test rows are hidden alike
    c.num_train = placeholder(int)  # rows to train on; unset: all
    c.num_valid = placeholder(int)  # of these, held out for validation; unset: 10 %
    c.num_test = placeholder(int)  # complete rows to judge by; unset: all
    c.side = placeholder(int)  # area-average pictures to side x side
    c.tokenizer = ConfigDict()
    c.tokenizer.name = "threshold"  # threshold, stochastic, levels
    c.tokenizer.threshold = 0.5  # grey level in [0, 1] where 1 begins (threshold)
    c.tokenizer.num_values = 16  # V (levels)
    c.missingness = ConfigDict()  # for complete sets; a file's own holes stay as is
    c.missingness.name = "mcar"  # mcar, mar, mnar, blocks, lines
    c.missingness.rate = 0.9  # share of missing cells, in [0, 1)
    c.missingness.strength = 2.0  # how much the cause matters, in logits (mar, mnar)
    c.missingness.size = 4  # side of a block (blocks)
    return c


def _network() -> ConfigDict:
    c = ConfigDict()
    c.name = "auto"  # unet, transformer; auto: by the shape of a row
    c.dtype = "float32"  # compute type; bfloat16 is faster on GPU and TPU
    c.num_heads = 4  # of attention, both networks
    c.widths = (64, 128, 256)  # unet: channels per resolution, finest first
    c.blocks = 2  # unet: residual blocks per resolution and direction
    c.bottom_blocks = 3  # unet: residual blocks with attention at the coarsest
    c.windows = (3, 7)  # unet: sizes of the stem's means over visible pixels
    c.width = 128  # transformer: channels
    c.depth = 4  # transformer: layers
    return c


def _objective() -> ConfigDict:
    c = ConfigDict()
    c.schedule = "linear"  # linear, cosine, polynomial
    c.power = 2.0  # of the polynomial schedule
    c.imputed_weight = 0.1  # weight of an imputed target against 1 for observed ones
    c.natural_share = 0.5  # share of a batch that keeps its natural sparse contexts
    return c


def _consistency() -> ConfigDict:
    c = ConfigDict()
    c.weight = 0.0  # lambda; 0 leaves the loss out
    c.form = "kl"  # kl (one draw of the cleaner side), martingale (two draws)
    c.stop = "cleaner"  # side without gradient: cleaner (published), noisier, none
    c.target = "soft"  # teacher of the kl form: soft, argmax (forcing pixels), sample
    c.teacher = "online"  # of the kl form: online (published), ema (averaged)
    c.rows = "all"  # all, natural (rows whose imputations are hidden, see objective)
    c.gap = 0.1  # distance of the two sides in t, in (0, 1]
    c.start = placeholder(float)  # share of the run before it; unset: the first E-step
    c.ramp_rounds = 1  # rounds over which its weight grows to full
    return c


def _em() -> ConfigDict:
    c = ConfigDict()
    c.on = False  # whether there are E-steps
    c.start = placeholder(float)  # share of the run before them; unset: by the data
    c.fraction = 0.3  # share of a row's missing cells redrawn per E-step; 1: fresh
    c.rows = 1.0  # share of the rows refreshed per E-step
    c.reveals = 16  # reveals of a refresh
    c.corrector_sweeps = 0  # sweeps after a refresh
    c.corrector_fraction = 0.1  # share of the missing cells redrawn per sweep
    c.first_reveals = 128  # reveals of the first E-step, which draws all afresh
    c.use_ema = True  # draw and score with the averaged parameters
    c.temperature = 1.0  # of the first E-step's draws; below 1 they are surer
    c.final_temperature = placeholder(float)  # of the last draws'; unset: by the data
    return c


def _optimizer() -> ConfigDict:
    c = ConfigDict()
    c.name = "adamw"  # adamw, or muon (of the kernels; adamw of the rest)
    c.learning_rate = 1e-3  # peak; warm-up, then cosine
    c.warmup_steps = 200  # steps over which the learning rate rises to its peak
    c.weight_decay = 0.01  # share of a weight taken off per step, times the rate
    c.clip_norm = 1.0  # of the whole gradient
    c.ema_decay = 0.999  # of the averaged parameters; 0: no average
    return c


def _train() -> ConfigDict:
    c = ConfigDict()
    c.rounds = 60  # E-step / M-step pairs, the warm start included
    c.steps_per_round = 469  # steps of one M-step
    c.batch_size = 128  # rows of one train step, over all devices
    c.estep_batch_size = 512  # rows per call of E-step, sampling and evaluation
    c.log_every = 50  # steps between two lines of metrics.csv
    return c


def _sampler() -> ConfigDict:
    c = ConfigDict()
    c.reveals = 64  # of samples and test completions
    c.corrector_sweeps = 16  # sweeps after the last reveal
    c.corrector_fraction = 0.1  # share of the drawn cells redrawn per sweep
    return c


def _eval() -> ConfigDict:
    c = ConfigDict()
    c.every_rounds = 1  # rounds between the cheap evaluations
    c.round_rows = 500  # test rows of a cheap evaluation; four times valid ones
    c.checkpoint = "best"  # of the final figures: best (by valid_nll_nats) or last
    c.draws = 2  # repeats of the 10 noise levels per test row at the end
    c.num_exact = 32  # test rows of the exact chain rule
    c.num_samples = 1000  # generated rows for sample_fid
    return c


def _by_data_set(config: ConfigDict) -> None:
    """Sizes that fit the data; anything else keeps the full-size MNIST settings."""
    if config.data.source == "digits":
        config.data.missingness.rate = 0.6  # leaves 26 of 64 pixels
        config.network.update(widths=(32, 64), blocks=1, bottom_blocks=2)
        config.optimizer.update(learning_rate=2e-3, warmup_steps=100, ema_decay=0.995)
        config.train.update(rounds=20, steps_per_round=50, estep_batch_size=256)
        config.em.update(reveals=12, first_reveals=40)
        config.eval.update(
            every_rounds=2, round_rows=200, draws=4, num_exact=64, num_samples=400
        )
    elif config.data.source == "mnist14":
        config.data.update(source="mnist", side=14, num_train=10_000, num_test=2_000)
        config.network.update(widths=(32, 64), blocks=1, bottom_blocks=2)
        config.optimizer.update(learning_rate=2e-3, warmup_steps=100, ema_decay=0.995)
        config.train.update(rounds=24, steps_per_round=70, estep_batch_size=250)
        config.em.update(reveals=6, first_reveals=24)
        config.eval.update(every_rounds=4, round_rows=400, num_exact=64)
    elif config.data.source.endswith(".npz"):
        config.network.update(widths=(32, 64), blocks=1, bottom_blocks=2, width=64)
        config.optimizer.update(learning_rate=2e-3, warmup_steps=100, ema_decay=0.995)
        config.train.update(rounds=20, steps_per_round=100, estep_batch_size=256)
        config.em.update(reveals=8, first_reveals=32)
