-- ml.recommendation: an artist that is recommended to a user by an algorithm; position 1 is the best.
-- Holds the last publication only. because is the artist, tag or friend behind the signal, where there is one.
-- Key (user_id, algorithm, position), checks/recommendation_duplicate.sql.
-- Source: load/publish_recommendation.sql. Owner: data-science.
CREATE TABLE IF NOT EXISTS ml.recommendation (
    user_id VARCHAR(256) NOT NULL,
    algorithm VARCHAR(32) NOT NULL,  -- hybrid | collaborative | content
    position INTEGER NOT NULL,
    artist_id VARCHAR(256) NOT NULL,
    score DOUBLE PRECISION NOT NULL,
    signal VARCHAR(64) NOT NULL,
    because VARCHAR(4096),
    as_of DATE NOT NULL,
    model_name VARCHAR(128) NOT NULL,
    model_version VARCHAR(128) NOT NULL,
    run_id VARCHAR(128) NOT NULL,
    published_at TIMESTAMP NOT NULL
) DISTKEY (user_id) SORTKEY (user_id, algorithm);
