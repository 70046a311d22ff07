-- The roles of the warehouse; 0046_grants.sql says what each may do. A person or a service gets one by GRANT ROLE, or by the
-- tag RedshiftDbRoles of the IAM role that signs in.
--     loader    the DAGs: writes every schema
--     analyst   people and dashboards: reads everything but the stage
--     api       the API and the chatbot: reads what is published
--     ml        training and scoring jobs: reads core and marts, writes ml
-- Owner: data-platform.
CREATE ROLE loader;
CREATE ROLE analyst;
CREATE ROLE api;
CREATE ROLE ml;
