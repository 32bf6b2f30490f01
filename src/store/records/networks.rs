//! Networks, and which container has which address on them.

use super::{execute, from_json, or_damaged, query, readable, text, to_json};
use crate::model::id::ContainerId;
use crate::model::network::Network;
use crate::store::process::Owner;
use crate::store::{Error, Result};
use rusqlite::{Connection, Row, Transaction, params};
use std::net::IpAddr;

/// An address that a container has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    pub network: String,
    pub address: IpAddr,
    pub container: ContainerId,
    /// The process that is starting the container now; `None`: the container's own state says whether it lives.
    pub starting: Option<Owner>,
}

/// `false`: a network of that name exists.
pub fn insert_network(t: &Transaction<'_>, network: &Network) -> Result<bool> {
    let added = execute(
        t,
        "INSERT OR IGNORE INTO networks (id, name, created, json) VALUES (?1, ?2, ?3, ?4)",
        params![network.id, network.name, network.created.0, to_json(network)?],
    )?;
    Ok(added > 0)
}

const NETWORK: &str = "SELECT id, json FROM networks";

fn network_row(row: &Row<'_>) -> Result<Network> {
    let id = text(row, 0)?;
    from_json(|| format!("network {id}"), &text(row, 1)?)
}

/// By name, without those that cannot be read.
pub fn networks(c: &Connection) -> Result<Vec<Network>> {
    Ok(readable(query(c, &format!("{NETWORK} ORDER BY name"), [], |row| or_damaged(network_row(row)))?))
}

pub(super) fn damaged_networks(c: &Connection) -> Result<Vec<Result<()>>> {
    query(c, NETWORK, [], |row| or_damaged(network_row(row).map(drop)))
}

pub fn network_by_name(c: &Connection, name: &str) -> Result<Option<Network>> {
    Ok(query(c, &format!("{NETWORK} WHERE name = ?1"), [name], network_row)?.pop())
}

pub fn network(c: &Connection, id: &str) -> Result<Option<Network>> {
    Ok(query(c, &format!("{NETWORK} WHERE id = ?1"), [id], network_row)?.pop())
}

/// Its leases go with it.
pub fn delete_network(t: &Transaction<'_>, id: &str) -> Result<bool> {
    Ok(execute(t, "DELETE FROM networks WHERE id = ?1", [id])? > 0)
}

// ---- leases -----------------------------------------------------------------------------------------------------

/// Ordered as numbers, so that ranges can be asked for.
fn key(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(a) => a.octets().to_vec(),
        IpAddr::V6(a) => a.octets().to_vec(),
    }
}

fn address(row: &Row<'_>, index: usize) -> Result<IpAddr> {
    let bytes: Vec<u8> = row.get(index).map_err(Error::row)?;
    let four = <[u8; 4]>::try_from(bytes.as_slice()).map(IpAddr::from);
    let any = four.or_else(|_| <[u8; 16]>::try_from(bytes.as_slice()).map(IpAddr::from));
    any.map_err(|_| Error::Corrupt { what: "a leased address".into(), why: format!("it has {} bytes", bytes.len()) })
}

const LEASE: &str = "SELECT network, address, container, starting FROM leases";

fn lease_row(row: &Row<'_>) -> Result<Lease> {
    let starting: Option<String> = row.get(3).map_err(Error::row)?;
    let container = ContainerId::try_from(text(row, 2)?)
        .map_err(|e| Error::Corrupt { what: "a lease's container".into(), why: e.to_string() })?;
    Ok(Lease {
        network: text(row, 0)?,
        address: address(row, 1)?,
        container,
        starting: starting.and_then(|s| s.parse().ok()),
    })
}

/// Everybody's.
pub fn leases(c: &Connection) -> Result<Vec<Lease>> {
    query(c, LEASE, [], lease_row)
}

pub fn leases_of_network(c: &Connection, network: &str) -> Result<Vec<Lease>> {
    query(c, &format!("{LEASE} WHERE network = ?1"), [network], lease_row)
}

pub fn leases_of_container(c: &Connection, container: &ContainerId) -> Result<Vec<Lease>> {
    query(c, &format!("{LEASE} WHERE container = ?1"), [container.as_str()], lease_row)
}

/// Who has this address.
pub fn lease_at(c: &Connection, network: &str, address: IpAddr) -> Result<Option<Lease>> {
    Ok(query(c, &format!("{LEASE} WHERE network = ?1 AND address = ?2"), params![network, key(address)], lease_row)?
        .pop())
}

/// Takes the address for this container; the caller has seen that nobody else has it.
pub fn put_lease(t: &Transaction<'_>, lease: &Lease) -> Result<()> {
    execute(
        t,
        "INSERT INTO leases (network, address, container, starting) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (network, address) DO UPDATE SET container = excluded.container, starting = excluded.starting",
        params![
            lease.network,
            key(lease.address),
            lease.container.as_str(),
            lease.starting.map(|owner| owner.to_string())
        ],
    )
    .map(drop)
}

pub fn delete_lease(t: &Transaction<'_>, network: &str, address: IpAddr) -> Result<()> {
    execute(t, "DELETE FROM leases WHERE network = ?1 AND address = ?2", params![network, key(address)]).map(drop)
}

