"""Many runs: jobs and their executors, trackers, comparisons, sweeps."""
