//! `pilotlight explain`: what an exit code means, and what to do.

use console::style;
use serde_json::json;

use super::command::Failure;
use super::exit_code::{Code, Row};
use super::out;

/// Which code, and how it is told.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A number or a name; all of them when missing.
    #[arg(value_name = "CODE", value_parser = code)]
    code: Option<Code>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let rows: Vec<Row> = match args.code {
        Some(code) => vec![code.row()],
        None => Code::ALL.map(Code::row).into(),
    };
    if args.json {
        let told = rows.iter().map(|Row { number, name, means, advice }| {
            json!({ "code": number, "name": name, "means": means, "advice": advice })
        });
        return out::json(&told.collect::<Vec<_>>());
    }
    let paragraphs: Vec<_> = rows.iter().map(paragraph).collect();
    out::line(paragraphs.join("\n\n"))
}

fn paragraph(Row { number, name, means, advice }: &Row) -> String {
    let title = style(format!("{number} {name}")).bold();
    format!("{title}\n  {means}\n  {}: {advice}", style("What to do").dim())
}

fn code(text: &str) -> Result<Code, String> {
    Code::parse(text).ok_or_else(|| {
        let known = Code::ALL.map(|code| format!("{} ({})", code.row().number, code.row().name));
        format!("no command ends with it; the codes are {}", known.join(", "))
    })
}
