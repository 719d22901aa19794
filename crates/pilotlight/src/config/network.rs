//! A network of addresses, or all of them.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, de};

/// A network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// Every address of both families.
    Any,
    /// Those of one network.
    Subnet(IpNet),
}

impl Network {
    /// Whether the address is in it. An IPv4 address that came over an IPv6 socket counts as itself.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match self {
            Self::Any => true,
            Self::Subnet(network) => network.contains(&address.to_canonical()),
        }
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match String::deserialize(from)?.as_str() {
            "any" => Ok(Self::Any),
            network => network.parse().map(Self::Subnet).map_err(de::Error::custom),
        }
    }
}
