"""Recommendations by ALS on Spark: the path for interactions that one machine does not hold.

    spark-submit ml/recommender/spark_als.py --interactions s3://.../interactions/ --output s3://.../scores/ \
        --checkpoints s3://.../checkpoints/

Reads Parquet with user_id, artist_id, weight (include/sql/features/recommender_interactions.sql), writes JSON lines
with user_id, algorithm `collaborative`, position, artist_id and score: predict.py's without reasons and version. Needs
Spark and numpy alone, as Glue has them. No row reaches the driver; ids become numbers by their order, so that the same
rows give the same model. Implicit feedback: Hu, Koren and Volinsky, Collaborative Filtering for Implicit Feedback
Datasets, 2008.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

FACTORS, ROUNDS, RIDGE, CONFIDENCE = 64, 10, 0.1, 10.0
SEED = 7
ROUNDS_A_CHECKPOINT = 2  # each round reads the one before: without, its plan overflows an executor's stack
LONGEST_HISTORY = 500  # a list may be shorter than the limit for whoever knows more artists than this


def numbered(column: DataFrame) -> DataFrame:
    """Values of a column of one, each with a whole number, as ALS wants ids."""
    from pyspark.sql.types import IntegerType, StructField, StructType

    schema = StructType([*column.schema.fields, StructField("number", IntegerType())])
    ordered = column.distinct().sort(column.columns[0])
    return ordered.rdd.zipWithIndex().map(lambda row: (*row[0], row[1])).toDF(schema)


def strengths(interactions: DataFrame) -> DataFrame:
    """One row per pair: log of the weight, divided by the user's mean (features.relative_log)."""
    from pyspark.sql import Window
    from pyspark.sql import functions as f

    own = Window.partitionBy("user_id")
    pairs = interactions.groupBy("user_id", "artist_id").agg(f.sum("weight").alias("weight")).where("weight > 0")
    logs = pairs.withColumn("log", f.log1p("weight"))
    return logs.select("user_id", "artist_id", (f.col("log") / f.mean("log").over(own)).alias("strength"))


def recommend(interactions: DataFrame, limit: int, factors: int = FACTORS, rounds: int = ROUNDS) -> DataFrame:
    """The best artists that each user does not know: user_id, position, artist_id, score.

    :param interactions: user_id, artist_id, weight; a pair may come several times. Spark needs a checkpoint folder
    """
    from pyspark.ml.recommendation import ALS
    from pyspark.sql import Window
    from pyspark.sql import functions as f

    pairs = strengths(interactions).cache()
    users = numbered(pairs.select("user_id")).withColumnRenamed("number", "user")
    items = numbered(pairs.select("artist_id")).withColumnRenamed("number", "item")
    ratings = pairs.join(users, "user_id").join(items, "artist_id").select("user", "item", "strength").cache()
    als = ALS(
        rank=factors, maxIter=rounds, regParam=RIDGE, alpha=CONFIDENCE, implicitPrefs=True, seed=SEED,
        checkpointInterval=ROUNDS_A_CHECKPOINT,
        userCol="user", itemCol="item", ratingCol="strength", coldStartStrategy="drop",
    )  # fmt: skip
    longest = ratings.groupBy("user").count().agg(f.max("count")).first()
    known = min(int(longest[0] or 0), LONGEST_HISTORY) if longest else 0
    ranked = als.fit(ratings).recommendForAllUsers(limit + known)
    shown = ranked.select("user", f.inline("recommendations")).join(ratings, ["user", "item"], "left_anti")
    best = Window.partitionBy("user").orderBy(f.desc("rating"), "item")
    placed = shown.withColumn("position", f.row_number().over(best)).where(f.col("position") <= limit)
    return (
        placed.join(users, "user")
        .join(items, "item")
        .select("user_id", "position", "artist_id", f.round("rating", 6).alias("score"))
    )


def run(spark: SparkSession, interactions: str, output: str, checkpoints: str, limit: int) -> None:
    from pyspark.sql import functions as f

    spark.sparkContext.setCheckpointDir(checkpoints)
    listed = recommend(spark.read.parquet(interactions), limit)
    rows = listed.withColumn("algorithm", f.lit("collaborative")).repartition("user_id")
    rows.sortWithinPartitions("user_id", "position").write.mode("overwrite").json(output)


def main() -> None:
    from pyspark.sql import SparkSession

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--interactions", required=True, help="folder or address of Parquet files")
    parser.add_argument("--output", required=True, help="folder or address, overwritten")
    parser.add_argument("--checkpoints", required=True, help="folder or address that may be deleted afterwards")
    parser.add_argument("--limit", type=int, default=30, help="artists per user")
    asked = parser.parse_args()
    spark = SparkSession.builder.appName("recommender-als").getOrCreate()
    run(spark, asked.interactions, asked.output, asked.checkpoints, asked.limit)


if __name__ == "__main__":
    main()
