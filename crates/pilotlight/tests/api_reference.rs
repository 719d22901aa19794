//! Generates the second part of `docs/api.md` from `docs/openapi.json`, and checks that the file is up to date: one
//! section for each call and one for each body. It adds no facts that the OpenAPI document does not have.
#![allow(clippy::unwrap_used, reason = "a test may panic where the OpenAPI document is not as expected")]

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::PathBuf;

use serde_json::{Map, Value};

/// Separates the handwritten part of `docs/api.md` from the generated part.
const MARK: &str = "<!-- What follows is made from openapi.json. -->\n\n";

/// After a change of the API and of `openapi.json`, regenerate the reference with
/// `PILOTLIGHT_BLESS=1 cargo test -p pilotlight --test api_reference`.
#[test]
fn the_reference_matches_the_openapi_document() {
    let text = std::fs::read_to_string(document_path("api.md")).unwrap();
    let (handwritten, generated) = text.split_once(MARK).expect("the file contains the mark");
    let reference = Api::read().reference();
    if std::env::var_os("PILOTLIGHT_BLESS").is_some() {
        std::fs::write(document_path("api.md"), format!("{handwritten}{MARK}{reference}")).unwrap();
    } else {
        assert!(generated == reference, "docs/api.md is out of date; PILOTLIGHT_BLESS=1 regenerates it");
    }
}

#[test]
fn every_call_has_a_section_and_every_link_has_a_target() {
    let api = Api::read();
    let text = api.reference();
    for (method, path, _) in api.calls() {
        assert!(text.contains(&format!("### `{method} {path}`\n")), "{method} {path}");
    }
    let headings: BTreeSet<_> = text.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    let links = text.split("](#").skip(1).map(|rest| rest.split(')').next().unwrap());
    for link in links {
        assert!(headings.iter().any(|heading| heading.to_lowercase() == link), "no section {link}");
    }
}

/// The path of a file in `docs/`.
fn document_path(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs")).join(name)
}

/// The OpenAPI document.
struct Api(Value);

impl Api {
    fn read() -> Self {
        let text = std::fs::read_to_string(document_path("openapi.json")).unwrap();
        Self(serde_json::from_str(&text).unwrap())
    }

    /// The generated part of the reference.
    fn reference(&self) -> String {
        let common = self.common_statuses();
        let mut text =
            String::from("## What any call may answer\n\n| Status | Means | Body |\n|---|---|---|\n");
        let (_, _, first) = self.calls().next().unwrap();
        for (status, response) in
            object(&first["responses"]).iter().filter(|(status, _)| common.contains(*status))
        {
            text += &self.response_row(status, response);
        }
        for tag in self.0["tags"].as_array().unwrap() {
            let (name, description) = (text_of(&tag["name"]), text_of(&tag["description"]));
            _ = write!(text, "\n## `/api/{}`\n\n{description}\n", name);
            for (method, path, call) in self.calls().filter(|(_, _, call)| call["tags"][0] == tag["name"]) {
                self.write_call(&format!("{method} {path}"), call, &common, &mut text);
            }
        }
        text += "\n## Bodies\n\nA field that is not called optional is always there.\n";
        for (name, schema) in object(&self.0["components"]["schemas"]) {
            self.write_schema(name, schema, &mut text);
        }
        text
    }

    /// Method, path and description of each call.
    fn calls(&self) -> impl Iterator<Item = (String, &str, &Value)> {
        object(&self.0["paths"]).iter().flat_map(|(path, item)| {
            object(item).iter().map(move |(method, call)| (method.to_uppercase(), path.as_str(), call))
        })
    }

    /// The statuses whose response is the same for every call.
    fn common_statuses(&self) -> BTreeSet<String> {
        let (_, _, first) = self.calls().next().unwrap();
        let is_common = |status: &String, response: &Value| {
            self.calls().all(|(_, _, call)| call["responses"][status] == *response)
        };
        let all = object(&first["responses"]).iter();
        all.filter(|(status, response)| is_common(status, response))
            .map(|(status, _)| status.clone())
            .collect()
    }

    fn write_call(&self, name: &str, call: &Value, common: &BTreeSet<String>, text: &mut String) {
        _ = write!(
            text,
            "\n### `{name}`\n\n{} {}\n",
            sentence(text_of(&call["summary"])),
            accepted_keys(call)
        );
        if let Some(parameters) = call["parameters"].as_array() {
            *text += "\n| Parameter | In | Is | Means |\n|---|---|---|---|\n";
            for parameter in parameters {
                let (name, location) = (text_of(&parameter["name"]), text_of(&parameter["in"]));
                let value_type = self.value_type(&parameter["schema"], parameter["required"] == true);
                _ = writeln!(
                    text,
                    "| `{name}` | {location} | {value_type} | {} |",
                    text_of(&parameter["description"])
                );
            }
        }
        let body = &call["requestBody"]["content"]["application/json"]["schema"];
        if !body.is_null() {
            _ = write!(text, "\nBody: {}.", self.type_name(body));
            let example = &self.resolved(body)["example"];
            if !example.is_null() {
                _ = write!(text, " For example:\n\n```json\n{example}\n```");
            }
            *text += "\n";
        }
        *text += "\n| Answer | Means | Body |\n|---|---|---|\n";
        for (status, response) in
            object(&call["responses"]).iter().filter(|(status, _)| !common.contains(*status))
        {
            *text += &self.response_row(status, response);
        }
    }

