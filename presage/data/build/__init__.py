"""How a corpus is built: read and judge part by part, decide over all parts, finish part by part, mix and split."""
