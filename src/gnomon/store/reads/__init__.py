"""The read side of the store for REST: lists and single rows, labelled with the names that the API shows."""
