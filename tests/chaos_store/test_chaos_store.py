"""Some of the damages, on a hub whose files are small: none goes unnoticed, and each verdict is what it should be."""

from pathlib import Path

import httpx

from tests.chaos_store.cases import Bench
from tests.chaos_store.hub import new_port

EXPECTED = {
    ("killed", "LOG", "1 bit in its block"): "refused",  # the log ends before the watermark
    ("killed", "KV_HUB", "1 bit in meta.inf"): "refused",
    ("stopped", "LOG", "1 bit in its block"): "stopped",  # the numbers are right, a record is missing
    ("stopped", "KV_HUB", "1 bit in its block"): "refused",
    ("checkpointed", "SNAP", "its block is gone"): "stopped",  # fewer images than the checkpoint counted
    ("checkpointed", "KV_LEASES", "the stream is gone"): "whole",
}


async def test_no_damage_goes_unnoticed(tmp_path: Path) -> None:
    async with httpx.AsyncClient(trust_env=False, timeout=20) as http:
        bench = Bench(tmp_path, new_port(), http)
        await bench.prepare(visitors=2, texts=5, size=20, trim_s=0)
        partition = bench.partition
        found = {}
        for case in bench.cases():
            kind, _, number = case.stream.partition("-")
            key = (case.stop, kind, case.damage)
            if key in EXPECTED and number in ("", str(partition)):
                found[key] = await bench.run(case)
    assert {key: result.verdict for key, result in found.items()} == EXPECTED, found
