"""HTTP, and the answers to user code: REST v2, the execution protocol, logins."""
