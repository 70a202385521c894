"""Causal self-attention: grouped queries, optional QK-norm, RoPE and a local band. One module for every preset."""

from __future__ import annotations

import abc
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from presage.model.config import ModelConfig
from presage.model.layers import Rotary, build_norm
from presage.model.short_attention import is_short, short_attention


class KeyValueStore(Protocol):
    """What decoding hands to each layer: it keeps the keys and values of earlier tokens."""

    def attended(self, layer: int, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, band: int | None) -> Tensor:
        """Add this call's keys and values [B, G, T, E]; return what its queries [B, H, T, E] find, of their shape.

        band: the last so many keys of each query alone, its own included.
        """


class Extending(abc.ABC):
    """A store whose keys and values, earlier and new, lie side by side in one tensor. Implements KeyValueStore."""

    @abc.abstractmethod
    def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Add this call's [B, G, T, E]; return all keys and values to attend to, [B, G, S, E]."""

    @abc.abstractmethod
    def band(self, width: int) -> Tensor:
        """[B, 1, T, S], True for the last `width` keys of each query, its own included: a banded layer's mask."""

    def attended(self, layer: int, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, band: int | None) -> Tensor:
        """[B, H, T, E]."""
        k, v = self.extend(layer, k, v)
        return attend(q, k, v, mask if band is None else both(self.band(band), mask))


class Attention(nn.Module):
    """[B, T, D] -> [B, T, D]. `mask` is True where a query may attend, [T, S] or [B, 1, T, S]; None is causal."""

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        self.layer, self.d_head = layer, config.d_head
        self.n_heads, self.n_kv_heads = config.n_heads, config.n_kv_heads
        queries, keys = config.n_heads * config.d_head, config.n_kv_heads * config.d_head
        self.splits = [queries, keys, keys]
        self.qkv = nn.Linear(config.d_model, sum(self.splits), bias=config.bias or config.qkv_bias)
        self.out = nn.Linear(queries, config.d_model, bias=config.bias)
        self.q_norm: nn.Module = build_norm(config, config.d_head) if config.qk_norm else nn.Identity()
        self.k_norm: nn.Module = build_norm(config, config.d_head) if config.qk_norm else nn.Identity()
        # Odd layers are banded, the first is dense: the papers do not give the phase.
        self.band = config.band if config.band and layer % 2 else None

    def forward(
        self, x: Tensor, positions: Tensor, rotary: Rotary | None, mask: Tensor | None, store: KeyValueStore | None
    ) -> Tensor:
        q, k, v = self.projected(x, positions, rotary)
        if store is not None:
            out = store.attended(self.layer, q, k, v, mask, self.band)
        else:
            out = attend(q, k, v, self._banded(mask, x))
        result: Tensor = self.out(out.transpose(1, 2).flatten(2))
        return result

    def projected(self, x: Tensor, positions: Tensor, rotary: Rotary | None) -> tuple[Tensor, Tensor, Tensor]:
        """Queries [B, H, T, E], keys and values [B, G, T, E], as they attend."""
        q, k, v = self.qkv(x).split(self.splits, dim=-1)
        q, k, v = self.q_norm(self._heads(q)), self.k_norm(self._heads(k)), self._heads(v)
        if rotary is not None:
            q, k = rotary(q, positions), rotary(k, positions)
        return q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)

    def _heads(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:-1], -1, self.d_head)

    def _banded(self, mask: Tensor | None, x: Tensor) -> Tensor | None:
        if self.band is None:
            return mask
        return both(band_mask(x.shape[1], x.shape[1], self.band, x.device), mask)


def both(one: Tensor, other: Tensor | None) -> Tensor:
    """Two masks at once; None is all True where `one` is causal already."""
    return one if other is None else one & other


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    """Scaled dot-product attention, [B, H, T, E] x [B, G, S, E] -> [B, H, T, E]; causal when mask is None."""
    if mask is None and is_short(q, k):
        return short_attention(q, k, v)
    return F.scaled_dot_product_attention(
        q, k, v, attn_mask=mask, is_causal=mask is None, enable_gqa=q.shape[1] != k.shape[1]
    )


def causal_mask(n_queries: int, n_keys: int, device: torch.device) -> Tensor:
    """[T, S], True at or before the query; the queries are the last T of the S positions."""
    return torch.ones(n_queries, n_keys, dtype=torch.bool, device=device).tril(n_keys - n_queries)


def band_mask(n_queries: int, n_keys: int, band: int, device: torch.device) -> Tensor:
    """The causal mask restricted to the last `band` keys, the query's own included (Sparse Transformer, local part)."""
    causal = causal_mask(n_queries, n_keys, device)
    return causal & ~torch.ones_like(causal).tril(n_keys - n_queries - band)