    /// A row of a table of responses.
    fn response_row(&self, status: &str, response: &Value) -> String {
        let content = response["content"].as_object().and_then(|content| content.iter().next());
        let body = content.map_or_else(String::new, |(media_type, body)| {
            let stream = if media_type == "text/event-stream" { "server-sent events: " } else { "" };
            format!("{stream}{}", self.type_name(&body["schema"]))
        });
        let headers = response["headers"].as_object().into_iter().flatten();
        let headers: String =
            headers.map(|(name, header)| format!(" `{name}`: {}", text_of(&header["description"]))).collect();
        format!("| `{status}` | {}{headers} | {body} |\n", text_of(&response["description"]))
    }

    fn write_schema(&self, name: &str, schema: &Value, text: &mut String) {
        _ = write!(text, "\n### {name}\n");
        if let Some(description) = schema["description"].as_str() {
            _ = write!(text, "\n{description}\n");
        }
        if let Some(values) = schema["enum"].as_array() {
            let values: Vec<_> = values.iter().map(|value| format!("`{}`", text_of(value))).collect();
            _ = write!(text, "\nOne of {}.\n", values.join(", "));
            return;
        }
        let parts: Vec<&Value> = match schema["allOf"].as_array() {
            Some(parts) => parts.iter().collect(),
            None => vec![schema],
        };
        let rows: String = parts.into_iter().map(|part| self.fields(part)).collect();
        if !rows.is_empty() {
            _ = write!(text, "\n| Field | Is | Means |\n|---|---|---|\n{rows}");
        } else if schema["properties"].is_null() && schema["description"].is_null() {
            _ = write!(text, "\n{}.\n", self.value_type(schema, true));
        }
    }

    /// A row for each field of the part. A part that is a reference to another schema has that schema's fields.
    fn fields(&self, part: &Value) -> String {
        let schema = self.resolved(part);
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        let Some(fields) = schema["properties"].as_object() else { return String::new() };
        let row = |(name, field): (&String, &Value)| {
            let value_type = self.value_type(field, required.iter().any(|required| required == name));
            format!("| `{name}` | {value_type} | {} |\n", text_of(&field["description"]))
        };
        fields.iter().map(row).collect()
    }

    /// The type and the limits of a field or parameter.
    fn value_type(&self, schema: &Value, is_required: bool) -> String {
        let optional = if is_required { "" } else { "optional " };
        let (min, max) = (&schema["minimum"], &schema["maximum"]);
        let range = match (min.is_null(), max.is_null()) {
            (false, false) => format!(", {min} to {max}"),
            (true, false) => format!(", at most {max}"),
            (false, true) if *min != 0 => format!(", at least {min}"),
            (_, true) => String::new(),
        };
        let (min, max) = (schema["minLength"].as_u64().unwrap_or(0), &schema["maxLength"]);
        let length = if max.is_null() { String::new() } else { format!(", {min} to {max} bytes") };
        let max = &schema["maxItems"];
        let count = if max.is_null() { String::new() } else { format!(", at most {max}") };
        let type_name = self.type_name(schema);
        let type_name = if is_required { type_name.as_str() } else { type_name.trim_end_matches(" or null") };
        format!("{optional}{type_name}{range}{length}{count}")
    }

    /// The name of a schema's type, as a link if it has a section of its own.
    fn type_name(&self, schema: &Value) -> String {
        if let Some(name) = referenced_name(schema) {
            return format!("[{name}](#{})", name.to_lowercase());
        }
        if let Some(variants) = schema["oneOf"].as_array() {
            let variants: Vec<_> =
                variants.iter().filter(|one| one["type"] != "null").map(|one| self.type_name(one)).collect();
            return variants.join(" or ");
        }
        if schema["type"] == "array" {
            return format!("list of {}", self.type_name(&schema["items"]));
        }
        let Some(types) = schema["type"].as_array() else { return text_of(&schema["type"]).to_owned() };
        let names: Vec<_> = types.iter().filter(|name| *name != "null").map(text_of).collect();
        names.join(" or ") + if names.len() < types.len() { " or null" } else { "" }
    }

    /// The schema that this schema refers to, or the schema itself.
    fn resolved<'a>(&'a self, schema: &'a Value) -> &'a Value {
        referenced_name(schema).map_or(schema, |name| &self.0["components"]["schemas"][name])
    }
}

/// The name of the schema that this schema refers to, if it is a reference.
fn referenced_name(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.rsplit('/').next()
}

/// The keys that the call accepts. (The empty requirement at the end is for a service without keys.)
fn accepted_keys(call: &Value) -> String {
    let keys = call["security"].as_array().unwrap().iter().flat_map(|one| object(one).keys());
    let keys = keys.map(|key| key.replace('_', " "));
    let keys: Vec<_> =
        keys.map(|key| if key.starts_with('a') { format!("an {key}") } else { format!("a {key}") }).collect();
    format!("Takes {}.", keys.join(" or "))
}

/// The text with a capital first letter.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// The string, or an empty one if the value is not a string.
fn text_of(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn object(value: &Value) -> &Map<String, Value> {
    value.as_object().unwrap_or_else(|| panic!("{value} is not an object"))
}