/// The start is over: from now on the container's own state tells whether its addresses are in use.
pub fn leases_started(t: &Connection, container: &ContainerId) -> Result<()> {
    execute(t, "UPDATE leases SET starting = NULL WHERE container = ?1 AND starting IS NOT NULL", [container.as_str()])
        .map(drop)
}

/// The next address from `first` to `last` that nobody has and that is none of `reserved`. The one after the highest
/// taken, so that an address just freed is not given away at once; gaps when the end is reached.
pub fn free_address(
    c: &Connection,
    network: &str,
    (first, last): (IpAddr, IpAddr),
    reserved: &[IpAddr],
) -> Result<Option<IpAddr>> {
    let bounds = params![network, key(first), key(last), key(first).len() as i64];
    let within = "FROM leases WHERE network = ?1 AND address >= ?2 AND address <= ?3 AND length(address) = ?4";
    let highest =
        query(c, &format!("SELECT address {within} ORDER BY address DESC LIMIT 1"), bounds, |r| address(r, 0))?;
    let candidate = match highest.first() {
        None => Some(first),
        Some(highest) => next(*highest),
    };
    if let Some(found) = beyond(candidate, last, reserved) {
        return Ok(Some(found));
    }
    let taken = query(c, &format!("SELECT address {within} ORDER BY address"), bounds, |r| address(r, 0))?;
    let mut candidate = beyond(Some(first), last, reserved);
    for used in taken {
        match candidate {
            Some(free) if free < used => return Ok(Some(free)),
            Some(free) if free == used => candidate = beyond(next(free), last, reserved),
            _ => {}
        }
    }
    Ok(candidate)
}

/// The first from `candidate` on that is not reserved.
fn beyond(mut candidate: Option<IpAddr>, last: IpAddr, reserved: &[IpAddr]) -> Option<IpAddr> {
    while let Some(address) = candidate.filter(|a| *a <= last) {
        if !reserved.contains(&address) {
            return Some(address);
        }
        candidate = next(address);
    }
    None
}

fn next(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(a) => u32::from(a).checked_add(1).map(|n| IpAddr::V4(n.into())),
        IpAddr::V6(a) => u128::from(a).checked_add(1).map(|n| IpAddr::V6(n.into())),
    }
}

/// An address wanted on a network.
#[derive(Debug)]
pub struct Want<'a> {
    pub network: &'a str,
    /// Exactly this one.
    pub asked: Option<IpAddr>,
    /// First and last that may be given unasked.
    pub bounds: (IpAddr, IpAddr),
    pub reserved: &'a [IpAddr],
}

/// What came of [`take_leases`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// One for each want. `from_dead`: some had been a dead container's.
    Addresses {
        addresses: Vec<IpAddr>,
        from_dead: bool,
    },
    Held(Lease),
    /// The index of the want that found no free address.
    Exhausted(usize),
}

/// Takes an address for each want. Those the container has already stay its own where they fit; those of containers of
/// which `is_dead` is true are taken when nothing else is left, or when they are asked for.
pub fn take_leases(
    t: &Transaction<'_>,
    container: &ContainerId,
    starting: Owner,
    wants: &[Want<'_>],
    is_dead: &dyn Fn(&Lease) -> bool,
) -> Result<Taken> {
    let mut from_dead = false;
    let mut addresses = Vec::new();
    for (index, want) in wants.iter().enumerate() {
        let own = own_lease(t, container, want)?;
        let address = match (own, want.asked) {
            (Some(own), _) => own,
            (None, Some(asked)) => match lease_at(t, want.network, asked)? {
                Some(held) if held.container != *container && !is_dead(&held) => return Ok(Taken::Held(held)),
                held => {
                    from_dead |= held.is_some_and(|h| h.container != *container);
                    asked
                }
            },
            (None, None) => match free_address(t, want.network, want.bounds, want.reserved)? {
                Some(free) => free,
                None => {
                    from_dead |= drop_dead(t, want.network, is_dead)? > 0;
                    match free_address(t, want.network, want.bounds, want.reserved)? {
                        Some(free) => free,
                        None => return Ok(Taken::Exhausted(index)),
                    }
                }
            },
        };
        let lease =
            Lease { network: want.network.to_owned(), address, container: container.clone(), starting: Some(starting) };
        put_lease(t, &lease)?;
        addresses.push(address);
    }
    Ok(Taken::Addresses { addresses, from_dead })
}

/// The container's address from an earlier start, if it will do; others that it has of this family go.
fn own_lease(t: &Transaction<'_>, container: &ContainerId, want: &Want<'_>) -> Result<Option<IpAddr>> {
    let (first, last) = want.bounds;
    let mut kept = None;
    for lease in leases_of_container(t, container)? {
        let address = lease.address;
        if lease.network != want.network || address.is_ipv4() != first.is_ipv4() {
            continue;
        }
        let fits = match want.asked {
            Some(asked) => asked == address,
            None => (first..=last).contains(&address) && !want.reserved.contains(&address),
        };
        if fits && kept.is_none() {
            kept = Some(address);
        } else {
            delete_lease(t, want.network, address)?;
        }
    }
    Ok(kept)
}

fn drop_dead(t: &Transaction<'_>, network: &str, is_dead: &dyn Fn(&Lease) -> bool) -> Result<usize> {
    let dead: Vec<_> = leases_of_network(t, network)?.into_iter().filter(is_dead).collect();
    dead.iter().try_for_each(|lease| delete_lease(t, network, lease.address))?;
    Ok(dead.len())
}
