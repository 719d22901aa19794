//! The requests of the warm-start protocol, with the same headers that the real clients send through Node's `fetch`.

use std::net::SocketAddr;

use crate::message::{DEPLOYMENT_VERSION, MACHINE_CPU, MACHINE_MEMORY, Message, deployment_of};

const FETCH_HEADERS: &str = "accept: */*\r\n\
    accept-language: *\r\n\
    sec-fetch-mode: cors\r\n\
    user-agent: node\r\n\
    accept-encoding: gzip, deflate\r\n";

/// A runner's long poll.
pub(crate) fn poll(server: SocketAddr, pool: usize, runner: usize) -> Vec<u8> {
    let deployment = deployment_of(pool);
    format!(
        "GET /warm-start HTTP/1.1\r\n\
        host: {server}\r\n\
        connection: keep-alive\r\n\
        x-trigger-workload-controller-id: runner_cm4x7k2pd0001q5w1_{runner:05}\r\n\
        x-trigger-deployment-id: {deployment}\r\n\
        x-trigger-deployment-version: {DEPLOYMENT_VERSION}\r\n\
        x-trigger-machine-cpu: {MACHINE_CPU}\r\n\
        x-trigger-machine-memory: {MACHINE_MEMORY}\r\n\
        x-trigger-worker-instance-name: worker-node-01\r\n\
        {FETCH_HEADERS}\r\n"
    )
    .into_bytes()
}

/// A supervisor's offer of a run of this pool; the run number is patched for each offer.
pub(crate) fn offer(server: SocketAddr, pool: usize) -> Message {
    Message::new(pool).offer_request(|length| {
        format!(
            "POST /warm-start HTTP/1.1\r\n\
            host: {server}\r\n\
            connection: keep-alive\r\n\
            content-type: application/json\r\n\
            traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n\
            {FETCH_HEADERS}\
            content-length: {length}\r\n\r\n"
        )
    })
}
