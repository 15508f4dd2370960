"""What a person looks at: pictures, curves, the run's page, comparisons."""
