"""The domain: bundles, submissions, jobs, evaluation, ranking. Knows no web, no engine, no terminal."""
