"""Assembles a `Trainer` from one frozen `Settings`, whoever fills it in."""
