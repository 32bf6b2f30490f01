//! Networks of containers: the plan a monitor carries out, and the files that name hosts and resolvers.

pub mod files;
pub mod plan;
