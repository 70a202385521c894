# ruff: noqa
"""A zlib bomb of 600 MB, and a zip of zeros that is imported."""

import io
import sys
import zipfile
import zlib


def attack(world):
    packed = zlib.compressobj()
    bomb = b"".join(packed.compress(bytes(1 << 20)) for _ in range(600)) + packed.flush()
    attempt("zlib", zlib.decompress, bomb)
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.py", b"#" * (50 << 20))

    def load():
        with open("/tmp/presage-bomb.zip", "wb") as file:
            file.write(memory.getvalue())
        sys.path.insert(0, "/tmp/presage-bomb.zip")
        import bomb  # noqa: F401

    attempt("import", load)
    return came_off()
