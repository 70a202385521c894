"""Peaks: matmul and copy rates, fp32 and bf16, on one thread and on all; what every share of peak refers to."""

from __future__ import annotations

import torch
from harness.report import entry, options, publish, table

from presage.bench.peaks import COPY_BYTES, copy_rate
from presage.core.device import matmul_rate
from presage.core.workers import usable_cores


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--seconds", type=float, default=1.0, help="time for each figure")
    args = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    rows = []
    for threads in sorted({1, usable_cores()}) if device == "cpu" else [1]:
        torch.set_num_threads(threads)
        for dtype in (torch.float32, torch.bfloat16):
            matmul = matmul_rate(device, dtype, args.seconds) / 1e9
            copy = copy_rate(device, dtype, args.seconds) / 1e9
            name = str(dtype).removeprefix("torch.")
            rows.append([f"{device}, {name}, {threads} thread{'s' * (threads > 1)}", f"{matmul:,.1f}", f"{copy:,.1f}"])
    what = (
        f"Matmul: [2048, 1024] x [1024, 1024]. Copy: {COPY_BYTES >> 20} MiB to another place, bytes read and bytes "
        f"written both counted. Best of repeated timings within {args.seconds:g} s each."
    )
    publish("peaks", "Peaks", [table(["", "matmul, GFLOP/s", "copy, GB/s"], rows), what], write=args.write)


if __name__ == "__main__":
    entry(main)
