"""All fields of a run, with what each one means. The other configs change a few.

`get_config(data)` takes what follows the colon of `--config=FILE.py:DATA`:
`digits`, `mnist` (nothing means this), `mnist14` (14x14 pixels, 10,000 pictures: the
study on two cores), `binarized_mnist`, the path of an `.npz`, `text` (the documentation
that Python carries) or `text:PATH` (a UTF-8 file, or a folder of them).
`--config.field=value` on the command line wins over both.
"""

from ml_collections import ConfigDict
from ml_collections.config_dict import placeholder

from ambient_jax.assembly.masked import MaskedSettings
from ambient_jax.assembly.priors import PriorSettings
from ambient_jax.assembly.settings import SMALL, Settings
from ambient_jax.configs import own_rows, text_sizes
from ambient_jax.data.npz_header import array_shapes
from ambient_jax.data.text import is_text

DEFAULT, MASKED = Settings(), MaskedSettings()


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
    config.prior = _prior()
    config.optimizer = _optimizer()
    config.train = _train()
    config.sampler = _sampler()
    config.eval = _eval()
    config.checkpoint = ConfigDict({"keep": 2})  # newest to keep; the best besides
    _by_data_set(config)
    return config


def _data(source: str) -> ConfigDict:
    c = ConfigDict()
    c.source = source  # digits, mnist, binarized_mnist, PATH.npz, text, text:PATH
    c.dir = placeholder(str)  # folder of the original files; else AMBIENT_DATA_DIR
    c.seed = 0  # of split, tokenizer and missingness; apart from `seed`
    c.complete = "none"  # training rows that are complete: none, all, few (as many
    # rows as the observed cells fill); the test rows are hidden alike
    c.num_train = placeholder(int)  # rows to train on; unset: all
    c.num_valid = placeholder(int)  # of these, held out for validation; unset: 10 %
    c.num_test = placeholder(int)  # complete rows to judge by; unset: all
    c.side = placeholder(int)  # area-average pictures to side x side
    c.tokenizer = ConfigDict()
    c.tokenizer.name = "threshold"  # threshold, stochastic, levels
    c.tokenizer.threshold = 0.5  # grey level in [0, 1] where 1 begins (threshold)
    c.tokenizer.num_values = 16  # V (levels)
    c.length = 64  # characters of a row (text)
    c.alphabet = "text8"  # text8 (a..z and space), bytes, own (the text's characters)
    c.gap = placeholder(str)  # character that marks a missing one (text)
    c.missingness = ConfigDict()  # for complete sets; a file's own holes stay as is
    c.missingness.name = "mcar"  # mcar, mar, mnar, blocks, lines
    c.missingness.rate = 0.9  # share of missing cells, in [0, 1)
    c.missingness.strength = 2.0  # how much the cause matters, in logits (mar, mnar)
    c.missingness.size = 4  # side of a block (blocks)
    return c


def _network() -> ConfigDict:
    c = ConfigDict()
    c.name = "auto"  # unet, transformer, text (rotary); auto: by the data
    c.dtype = "float32"  # compute type; bfloat16 is faster on GPU and TPU
    c.num_heads = 4  # of attention, all networks
    c.widths = (64, 128, 256)  # unet: channels per resolution, finest first
    c.blocks = 2  # unet: residual blocks per resolution and direction
    c.bottom_blocks = 3  # unet: residual blocks with attention at the coarsest
    c.windows = (3, 7)  # unet: sizes of the stem's means over visible pixels
    c.width = 128  # transformer, text: channels
    c.depth = 4  # transformer, text: layers
    return c


def _objective() -> ConfigDict:
    c = ConfigDict()
    c.schedule = "linear"  # linear, cosine, polynomial
    c.power = 2.0  # of the polynomial schedule
    c.imputed_weight = (
        MASKED.imputed_weight
    )  # weight of an imputed target against 1 for observed ones
    c.natural_share = (
        MASKED.natural_share
    )  # share of a batch that keeps its natural sparse contexts
    c.copied_share = 0.0  # share that masks what another row misses: docs/recipe.md
    return c


def _consistency() -> ConfigDict:
    c, form = ConfigDict(), MASKED.consistency
    c.weight = 0.0  # lambda; 0 omits the loss
    c.form = form.form  # kl (one cleaner draw), martingale (two), swap (two orders)
    c.stop = form.stop  # side without gradient: cleaner (published), noisier, none
    c.target = form.target  # teacher of kl: soft, argmax (forcing pixels), sample
    c.teacher = form.teacher  # of the kl form: online (published), ema (averaged)
    c.rows = form.rows  # all, natural (rows whose imputations are masked)
    c.gap = form.gap  # distance of the two sides in t, in (0, 1]
    c.start = placeholder(float)  # share of the run before it; unset: the first E-step
    c.start = MASKED.consistency_start
    c.ramp_rounds = MASKED.consistency_ramp_rounds  # rounds until the weight is full
    return c


