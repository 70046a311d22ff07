-- Staging tables that all loads shared, and that kept them from running side by side: a load has temporary ones now.
-- Owner: data-platform.
DROP TABLE IF EXISTS staging.event;
DROP TABLE IF EXISTS staging.box_office;
DROP TABLE IF EXISTS staging.interaction;
DROP TABLE IF EXISTS staging.account;
DROP TABLE IF EXISTS staging.artist;
DROP TABLE IF EXISTS staging.venue;
