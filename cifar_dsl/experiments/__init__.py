"""Many runs: jobs and who runs them, trackers, comparisons, sweeps."""
