//! `pilotlight demo`: plays a scene and shows what came of it.
#![allow(clippy::print_stderr, reason = "the scene is for people at a terminal")]

use std::net::Ipv4Addr;

use anyhow::Context;
use tokio::runtime::Runtime;

use super::command::Failure;
use super::out;
use crate::app::{App, Part};
use crate::config::{Config, Server};
use crate::demo::warm_start::{report::Report, scene};

pub(super) fn run(runs: u32, json: bool) -> Result<(), Failure> {
    if !json {
        eprintln!("Runners of three deployments wait, four supervisors offer {runs} runs.\n");
    }
    let report = Runtime::new()?.block_on(play(runs))?;
    if json {
        out::json(&report)?;
    } else {
        out::line(&report)?;
    }
    Ok(check(&report)?)
}

async fn play(runs: u32) -> anyhow::Result<Report> {
    let server = Server { host: Ipv4Addr::LOCALHOST.into(), port: 0, ..Server::default() };
    let app = App::start(&Config { server, ..Config::default() }, Some(&[Part::WarmStart, Part::Dashboard]))
        .await?;
    let played = scene::play(app.address(), runs).await;
    app.stop().await;
    played.context("failed to play the scene")
}

fn check(report: &Report) -> anyhow::Result<()> {
    let lost = report.lost + report.twice;
    (lost == 0).then_some(()).with_context(|| format!("{lost} runs were lost or received twice"))
}
