"""What the benchmarks share: the machine in one line, Markdown tables, the peer's shape, a process that times steps."""
