//! A network of IP addresses, or all addresses.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, de};

/// A set of IP addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// Every IPv4 and IPv6 address.
    Any,
    /// The addresses of one network.
    Subnet(IpNet),
}

impl Network {
    /// Whether the network contains `address`. An IPv4-mapped IPv6 address counts as the IPv4 address.
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
