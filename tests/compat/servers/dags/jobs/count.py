"""Counts in Spark."""

import sys

from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
print(f"{sys.argv[1]} counts {spark.range(5).count()}")
spark.stop()
