//! Nodes and data into text.

use super::functions;
use super::parser::{Base, Node, Operand, Pipeline};
use super::{Result, TemplateError, error};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What a template sees: the fields of one row or object, and the labels behind `.Label "key"`.
#[derive(Clone, Debug, Default)]
pub(in crate::cli) struct Data {
    pub value: Value,
    pub labels: BTreeMap<String, String>,
}

struct Scope<'a> {
    data: &'a Data,
    variables: Vec<(String, Value)>,
}

pub(super) fn render(nodes: &[Node], data: &Data) -> Result<String> {
    let mut scope = Scope { data, variables: Vec::new() };
    let mut text = String::new();
    scope.nodes(nodes, &data.value, &mut text)?;
    Ok(text)
}

impl Scope<'_> {
    fn nodes(&mut self, nodes: &[Node], dot: &Value, out: &mut String) -> Result<()> {
        let outer = self.variables.len();
        for node in nodes {
            self.node(node, dot, out)?;
        }
        self.variables.truncate(outer);
        Ok(())
    }

    fn node(&mut self, node: &Node, dot: &Value, out: &mut String) -> Result<()> {
        match node {
            Node::Text(text) => out.push_str(text),
            Node::Print(pipeline) => {
                let value = self.pipeline(pipeline, dot)?;
                if pipeline.variable.is_none() {
                    out.push_str(&text_of(&value));
                }
            }
            Node::If { condition, then, otherwise } => {
                let value = self.pipeline(condition, dot)?;
                self.nodes(if is_true(&value) { then } else { otherwise }, dot, out)?;
            }
            Node::With { value, then, otherwise } => {
                let value = self.pipeline(value, dot)?;
                match is_true(&value) {
                    true => self.nodes(then, &value, out)?,
                    false => self.nodes(otherwise, dot, out)?,
                }
            }
            Node::Range { names, over, body, otherwise } => {
                let items = items(self.pipeline(over, dot)?)?;
                if items.is_empty() {
                    self.nodes(otherwise, dot, out)?;
                }
                for (key, item) in items {
                    let outer = self.variables.len();
                    match names.as_slice() {
                        [value] => self.variables.push((value.clone(), item.clone())),
                        [k, v] => self.variables.extend([(k.clone(), key), (v.clone(), item.clone())]),
                        _ => {}
                    }
                    self.nodes(body, &item, out)?;
                    self.variables.truncate(outer);
                }
            }
        }
        Ok(())
    }

    fn pipeline(&mut self, pipeline: &Pipeline, dot: &Value) -> Result<Value> {
        let mut result = None;
        for command in &pipeline.commands {
            result = Some(self.command(command, dot, result)?);
        }
        let value = result.unwrap_or(Value::Null);
        if let Some(name) = &pipeline.variable {
            self.variables.push((name.clone(), value.clone()));
        }
        Ok(value)
    }

    fn command(&mut self, command: &[Operand], dot: &Value, piped: Option<Value>) -> Result<Value> {
        let Some((first, rest)) = command.split_first() else { return error("missing value") };
        let is_label = matches!(first.base, Base::Dot) && first.fields == ["Label"];
        let name = match &first.base {
            Base::Function(name) if first.fields.is_empty() => Some(name.as_str()),
            _ if is_label => Some("Label"),
            _ => None,
        };
        let Some(name) = name else {
            if !rest.is_empty() || piped.is_some() {
                return error("a value that is not a function cannot take arguments");
            }
            return self.operand(first, dot);
        };
        let mut arguments = Vec::with_capacity(rest.len() + 1);
        for operand in rest {
            arguments.push(self.operand(operand, dot)?);
        }
        arguments.extend(piped);
        match (is_label, arguments.as_slice()) {
            (true, [Value::String(key)]) => Ok(self.data.labels.get(key).cloned().unwrap_or_default().into()),
            (true, _) => error(".Label takes a label's name"),
            (false, _) => functions::call(name, arguments),
        }
    }

    fn operand(&mut self, operand: &Operand, dot: &Value) -> Result<Value> {
        let mut value = match &operand.base {
            Base::Dot => dot.clone(),
            Base::Variable(name) if name.is_empty() => self.data.value.clone(),
            Base::Variable(name) => match self.variables.iter().rev().find(|(n, _)| n == name) {
                Some((_, value)) => value.clone(),
                None => return error(format!("undefined variable \"${name}\"")),
            },
            Base::Literal(value) => value.clone(),
            Base::Group(pipeline) => self.pipeline(pipeline, dot)?,
            Base::Function(name) => functions::call(name, Vec::new())?,
        };
        for field in &operand.fields {
            value = take_field(value, field)?;
        }
        Ok(value)
    }
}

/// Objects whose keys are capitalised are docker's structs: a wrong name is a mistake. Others are maps: it is no value.
fn take_field(value: Value, name: &str) -> Result<Value> {
    match value {
        Value::Object(mut map) => match map.remove(name) {
            Some(value) => Ok(value),
            None if is_struct(&map) => Err(unknown_field(&map, name)),
            None => Ok(Value::Null),
        },
        Value::Null => Ok(Value::Null),
        other => error(format!("can't evaluate field {name} in {}", kind(&other))),
    }
}

fn is_struct(map: &Map<String, Value>) -> bool {
    !map.is_empty()
        && map.keys().all(|k| k.starts_with(|c: char| c.is_ascii_uppercase()) && !k.contains([' ', '/', '.']))
}

fn unknown_field(map: &Map<String, Value>, name: &str) -> TemplateError {
    let names: Vec<&str> = map.keys().map(String::as_str).collect();
    TemplateError(format!("there is no field {name}; there are {}", names.join(", ")))
}

pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn items(value: Value) -> Result<Vec<(Value, Value)>> {
    match value {
        Value::Array(list) => Ok(list.into_iter().enumerate().map(|(i, v)| (Value::from(i), v)).collect()),
        Value::Object(map) => Ok(map.into_iter().map(|(k, v)| (Value::String(k), v)).collect()),
        Value::Null => Ok(Vec::new()),
        other => error(format!("range can't iterate over {}", kind(&other))),
    }
}

/// Go: false, 0, nil and anything of length 0 are false.
pub(super) fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(b) => *b,
        Value::Number(n) => n.as_f64() != Some(0.0),
        Value::String(s) => !s.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => !map.is_empty(),
    }
}

/// As Go prints a value: `[a b]`, `map[k:v]`.
pub(super) fn text_of(value: &Value) -> String {
    match value {
        Value::Null => "<no value>".into(),
        Value::String(s) => s.clone(),
        Value::Array(list) => format!("[{}]", list.iter().map(text_of).collect::<Vec<_>>().join(" ")),
        Value::Object(map) if is_struct(map) => {
            format!("{{{}}}", map.values().map(text_of).collect::<Vec<_>>().join(" "))
        }
        Value::Object(map) => {
            let pairs: Vec<String> = map.iter().map(|(k, v)| format!("{k}:{}", text_of(v))).collect();
            format!("map[{}]", pairs.join(" "))
        }
        other => other.to_string(),
    }
}
