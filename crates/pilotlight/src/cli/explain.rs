//! `pilotlight explain`: prints what an exit code means and what to do.

use console::style;
use serde_json::json;

use super::exit_code::{Code, CodeInfo};
use super::failure::Failure;
use super::output;

/// Options of `pilotlight explain`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The code's number or name; all codes if none is given.
    #[arg(value_name = "CODE", value_parser = parse_code)]
    code: Option<Code>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let infos: Vec<CodeInfo> = match args.code {
        Some(code) => vec![code.info()],
        None => Code::ALL.map(Code::info).into(),
    };
    if args.json {
        let entries = infos.iter().map(|CodeInfo { number, name, meaning, advice }| {
            json!({ "code": number, "name": name, "means": meaning, "advice": advice })
        });
        return output::json(&entries.collect::<Vec<_>>());
    }
    let paragraphs: Vec<_> = infos.iter().map(paragraph).collect();
    output::line(paragraphs.join("\n\n"))
}

fn paragraph(CodeInfo { number, name, meaning, advice }: &CodeInfo) -> String {
    let title = style(format!("{number} {name}")).bold();
    format!("{title}\n  {meaning}\n  {}: {advice}", style("What to do").dim())
}

fn parse_code(text: &str) -> Result<Code, String> {
    Code::parse(text).ok_or_else(|| {
        let known = Code::ALL.map(|code| format!("{} ({})", code.info().number, code.info().name));
        format!("there is no such exit code; the codes are {}", known.join(", "))
    })
}
