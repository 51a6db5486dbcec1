"""The proof of the engine: generated programs that are judged, wrong engines that must be noticed, and long runs."""
