"""Fitted imputers in folders, as `model.json` and `model.npz`. No pickles."""
