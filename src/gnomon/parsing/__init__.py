"""From DAG files to what is recorded of them: watching, parsing in processes that may fail, recording."""
