"""Builds the network of a table from its codec and settings, and reads these back."""

from typing import Any

import jax
import numpy as np

from ambient_jax.networks.column_network import (
    ABSENT_LOGIT,
    ColumnNetwork,
    ColumnTables,
)
from ambient_jax.networks.ensemble import Ensemble, OutOfFoldEnsemble
from ambient_jax.networks.factors import Factors
from ambient_jax.networks.flat import FlatParams
from ambient_jax.tabular.columns.codec import TableCodec
from ambient_jax.tabular.columns.number import NumberColumn
from ambient_jax.types import Denoiser, Params

TableNetwork = FlatParams | Ensemble
"""A `ColumnNetwork` with its parameters in a vector, or an ensemble of such."""

SETTINGS = ("mixer", "width", "depth", "embed")


def network_of(
    codec: TableCodec, factors: Factors | None, members: int, **settings: Any
) -> TableNetwork:
    """Returns an `Ensemble` of networks, or one network if `members` is 1.

    Args:
      codec: vocabularies of the columns.
      factors: what the logits start from; its arrays have a leading axis of `members`
        for an ensemble. None: the marginal shares.
      members: number of networks.
      settings: fields of `ColumnNetwork`, see `SETTINGS`.
    """
    tables = tables_of(codec)
    if members == 1:
        network = ColumnNetwork(tables=tables, factors=factors, **settings)
        return FlatParams(denoiser=network)
    fields = {} if factors is None else {"factors": factors}
    member = FlatParams(denoiser=ColumnNetwork(tables=tables, **settings))
    return Ensemble(member=member, size=members, member_fields=fields)


def settings_of(network: TableNetwork) -> tuple[dict[str, Any], Factors | None]:
    """Returns the settings, `members` among them, and the factors of `network_of`."""
    member, members = _flat_member(network)
    column_network = member.denoiser
    assert isinstance(column_network, ColumnNetwork)
    factors = column_network.factors
    if isinstance(network, Ensemble):
        factors = network.member_fields.get("factors")
    settings = {name: getattr(column_network, name) for name in SETTINGS}
    return settings | {"members": members}, factors


def tree_of_params(network: TableNetwork, params: np.ndarray) -> Params:
    """Returns the parameters by name, as they are saved, of vectors `[P]` or `[K, P]`.

    Those of an ensemble have a leading axis of length K.
    """
    member, members = _flat_member(network)
    each = [member.tree(vector) for vector in params.reshape(members, -1)]
    if members == 1:
        return each[0]
    return jax.tree.map(lambda *parts: np.stack(parts), *each)


def vectors_of_params(network: TableNetwork, tree: Params) -> np.ndarray:
    """The inverse of `tree_of_params`."""
    _, members = _flat_member(network)
    leaves = [np.asarray(leaf).reshape(members, -1) for leaf in jax.tree.leaves(tree)]
    vectors = np.concatenate(leaves, axis=1)
    return vectors[0] if members == 1 else vectors


def _flat_member(network: TableNetwork) -> tuple[FlatParams, int]:
    """Returns the architecture of the members, and their number."""
    member, members = network, 1
    if isinstance(network, Ensemble):
        member, members = network.member, network.size
    assert isinstance(member, FlatParams)
    return member, members


def out_of_fold(
    network: Denoiser, context: np.ndarray, excluded_rows: np.ndarray
) -> tuple[Denoiser, np.ndarray]:
    """Returns a network that has not been trained on any of the rows, and its context.

    Of an ensemble it predicts each row by the members that exclude it.

    Args:
      network: as trained.
      context: `[N, F]` of rows that at least one member excludes.
      excluded_rows: `[N, K]` bool.
    """
    if isinstance(network, Ensemble):
        return OutOfFoldEnsemble(ensemble=network), OutOfFoldEnsemble.append_to_context(
            context, excluded_rows
        )
    return network, context


def tables_of(codec: TableCodec) -> ColumnTables:
    """The constants of the network, `[L, V]`."""
    shape = (codec.length, codec.num_values)
    log_share = np.full(shape, ABSENT_LOGIT)
    rank, score = np.zeros(shape), np.zeros((*shape, 2))
    for i, column in enumerate(codec.columns):
        coder = column.coder
        k = coder.size
        log_share[i, :k] = np.log(coder.share)
        if isinstance(coder, NumberColumn):
            rank[i, :k] = np.cumsum(coder.share) - coder.share / 2
            score[i, :k] = coder.context(coder.bin_means)
        else:
            rank[i] = np.nan
    return ColumnTables.of(log_share=log_share, rank=rank, score=score)
