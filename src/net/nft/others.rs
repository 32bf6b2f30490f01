//! What the machine's other tables do to packets between containers and the outside. The legacy iptables keep theirs elsewhere,
//! out of sight from here.

use super::{Firewall, wire};
use crate::net::attribute::{find, text, walk};
use crate::net::error::{Doing, Result};
use crate::sys::netlink::DUMP;

/// A chain of somebody else's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// `NFPROTO_*`
    family: u8,
    pub table: String,
    pub name: String,
}

impl Chain {
    /// As `nft` wants it: `ip filter FORWARD`.
    pub fn words(&self) -> String {
        let family = match self.family {
            wire::FAMILY_INET => "inet",
            wire::FAMILY_IPV6 => "ip6",
            _ => "ip",
        };
        format!("{family} {} {}", self.table, self.name)
    }
}

impl Firewall {
    /// The chain whose policy drops what is forwarded, in a table none of whose rules speaks of that bridge, or of all of
    /// teu's by the beginning of their names: then nothing passes between the bridge and the outside.
    pub fn closed_by(&mut self, bridge: &str) -> Result<Option<Chain>> {
        let found = self.socket.query(wire::GETCHAIN, DUMP, &wire::ANY).doing(|| "list firewall chains".into())?;
        let chains: Vec<Chain> = found.iter().filter_map(|m| closed(&m.payload)).collect();
        for chain in chains.into_iter().filter(|c| c.table != self.table) {
            let table = wire::named_of(chain.family, &chain.table);
            let rules = self.socket.query(wire::GETRULE, DUMP, &table).doing(|| "list firewall rules".into())?;
            if !rules.iter().any(|m| speaks_of(&m.payload, bridge)) {
                return Ok(Some(chain));
            }
        }
        Ok(None)
    }
}

/// Of a chain's description: whether it is at the forward hook, with the policy to drop.
fn closed(payload: &[u8]) -> Option<Chain> {
    const FORWARD: u32 = 2;
    const DROP: u32 = 0;
    let family = *payload.first()?;
    let attributes = payload.get(wire::HEAD..)?;
    let number = |value: &[u8]| Some(u32::from_be_bytes(value.try_into().ok()?));
    let hook = number(find(find(attributes, wire::CHAIN_HOOK)?, wire::HOOK_NUMBER)?)?;
    let policy = number(find(attributes, wire::CHAIN_POLICY)?)?;
    let routed = [wire::FAMILY_INET, wire::FAMILY_IPV4, wire::FAMILY_IPV6].contains(&family);
    let named = |kind| find(attributes, kind).map(text);
    (routed && hook == FORWARD && policy == DROP).then_some(Chain {
        family,
        table: named(wire::NAME)?,
        name: named(wire::CHAIN_NAME)?,
    })
}

/// Interfaces stand in rules by their names; `tb*` and `tb+` as the beginning.
fn speaks_of(rule: &[u8], bridge: &str) -> bool {
    let Some(expressions) = rule.get(wire::HEAD..).and_then(|a| find(a, wire::RULE_EXPRESSIONS)) else { return false };
    let compared = walk(expressions).filter_map(|(_, expression)| {
        let data = find(expression, wire::EXPRESSION_DATA)?;
        find(find(data, wire::COMPARE_DATA)?, wire::DATA_VALUE)
    });
    let name = |value: &[u8]| text(value.split(|b| *b == 0).next().unwrap_or_default());
    compared.map(name).any(|name| name.len() > 1 && bridge.starts_with(&name))
}
