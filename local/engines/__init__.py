"""Real engines behind the local AWS: Spark for Glue, PostgreSQL for Redshift, processes for SageMaker."""
