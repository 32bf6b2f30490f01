//! Real packets between network namespaces: a host, an outside machine, containers. Each test has its own host.

mod failures;
mod firewall;
mod live;
mod scale;
mod traffic;
mod world;
