-- Empty the stage of a load. DELETE, because TRUNCATE commits on Redshift and a partition is one transaction.
DELETE FROM staging.event;
DELETE FROM staging.box_office;
DELETE FROM staging.interaction;
DELETE FROM staging.account;
DELETE FROM staging.artist;
DELETE FROM staging.venue;
