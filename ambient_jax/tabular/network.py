"""The network of a table, from its codec and settings, and back to the settings."""

from typing import Any

import numpy as np

from ambient_jax.networks.column_network import NEVER, ColumnNetwork, ColumnTables
from ambient_jax.networks.ensemble import Ensemble
from ambient_jax.networks.factors import Factors
from ambient_jax.tabular.codec import TableCodec
from ambient_jax.tabular.number import NumberColumn

TableNetwork = ColumnNetwork | Ensemble

SETTINGS = ("mixer", "width", "depth", "embed")


def network_of(
    codec: TableCodec, factors: Factors | None, members: int, **settings: Any
) -> TableNetwork:
    """`members` networks with `settings`, or one by itself."""
    tables = tables_of(codec)
    member = ColumnNetwork(tables=tables, factors=factors, **settings)
    return member if members == 1 else Ensemble(member=member, size=members)


def settings_of(network: TableNetwork) -> tuple[dict[str, Any], Factors | None]:
    """What `network_of` takes beside a codec: `members` with the settings; factors."""
    if isinstance(network, Ensemble):
        member, members = network.member, network.size
    else:
        member, members = network, 1
    assert isinstance(member, ColumnNetwork)
    settings = {name: getattr(member, name) for name in SETTINGS}
    return settings | {"members": members}, member.factors


def tables_of(codec: TableCodec) -> ColumnTables:
    """The constants of the network, `[L, V]`."""
    shape = (codec.length, codec.num_values)
    log_share = np.full(shape, NEVER)
    rank, score = np.zeros(shape), np.zeros((*shape, 2))
    for i, column in enumerate(codec.columns):
        coder = column.coder
        k = coder.size
        log_share[i, :k] = np.log(coder.share)
        if isinstance(coder, NumberColumn):
            rank[i, :k] = np.cumsum(coder.share) - coder.share / 2
            score[i, :k] = coder.context(coder.mean)
        else:
            rank[i] = np.nan
    return ColumnTables(log_share=log_share, rank=rank, score=score)
