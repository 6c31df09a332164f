"""What the tests of the worker's processes put in the place of scheduler, SDK and runner."""
