-- Two loads of the stream follow each other, so that the second one sees the events of the first; readers are left alone.
-- First in its transaction: LOCK takes no snapshot.
LOCK staging.lock_stream;
