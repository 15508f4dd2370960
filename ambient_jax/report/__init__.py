"""Reports for people: pictures, curves, pages of runs and tables, comparisons."""
