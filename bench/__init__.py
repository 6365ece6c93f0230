"""Measures the ledger and writes ``bench/report.json``, a flat map of named figures.

``make bench``                  (``python -m bench``)          the real size; writes bench/report.json, some ten minutes
``make bench ARGS=--smoke``     (``python -m bench --smoke``)  the smoke size; writes .benchmarks/smoke.json
``python -m bench --smoke -k settle``                          some of it, by pytest's own options; writes no report

Nothing here asserts a time. Results are compared with an independent way to them before anything is timed, and a
hash of the workload and of the result stands beside every figure: whoever gets faster by changing the meaning
changes a hash. Every figure is a median of rounds after one warm-up round; where a figure is a ratio, both sides run
in turn, in the same process, on the same data (``month.x10_growth`` has fewer rounds of the large month, between the
others; ``month.vs_reference`` is one pair of processes). Before each timed run what came before is written to disk and
collected, so that nobody pays for it; the collector stays on; buffers a kernel writes are in memory before it is
timed, and every round of a store begins with an empty one. Peaks of memory are those of a process of its own.

Names: ``settle`` the settle kernel over claims sorted by person · ``settle.sorted`` the same over the pinned workload
of hundreds of policies, ``settle.narrow`` that of the first issue's formula; ``bench/peers`` holds both and what
settles them otherwise: C, NumPy, Numba, Polars, DuckDB · ``append`` blocks of events through a store's transaction,
each durable when it returns · ``month`` a generated file through ``ledger.create``, ``enact``, ``intake`` and the
statement of the period · ``codec`` columns to and from event states · ``parse`` a file to columns · ``fold`` claims to
sums a pair of regions · ``clearing`` a closed month's statement of all pairs and one city's detail export in both
roles · ``xlsx`` rows of a workbook · ``proof`` events to leaves and root, and per store the tree built from its log.
``…vs_X`` is the time X takes over the time the ledger's own way takes; ``settle.sorted.vs_c`` and ``…x5_vs_c`` are the
ledger's time over C's, ``settle.arrival.vs_sorted`` and ``settle.x4_growth`` the kernel's over its own.
``append.*.vs_stock`` is the library's own recorder inserting the same rows, in transactions of as many events as it
can take (``append.*.stock_events_per_transaction``).
"""
