"""Where task instances are handed to: a protocol, and one file per way of running them."""
