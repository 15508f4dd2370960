"""Tables for Gaussian diffusion: standardised columns, fit and completion."""
