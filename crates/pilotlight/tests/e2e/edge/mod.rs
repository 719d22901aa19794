//! What nobody should send, and somebody will: always refused with a sentence that helps, or closed where the
//! contract says so; never a 5xx, never a hang, and the service is well afterwards.

mod both_ways;
mod heads;
mod offers;
mod paths;
mod polls;
mod slow;
