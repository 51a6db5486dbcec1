# Programs, not test modules: collecting them for doctests would run them.
collect_ignore_glob = ["[!c]*.py", "c[!o]*.py"]
