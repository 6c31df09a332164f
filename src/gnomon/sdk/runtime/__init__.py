"""What exists only while a task, trigger or callback runs: channel, context, task instance, XCom."""
