"""Box-office files of any mapping in include/mappings/, read without Spark: for the command lines on anyone's data."""
