"""The domain: bundles, submissions, jobs, evaluation and ranking. Independent of web, engines and terminal."""
