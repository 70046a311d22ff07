-- Two refreshes of the marts follow each other; readers are left alone. First in its transaction. Owner: analytics.
LOCK staging.lock_mart;
