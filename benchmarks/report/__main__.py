"""The report command: `python -m benchmarks.report`."""

from benchmarks.report.page import main

main()
