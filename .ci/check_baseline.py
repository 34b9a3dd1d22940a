#!/usr/bin/env python3
"""Checks a stored baseline from outside: that its raw samples, summed without any code of this project, are as many
seconds as the rule asks for, behind ten of warm-up, and that nobody waived the rule.

usage: check_baseline.py BASELINE.json SECONDS
"""

import gzip
import hashlib
import itertools
import json
import pathlib
import sys

WARM_UP = 10


def samples_of(bench, state):
    """The coded samples of each fork that counts, from the document or the file beside it."""
    if "raw" in bench:
        packed = (state / bench["raw"]["path"]).read_bytes()
        if hashlib.sha256(packed).hexdigest() != bench["raw"]["sha256"]:
            sys.exit(f"{bench['raw']['path']}: not what the document names")
        coded = json.loads(gzip.decompress(packed))
    else:
        coded = [fork["samples"] for fork in bench["forks"]]
    # A fork that was disturbed was measured anew and counts in nothing.
    return [samples for samples, fork in zip(coded, bench["forks"], strict=True) if "set_aside" not in fork]


def main():
    path, required = pathlib.Path(sys.argv[1]), float(sys.argv[2])
    baseline = json.loads(path.read_text())
    if baseline["duration"] != {"required_s": required, "waiver": None}:
        sys.exit(f"{required} s without a waiver were expected, not {baseline['duration']}")
    for bench in baseline["benches"]:
        coded = samples_of(bench, path.parent.parent)
        nanoseconds = sum(sum(itertools.accumulate(fork["totals_delta"])) for fork in coded)
        counts = sum(len(fork["iterations_delta"]) for fork in coded)
        name = bench["bench"]["id"]
        print(f"{name}: {nanoseconds / 1e9:.3f} s in {counts} raw samples of {len(coded)} forks")
        if nanoseconds / 1e9 < required:
            sys.exit(f"{name}: less than {required} s were measured")
        if abs(nanoseconds / 1e9 - bench["totals"]["measured_s"]) > 1e-6:
            sys.exit(f"{name}: the document says {bench['totals']['measured_s']} s")
        if bench["totals"]["warm_up_s"] < WARM_UP:
            sys.exit(f"{name}: {bench['totals']['warm_up_s']} s of warm-up, not {WARM_UP}")


main()
