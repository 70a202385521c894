"""How fast this machine trains a given shape: real steps on made-up tokens, for a few seconds."""

from __future__ import annotations

import statistics
import time

import torch

from presage.core.device import Device
from presage.model.transformer import build
from presage.train.optim import Optimizer, clip_gradients
from presage.train.pretrain import Config, next_token_loss


def training_rate(config: Config, device: Device, seconds: float = 2.0) -> float:
    """FLOP/s of full steps (forward, backward, clip, update) of this config's shape and batch: of the median step.

    The first step is not counted, and a burst of other work slows only some of the others. Restores the number of
    threads it found.
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
        clip_gradients(optimizer.gradients(), config.optim.grad_clip)
        with device.autocast():
            optimizer.step(1e-3, count)
        optimizer.zero_grad()

    step(1)
    times: list[float] = []
    while sum(times) < seconds:
        start = time.perf_counter()
        step(len(times) + 2)
        if place.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    torch.set_num_threads(threads)
    return tokens.numel() * config.model.flops_per_token() / statistics.median(times)
