"""Models of the platform. No Airflow here: training and scoring run in SageMaker jobs of their own."""