def _em() -> ConfigDict:
    c = ConfigDict()
    c.on = False  # whether there are E-steps
    c.start = placeholder(float)  # share of the run before them; unset: by the data
    c.fraction = MASKED.fraction  # share of a row's missing cells redrawn; 1: fresh
    c.initial_row_share = DEFAULT.initial_row_share  # share of the rows drawn first
    c.row_share = DEFAULT.row_share  # share of the rows drawn per later E-step
    c.reveals = MASKED.refresh_sampler.num_reveals  # of a later E-step
    c.corrector_sweeps = MASKED.refresh_sampler.corrector_sweeps  # after its reveals
    c.corrector_fraction = MASKED.refresh_sampler.corrector_fraction  # per sweep
    c.initial_reveals = MASKED.initial_sampler.num_reveals  # of the first E-step
    c.use_ema = DEFAULT.use_ema  # draw and score with the averaged parameters
    c.temperature = MASKED.temperature  # of the first draws; below 1 they are surer
    c.final_temperature = placeholder(float)  # of the last draws'; unset: by the data
    return c


def _prior() -> ConfigDict:
    c, prior = ConfigDict(), PriorSettings()
    c.name = "none"  # none, independent, factors, latent: what draws first, with EM
    c.share = prior.share  # of the run in which it draws; then the network draws
    c.members = prior.members  # decoders of the mixture
    c.steps = prior.steps  # of its fit
    return c


def _optimizer() -> ConfigDict:
    c = ConfigDict()
    c.name = DEFAULT.optimizer  # adamw, or muon (of the kernels; adamw of the rest)
    c.learning_rate = DEFAULT.learning_rate  # peak; warm-up, then cosine
    c.warmup_steps = DEFAULT.warmup_steps  # steps until the learning rate peaks
    c.weight_decay = DEFAULT.weight_decay  # share of a weight per step, times the rate
    c.clip_norm = DEFAULT.clip_norm  # of the whole gradient
    c.ema_decay = DEFAULT.ema_decay  # of the averaged parameters; 0: no average
    return c


def _train() -> ConfigDict:
    c = ConfigDict()
    c.rounds = DEFAULT.rounds  # E-step / M-step pairs, rounds before EM included
    c.steps_per_round = DEFAULT.steps_per_round  # steps of one M-step
    c.batch_size = DEFAULT.batch_size  # rows of one train step, over all devices
    c.estep_batch_size = DEFAULT.estep_batch_size  # rows per call outside of training
    c.log_every = DEFAULT.log_every  # steps between two lines of metrics.csv
    return c


def _sampler() -> ConfigDict:
    c, sampler = ConfigDict(), DEFAULT.sampler
    c.reveals = sampler.num_reveals  # of samples and test completions
    c.corrector_sweeps = sampler.corrector_sweeps  # sweeps after the last reveal
    c.corrector_fraction = sampler.corrector_fraction  # share redrawn per sweep
    return c


def _eval() -> ConfigDict:
    c = ConfigDict()
    c.every_rounds = 1  # rounds between the cheap evaluations
    c.round_rows = 500  # test rows of a cheap evaluation; four times valid ones
    c.checkpoint = "best"  # of the final figures: best (by valid_nll_nats) or last
    c.num_draws = 2  # repeats of the 10 noise levels per test row at the end
    c.num_exact = 32  # test rows of the exact chain rule
    c.num_samples = 1000  # generated rows for sample_fid
    c.num_interval_rows = 100  # test rows for test_coverage_90 (V > 2); 0 skips it
    return c


def _by_data_set(config: ConfigDict) -> None:
    """Sizes that fit the data; anything else keeps the full-size MNIST settings."""
    if config.data.source == "digits":
        _small(config)
        config.data.missingness.rate = 0.6  # leaves 26 of 64 pixels
        config.eval.update(
            every_rounds=2, round_rows=200, num_draws=4, num_exact=64, num_samples=400
        )
    elif config.data.source == "mnist14":
        _small(config)
        config.data.update(source="mnist", side=14, num_train=10_000, num_test=2_000)
        config.train.update(rounds=24, steps_per_round=70, estep_batch_size=250)
        config.em.update(reveals=6, initial_reveals=24)
        config.eval.update(every_rounds=4, round_rows=400, num_exact=64)
    elif config.data.source.endswith(".npz"):
        _small(config)
        own_rows.set_sizes(config, array_shapes(config.data.source))
    elif is_text(config.data.source):
        _small(config)
        text_sizes.set_sizes(config)


def _small(config: ConfigDict) -> None:
    """The sizes of `assembly.settings.SMALL`, and a network to match."""
    family = SMALL.family
    config.network.update(widths=(32, 64), blocks=1, bottom_blocks=2)
    for section in (config.optimizer, config.train):
        for name in section:
            if name != "name":
                section[name] = getattr(SMALL, name)
    config.em.update(
        reveals=family.refresh_sampler.num_reveals,
        initial_reveals=family.initial_sampler.num_reveals,
    )
