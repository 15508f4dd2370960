"""Cells that are text: what they mean as numbers, dates, codes, or missing cells."""
