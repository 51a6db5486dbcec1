"""The proof of the engine: generated programs before a judge, wrong engines that have to be noticed, long counts."""
