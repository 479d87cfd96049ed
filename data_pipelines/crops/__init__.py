"""Prepared crops: cut or made once, stored in shards, read at random. What a batch is made of: `batches`."""
