//! Go templates as far as `--format` uses them: fields, pipelines, `if`/`range`/`with`, variables, docker's functions.

mod eval;
mod functions;
mod lexer;
mod parser;

pub(super) use eval::Data;

/// What is wrong with a template, or with a template and the data it met.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct TemplateError(pub String);

pub(super) type Result<T> = std::result::Result<T, TemplateError>;

fn error<T>(message: impl Into<String>) -> Result<T> {
    Err(TemplateError(message.into()))
}

/// A parsed template.
#[derive(Debug)]
pub(super) struct Template(Vec<parser::Node>);

impl Template {
    pub fn parse(text: &str) -> Result<Template> {
        parser::parse(lexer::lex(text)?).map(Template)
    }

    pub fn render(&self, data: &Data) -> Result<String> {
        eval::render(&self.0, data)
    }
}

#[cfg(test)]
mod tests;
