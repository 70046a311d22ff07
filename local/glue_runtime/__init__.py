"""What surrounds a Glue job script in its Spark process: the mirror of S3 and a stand-in for the awsglue library."""
