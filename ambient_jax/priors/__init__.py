"""First models of complete rows, fitted on incomplete ones before the network is."""
