//! Networking of containers: for now the files that name hosts and resolvers (`hosts`, `hostname`, `resolv.conf`).

pub mod files;
