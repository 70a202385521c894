"""How fast this machine trains a given shape: real steps on made-up tokens, for a few seconds."""

from __future__ import annotations

import time

import torch

from presage.core.device import Device
from presage.model.transformer import build
from presage.train.optim import Optimizer, clip_gradients
from presage.train.pretrain import Config, next_token_loss


def training_rate(config: Config, device: Device, seconds: float = 2.0) -> float:
    """FLOP/s of full steps (forward, backward, clip, update) of this config's shape and batch.

    The first step is not counted. Restores the number of threads it found.
    """
    threads = torch.get_num_threads()
    place = device.apply()
    model = build(config.model, 0).to(place)
    optimizer = Optimizer(model, config.optim)
    sequences = max(1, config.batch_tokens // config.model.context_length)
    tokens = torch.randint(config.model.vocab_size, (sequences, config.model.context_length), device=place)

    def step(count: int) -> None:
        for part in torch.split(tokens, config.micro_batch):
            with device.autocast():
                loss, _ = next_token_loss(model, (part, part))
            loss.backward()  # type: ignore[no-untyped-call]
        clip_gradients(optimizer.named.values(), config.optim.grad_clip)
        optimizer.step(1e-3, count)
        optimizer.zero_grad()

    step(1)
    count, start = 1, time.perf_counter()
    while time.perf_counter() - start < seconds:
        count += 1
        step(count)
    if place.type == "cuda":
        torch.cuda.synchronize()
    spent = time.perf_counter() - start
    torch.set_num_threads(threads)
    return (count - 1) * tokens.numel() * config.model.flops_per_token() / spent
