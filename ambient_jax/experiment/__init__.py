"""From a config to a run: the only room that knows fields by name."""
