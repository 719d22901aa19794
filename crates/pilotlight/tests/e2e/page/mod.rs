//! The dashboard's page: how it is served, what it is told, and what people see of it in a real browser.

mod events;
mod served;

mod alone;
mod barriers;
mod jobs;
mod jobs_keys;
mod seen;
mod writes;
