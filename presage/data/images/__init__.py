"""Images beside text: files verified and read, records of interleaved parts, pixels in shards."""
