"""What crosses a process boundary: the serialized DAG and the messages of the execution protocol."""
